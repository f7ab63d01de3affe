"""API keys: made once, shown once, kept as a digest, found by it; scoped, limited to agents, revoked."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from accounts import connections
from accounts.models import Account, ApiKey
from core.errors import FieldError, Invalid, Refusal
from core.secret import Secret
from core.sql import Columns, rows

_SK = re.compile(r"sk_(live|test)_[0-9a-f]{48}")
_MK = re.compile(r"(mk_(?:live|test)_[0-9A-Za-z]{22})_([0-9a-f]{10})")
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#: one sentence for every way a key can be wrong, so that an answer teaches an attacker nothing
INVALID = "Invalid API key."
MALFORMED = "This is not an API key: a character of it is missing or wrong. Copy it again."
NO_KEY = "No active key found with this id."
#: how fresh ``last_used_at`` is kept; a write per request would make a hot row of every key
LAST_USED_EVERY = timedelta(minutes=1)
#: as many keys as an account may have at once
MOST_KEYS = 100
MOST_PER_MINUTE = 10_000

#: contract 2.2: what a key may be allowed
SCOPES = {
    "whatsapp:send": "Send texts and templates, and look up what was sent.",
    "whatsapp:read": "Look up messages, templates and agents; send nothing.",
    "*": "Everything, today and later.",
}


def new_sk(environment: str = "live") -> str:
    """Return ``sk_live_`` (or ``sk_test_``) + 48 hex digits."""
    return f"sk_{environment}_{secrets.token_hex(24)}"


def new_mk(environment: str = "live") -> str:
    """Return ``mk_live_`` (or ``mk_test_``) + 22 base62 digits + ``_`` + a 10-digit checksum."""
    body = f"mk_{environment}_" + "".join(secrets.choice(_BASE62) for _ in range(22))
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
    agent_ids: Sequence[str] | None = None,
    rate_limit_per_minute: int | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, Secret]:
    """Make a key and store its digest; the second value is the only copy of the key itself."""
    form, environment = kind.split("_")
    text = {"sk": new_sk, "mk": new_mk}[form](environment)
    key = ApiKey.objects.create(
        account=account,
        kind=kind,
        name=name,
        digest=digest_of(text),
        prefix=text[:12],
        last_four=text[-4:],
        scopes=list(scopes),
        agent_ids=None if agent_ids is None else list(agent_ids),
        rate_limit_per_minute=rate_limit_per_minute,
        expires_at=expires_at,
    )
    return key, Secret(text)


def create(
    account: Account,
    *,
    name: str,
    kind: ApiKey.Kind = ApiKey.Kind.MK,
    scopes: Sequence[str] = ("whatsapp:send",),
    agent_ids: Sequence[uuid.UUID] | None = None,
    rate_limit_per_minute: int | None = None,
    expires_at: datetime | None = None,
) -> tuple[ApiKey, Secret]:
    """Make a key as a person asks for it; ``agent_ids`` None: for all agents, also later ones.

    The caller has asked ``accounts.api.views_v1.refuse_below_pro`` whether the plan includes ``mk_`` keys.
    Raises ``Invalid`` with every faulty field (named as the parameters are), ``Refusal`` (``conflict``)
    when the account has ``MOST_KEYS`` keys.
    """
    faults = _limit_faults(name, rate_limit_per_minute)
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        faults.append(FieldError("scopes", f"Must be one or more of: {', '.join(SCOPES)}."))
    if agent_ids is not None:
        wanted = set(agent_ids)
        if not wanted or account.agents.filter(pk__in=wanted).count() != len(wanted):
            faults.append(FieldError("agent_ids", "Must be agents of your account; without them, all are."))
    if expires_at is not None and expires_at <= timezone.now():
        faults.append(FieldError("expires_at", "Must be in the future."))
    if faults:
        raise Invalid(faults)
    with transaction.atomic():
        _lock(account)
        refuse_too_many(account)
        return issue(
            account,
            kind=kind,
            name=name.strip(),
            scopes=list(dict.fromkeys(scopes)),
            agent_ids=None if agent_ids is None else sorted({str(one) for one in agent_ids}),
            rate_limit_per_minute=rate_limit_per_minute,
            expires_at=expires_at,
        )


def change(account: Account, key_id: uuid.UUID, *, name: str, rate_limit_per_minute: int | None) -> ApiKey:
    """Give a key another name and its own limit a minute (None: the usual one). A key keeps its rights.

    Raises ``Refusal`` (``not_found``), ``Invalid``.
    """
    if faults := _limit_faults(name, rate_limit_per_minute):
        raise Invalid(faults)
    key = next((one for one in active(account) if one.pk == key_id), None)
    if key is None:
        raise Refusal("not_found", NO_KEY)
    key.name, key.rate_limit_per_minute = name.strip(), rate_limit_per_minute
    key.save(update_fields=["name", "rate_limit_per_minute"])
    return key


def _limit_faults(name: str, rate_limit_per_minute: int | None) -> list[FieldError]:
    faults = []
    if not 1 <= len(name.strip()) <= 100:
        faults.append(FieldError("name", "Must be 1 to 100 characters."))
    if rate_limit_per_minute is not None and not 1 <= rate_limit_per_minute <= MOST_PER_MINUTE:
        faults.append(FieldError("rate_limit_per_minute", f"Must be from 1 to {MOST_PER_MINUTE}."))
    return faults


def _lock(account: Account) -> None:
    """Let one request at a time count an account's keys and add to them."""
    Account.objects.select_for_update(no_key=True).get(pk=account.pk)


