"""A customer's endpoints: made, changed, removed; their secrets are shown once.

Raises ``core.errors.Invalid`` for what cannot be saved, ``Refusal`` (``not_found``) for an id that is not
the account's, whatever else it may be.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Account
from core.errors import FieldError, Invalid, Refusal
from core.secret import Secret
from webhooks.models import EVERYTHING, Delivery, Endpoint
from webhooks.outgoing import signing
from webhooks.outgoing.catalogue import CATALOGUE
from webhooks.outgoing.egress_rules import check_url

#: endpoints of one account
MOST_ENDPOINTS = 20
#: what the documented endpoint is told unless it asks for something else: what the two documents promise it,
#: the statuses of what was sent and what comes back, a template's button (its payload) among it
DEFAULT_EVENTS = ("message.status_updated", "message.received")
#: how long the old secret signs along after a rotation
OVERLAP = timedelta(hours=24)
MOST_HEADERS = 10
LONGEST_HEADER = 500
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
#: headers that are ours or the connection's
_RESERVED = frozenset(
    {
        *("host", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection"),
        *("keep-alive", "te", "trailer", "upgrade", "expect", "user-agent", "accept", "accept-encoding"),
        *("proxy-authorization", "proxy-connection", "cookie", "forwarded", "via"),
    }
)
_RESERVED_BEGINNINGS = ("webhook-", "x-forwarded-", "proxy-")


@dataclass(frozen=True, slots=True)
class Given:
    """What a customer wants of an endpoint; None leaves a part as it is."""

    url: str | None = None
    description: str | None = None
    events: Sequence[str] | None = None
    headers: Mapping[str, str] | None = None
    enabled: bool | None = None

    def check(self) -> Given:
        """Return it with the address in its canonical form; raises ``Invalid`` with everything wrong."""
        faults: list[FieldError] = []
        url = self.url
        if url is not None:
            try:
                url = check_url(url)
            except Invalid as found:
                faults += found.fields
        if self.events is not None:
            faults += _faults_of_events(self.events)
        if self.headers is not None:
            faults += _faults_of_headers(self.headers)
        if faults:
            raise Invalid(faults)
        return Given(url, self.description, self.events, self.headers, self.enabled)


def _faults_of_events(events: Sequence[str]) -> list[FieldError]:
    if not events:
        return [FieldError("events", "Must name at least one type of event, or be left out for all.")]
    return [
        FieldError(f"events[{index}]", f"Must be * or one of: {', '.join(sorted(CATALOGUE))}.")
        for index, name in enumerate(events)
        if name != EVERYTHING and name not in CATALOGUE
    ]


def _faults_of_headers(headers: Mapping[str, str]) -> list[FieldError]:
    if len(headers) > MOST_HEADERS:
        return [FieldError("headers", f"Must have at most {MOST_HEADERS} headers.")]
    faults: list[FieldError] = []
    lower = [name.lower() for name in headers]
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            faults.append(FieldError("headers", f"{name[:64]!r} cannot be the name of a header."))
        elif name.lower() in _RESERVED or name.lower().startswith(_RESERVED_BEGINNINGS):
            faults.append(FieldError(f"headers.{name}", "This header is set by us or by the connection."))
        elif lower.count(name.lower()) > 1:
            faults.append(FieldError(f"headers.{name}", "Is given more than once."))
        elif len(value) > LONGEST_HEADER or not _HEADER_VALUE.fullmatch(value):
            faults.append(
                FieldError(
                    f"headers.{name}",
                    f"Must be 1 to {LONGEST_HEADER} visible ASCII characters.",
                )
            )
    return faults


# --- finding


def of_account(account: Account) -> QuerySet[Endpoint]:
    """Return an account's endpoints, oldest first."""
    return Endpoint.objects.filter(account=account, removed_at=None).order_by("created_at", "id")


def default_url(account: Account) -> str | None:
    """Return the address of the default endpoint (``webhookUrl``)."""
    return of_account(account).filter(is_default=True).values_list("url", flat=True).first()


def find(account: Account, endpoint_id: uuid.UUID | None, *, lock: bool = False) -> Endpoint:
    """Return one of an account's endpoints. Raises ``Refusal`` (``not_found``)."""
    found = of_account(account)
    if lock:
        found = found.select_for_update(no_key=True)
    endpoint = found.filter(pk=endpoint_id).first() if endpoint_id else None
    if endpoint is None:
        raise Refusal("not_found", "No endpoint found with this id.")
    return endpoint


# --- changing


def create(
    account: Account, given: Given, *, default: bool = False, plan_has: int = MOST_ENDPOINTS
) -> tuple[Endpoint, Secret]:
    """Make an endpoint; the second value is the only time its secret is shown.

    Raises ``Refusal``: ``plan_not_eligible`` when the account has as many as its plan, ``conflict`` when it
    has the most that any may have.
    """
    given = given.check()
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if plan_has <= of_account(account).count() < MOST_ENDPOINTS:
            raise Refusal(
                "plan_not_eligible",
                f"Your plan has {plan_has} webhook endpoint{'' if plan_has == 1 else 's'}. Upgrade it, or "
                "change or remove one.",
            )
        return _create(account, given, default=default)


