"""API keys: made once, shown once, kept as a digest, found by it."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Account, ApiKey
from config.errors import Refusal
from config.secret import Secret
from config.sql import Columns, rows

_SK = re.compile(r"sk_(live|test)_[0-9a-f]{48}")
_MK = re.compile(r"(mk_live_[0-9A-Za-z]{22})_([0-9a-f]{10})")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#: one sentence for every way a key can be wrong, so that an answer teaches an attacker nothing
INVALID = "Invalid API key."
#: how fresh ``last_used_at`` is kept; a write per request would make a hot row of every key
LAST_USED_EVERY = timedelta(minutes=1)


def new_sk(environment: str = "live") -> str:
    """Return ``sk_live_`` (or ``sk_test_``) + 48 hex digits."""
    return f"sk_{environment}_{secrets.token_hex(24)}"


def new_mk() -> str:
    """Return ``mk_live_`` + 22 base62 digits + ``_`` + a 10-digit checksum."""
    body = "mk_live_" + "".join(secrets.choice(_BASE62) for _ in range(22))
    return f"{body}_{checksum(body)}"


def checksum(body: str) -> str:
    """Return the checksum of everything before a key's last underscore (contract 2.2)."""
    return hashlib.sha256(body.encode()).hexdigest()[:10]


def well_formed(text: str) -> bool:
    """Tell whether ``text`` could be a key, without asking the database."""
    if _SK.fullmatch(text):
        return True
    match = _MK.fullmatch(text)
    return bool(match) and checksum(match[1]) == match[2]  # type: ignore[index]


def digest_of(text: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(text.encode()).digest()


def issue(
    account: Account,
    *,
    kind: ApiKey.Kind = ApiKey.Kind.SK,
    name: str,
    scopes: Sequence[str] = ("*",),
    rate_limit_per_minute: int | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, Secret]:
    """Make a key and store its digest; the second value is the only copy of the key itself."""
    makers = {ApiKey.Kind.SK: new_sk, ApiKey.Kind.MK: new_mk, ApiKey.Kind.SK_TEST: lambda: new_sk("test")}
    text = makers[kind]()
    key = ApiKey.objects.create(
        account=account,
        kind=kind,
        name=name,
        digest=digest_of(text),
        prefix=text[:12],
        last_four=text[-4:],
        scopes=list(scopes),
        rate_limit_per_minute=rate_limit_per_minute,
        expires_at=expires_at,
    )
    return key, Secret(text)


def authenticate(text: str) -> ApiKey:
    """Find the live key that ``text`` is, its account with it.

    Raises ``Refusal``: ``invalid_api_key``, ``revoked_api_key`` or ``expired_api_key`` (J1).
    """
    if not well_formed(text):
        raise Refusal("invalid_api_key", INVALID)
    key = _find(digest_of(text))
    if key is None:
        raise Refusal("invalid_api_key", INVALID)
    now = timezone.now()
    if key.revoked_at and key.revoked_at <= now:
        raise Refusal("revoked_api_key", INVALID)
    if key.expires_at and key.expires_at <= now:
        raise Refusal("expired_api_key", INVALID)
    if key.last_used_at is None or now - key.last_used_at > LAST_USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


_KEY, _ACCOUNT = Columns(ApiKey, "k"), Columns(Account, "a")
# Written out, because building this query through the ORM took a fifth of every accepted request.
_FIND = " ".join([
    "SELECT", _KEY.sql, ",", _ACCOUNT.sql, "FROM", ApiKey._meta.db_table, "k",
    "JOIN", Account._meta.db_table, "a ON a.id = k.account_id WHERE k.digest = %s",
])  # fmt: skip


def _find(digest: bytes) -> ApiKey | None:
    found = rows(_FIND, [digest])
    if not found:
        return None
    key: ApiKey = _KEY.make(found[0][: len(_KEY)])
    key.account = _ACCOUNT.make(found[0][len(_KEY) :])
    return key


@transaction.atomic
def rotate(key: ApiKey, *, grace: timedelta = timedelta(0)) -> Secret:
    """Replace ``key`` by a new one and return the new one; the old one works on for ``grace``.

    Both changes are one transaction: at no moment are both refused. Raises ``Refusal``
    (``invalid_api_key``) when another request rotated it first.
    """
    held = ApiKey.objects.select_for_update().get(pk=key.pk)
    if held.revoked_at:
        raise Refusal("invalid_api_key", INVALID)
    fresh, secret = issue(held.account, kind=ApiKey.Kind(held.kind), name=held.name, scopes=held.scopes)
    ApiKey.objects.filter(pk=fresh.pk).update(
        agent_ids=held.agent_ids,
        rate_limit_per_minute=held.rate_limit_per_minute,
        expires_at=held.expires_at,
    )
    ApiKey.objects.filter(pk=held.pk).update(revoked_at=timezone.now() + grace, revoked_reason="rotated")
    return secret


def active(account: Account) -> list[ApiKey]:
    """Return an account's keys that work, newest first."""
    now = timezone.now()
    return list(
        account.api_keys.filter(Q(revoked_at=None) | Q(revoked_at__gt=now))
        .exclude(expires_at__lte=now)
        .order_by("-created_at")
    )


@transaction.atomic
def revoke(account: Account, key_id: uuid.UUID, *, reason: str = "") -> None:
    """Make a key invalid at once.

    Raises ``Refusal``: ``not_found``, or ``conflict`` for the last live key, without which nobody could
    make another.
    """
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)
    keys = active(account)
    key = next((one for one in keys if one.pk == key_id), None)
    if key is None:
        raise Refusal("not_found", "No active key found with this id.")
    full = [
        one
        for one in keys
        if one.kind != ApiKey.Kind.SK_TEST
        and "*" in one.scopes
        and one.revoked_at is None
        and one.expires_at is None
    ]
    if full == [key]:
        raise Refusal("conflict", "This is your last live key. Make another first, or rotate this one.")
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now(), revoked_reason=reason[:200])
