"""API keys: made once, shown once, kept as a digest, found by it."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import Account, ApiKey
from config.errors import Refusal
from config.secret import Secret

_SK = re.compile(r"sk_live_[0-9a-f]{48}")
_MK = re.compile(r"(mk_live_[0-9A-Za-z]{22})_([0-9a-f]{10})")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#: one sentence for every way a key can be wrong, so that an answer teaches an attacker nothing
INVALID = "Invalid API key."
#: how fresh ``last_used_at`` is kept; a write per request would make a hot row of every key
LAST_USED_EVERY = timedelta(minutes=1)


def new_sk() -> str:
    """Return ``sk_live_`` + 48 hex digits."""
    return "sk_live_" + secrets.token_hex(24)


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
) -> tuple[ApiKey, Secret]:
    """Make a key and store its digest; the second value is the only copy of the key itself."""
    text = new_sk() if kind == ApiKey.Kind.SK else new_mk()
    key = ApiKey.objects.create(
        account=account,
        kind=kind,
        name=name,
        digest=digest_of(text),
        prefix=text[:12],
        last_four=text[-4:],
        scopes=list(scopes),
    )
    return key, Secret(text)


def authenticate(text: str) -> ApiKey:
    """Find the live key that ``text`` is, its account with it.

    Raises ``Refusal``: ``invalid_api_key``, ``revoked_api_key`` or ``expired_api_key`` (J1).
    """
    if not well_formed(text):
        raise Refusal("invalid_api_key", INVALID)
    key = ApiKey.objects.select_related("account").filter(digest=digest_of(text)).first()
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


@transaction.atomic
def rotate(key: ApiKey) -> Secret:
    """Replace ``key`` by a new one at once and return the new one.

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
    ApiKey.objects.filter(pk=held.pk).update(revoked_at=timezone.now(), revoked_reason="rotated")
    return secret