def _create(account: Account, given: Given, *, default: bool) -> tuple[Endpoint, Secret]:
    if of_account(account).count() >= MOST_ENDPOINTS:
        raise Refusal("conflict", f"An account has at most {MOST_ENDPOINTS} endpoints. Remove one first.")
    endpoint = Endpoint(
        account=account,
        is_default=default,
        url=given.url or "",
        description=given.description or "",
        events=_events(given.events or ([*DEFAULT_EVENTS] if default else [EVERYTHING])),
        enabled=given.enabled is not False,
    )
    if not endpoint.enabled:
        endpoint.off, endpoint.disabled_at = Endpoint.Off.CUSTOMER, timezone.now()
    secret = signing.new_secret()
    endpoint.seal("secret", secret)
    _set_headers(endpoint, given.headers or {})
    endpoint.save(force_insert=True)
    return endpoint, secret


def save_default(account: Account, given: Given) -> tuple[Endpoint, Secret | None]:
    """Point the default endpoint somewhere: made when there is none, changed and enabled when there is.

    The second value is the secret of a new one; None: the one that was shown before stays.
    """
    given = given.check()
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        endpoint = of_account(account).filter(is_default=True).select_for_update(no_key=True).first()
        if endpoint is None:
            return _create(account, given, default=True)
        _change(endpoint, given)
        return endpoint, None


@transaction.atomic
def change(account: Account, endpoint_id: uuid.UUID | None, given: Given) -> Endpoint:
    """Change parts of an endpoint. Enabling forgets its failures; what was skipped can be replayed."""
    given = given.check()
    endpoint = find(account, endpoint_id, lock=True)
    _change(endpoint, given)
    return endpoint


def _change(endpoint: Endpoint, given: Given) -> None:
    if given.url is not None:
        endpoint.url = given.url
    if given.description is not None:
        endpoint.description = given.description
    if given.events is not None:
        endpoint.events = _events(given.events)
    if given.headers is not None:
        _set_headers(endpoint, given.headers)
    if given.enabled is False and endpoint.enabled:
        endpoint.enabled, endpoint.off = False, Endpoint.Off.CUSTOMER
        endpoint.disabled_at = timezone.now()
        _skip(endpoint)
    elif given.enabled or (given.enabled is None and endpoint.is_default and given.url is not None):
        if not endpoint.enabled:
            endpoint.enabled, endpoint.off, endpoint.disabled_at = True, "", None
        endpoint.failing_since = endpoint.breaker_open_since = endpoint.paused_until = None
        endpoint.failures = endpoint.notices = 0
    endpoint.save()


def _events(events: Sequence[str]) -> list[str]:
    return [EVERYTHING] if EVERYTHING in events else list(dict.fromkeys(events))


def _set_headers(endpoint: Endpoint, headers: Mapping[str, str]) -> None:
    endpoint.seal("headers", Secret(orjson.dumps(dict(headers)).decode() if headers else ""))


def header_names(endpoint: Endpoint) -> list[str]:
    """Return the names of an endpoint's own headers; the values are never shown."""
    text = endpoint.unseal("headers").reveal()
    return list(orjson.loads(text)) if text else []


def _skip(endpoint: Endpoint) -> None:
    """End what is on its way to an endpoint that is not to be called any more."""
    Delivery.objects.filter(endpoint=endpoint, due_at__isnull=False).update(
        status=Delivery.Status.SKIPPED, due_at=None
    )


@transaction.atomic
def remove(account: Account, endpoint_id: uuid.UUID | None) -> None:
    """Remove an endpoint: nothing is sent to it any more, its secrets and headers are wiped."""
    _remove(find(account, endpoint_id, lock=True))


@transaction.atomic
def remove_default(account: Account) -> bool:
    """Remove the default endpoint; tells whether there was one. Safe to repeat."""
    endpoint = of_account(account).filter(is_default=True).select_for_update(no_key=True).first()
    if endpoint is not None:
        _remove(endpoint)
    return endpoint is not None


def _remove(endpoint: Endpoint) -> None:
    endpoint.removed_at = timezone.now()
    endpoint.enabled = False
    endpoint.secret_sealed = endpoint.previous_secret_sealed = endpoint.headers_sealed = ""
    endpoint.previous_secret_until = None
    endpoint.save()
    _skip(endpoint)


@transaction.atomic
def rotate_secret(account: Account, endpoint_id: uuid.UUID | None) -> tuple[Endpoint, Secret]:
    """Give an endpoint a new secret, shown here only; the old one signs along for ``OVERLAP``."""
    endpoint = find(account, endpoint_id, lock=True)
    endpoint.seal("previous_secret", endpoint.unseal("secret"))
    endpoint.previous_secret_until = timezone.now() + OVERLAP
    secret = signing.new_secret()
    endpoint.seal("secret", secret)
    endpoint.save(
        update_fields=["secret_sealed", "previous_secret_sealed", "previous_secret_until", "updated_at"]
    )
    return endpoint, secret