def refuse_too_many(account: Account) -> None:
    """Raise ``Refusal`` (``conflict``) when the account has as many keys as it may; its row is locked."""
    if len(active(account)) >= MOST_KEYS:
        raise Refusal("conflict", f"An account has at most {MOST_KEYS} keys. Revoke one first.")


def authenticate(text: str) -> ApiKey:
    """Find the live key that ``text`` is, its account with it.

    Raises ``Refusal``: ``invalid_api_key``, ``revoked_api_key`` or ``expired_api_key`` (J1); ``cause``
    says it in words, for a dialect that tells.
    """
    if not well_formed(text):
        raise Refusal("invalid_api_key", INVALID, cause=MALFORMED)
    key = _find(digest_of(text))
    if key is None:
        raise Refusal("invalid_api_key", INVALID, cause="This API key does not exist.")
    now = timezone.now()
    if key.revoked_at and key.revoked_at <= now:
        raise Refusal("revoked_api_key", INVALID, cause="This API key was revoked. Create a new one.")
    if key.expires_at and key.expires_at <= now:
        raise Refusal("expired_api_key", INVALID, cause="This API key has expired. Create a new one.")
    if key.last_used_at is None or now - key.last_used_at > LAST_USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


_KEY, _ACCOUNT = Columns(ApiKey, "k"), Columns(Account, "a")
# Written out, because building this query through the ORM took a fifth of every accepted request.
# The number that most requests are about to send from comes along.
_FIND = " ".join([
    "SELECT", _KEY.sql, ",", _ACCOUNT.sql, ",", connections.COLUMNS.sql, "FROM", ApiKey._meta.db_table, "k",
    "JOIN", Account._meta.db_table, "a ON a.id = k.account_id", connections.JOIN_DEFAULT,
    "WHERE k.digest = %s",
])  # fmt: skip


def _find(digest: bytes) -> ApiKey | None:
    found = rows(_FIND, [digest])
    if not found:
        return None
    values, account_at, number_at = found[0], len(_KEY), len(_KEY) + len(_ACCOUNT)
    key: ApiKey = _KEY.make(values[:account_at])
    key.account = _ACCOUNT.make(values[account_at:number_at])
    connections.bring(key.account, values[number_at:])
    return key


@transaction.atomic
def rotate(key: ApiKey, *, grace: timedelta = timedelta(0)) -> Secret:
    """Replace ``key`` by a new one and return the new one; the old one works on for ``grace``.

    Both changes are one transaction: at no moment are both refused. Raises ``Refusal`` when another
    request rotated it first: ``invalid_api_key``, or ``conflict`` while it still works; ``conflict``, too,
    when there are ``MOST_KEYS`` and the old one would work on beside the new one.
    """
    _lock(key.account)
    held = ApiKey.objects.select_for_update().get(pk=key.pk)
    if held.revoked_at and held.revoked_at > timezone.now():
        raise Refusal(
            "conflict", "This key was replaced already and works for a little longer. Rotate the new one."
        )
    if held.revoked_at:
        raise Refusal("invalid_api_key", INVALID)
    if grace:
        refuse_too_many(held.account)
    fresh, secret = issue(
        held.account,
        kind=ApiKey.Kind(held.kind),
        name=held.name,
        scopes=held.scopes,
        agent_ids=held.agent_ids,
        rate_limit_per_minute=held.rate_limit_per_minute,
        expires_at=held.expires_at,
    )
    ApiKey.objects.filter(pk=fresh.pk).update(rotated_from=held.window)
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


def revoked(account: Account) -> list[ApiKey]:
    """Return an account's keys that were revoked or have expired, the last one first."""
    now = timezone.now()
    gone = account.api_keys.filter(Q(revoked_at__lte=now) | Q(expires_at__lte=now))
    return list(gone.order_by(Coalesce("revoked_at", "expires_at").desc())[:MOST_KEYS])


@transaction.atomic
def revoke(account: Account, key_id: uuid.UUID, *, reason: str = "") -> None:
    """Make a key invalid at once.

    Raises ``Refusal``: ``not_found``, or ``conflict`` for the last live key, without which nobody could
    make another.
    """
    _lock(account)
    keys = active(account)
    key = next((one for one in keys if one.pk == key_id), None)
    if key is None:
        raise Refusal("not_found", NO_KEY)
    # An mk_ key does not count: it stops working when the plan is lost.
    full = [
        one
        for one in keys
        if one.kind == ApiKey.Kind.SK
        and "*" in one.scopes
        and one.revoked_at is None
        and one.expires_at is None
    ]
    if full == [key]:
        raise Refusal("conflict", "This is your last live key. Make another first, or rotate this one.")
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now(), revoked_reason=reason[:200])
