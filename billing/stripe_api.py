"""Stripe's API: what we ask of it, and its answers in our words. The only importer of stripe.

Never called inside a transaction. Failures are three: ``Unavailable`` (it may work later), ``Missing``
(there is no such thing) and ``Rejected`` (the request is wrong, which is a fault of ours or of the set-up).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from django.conf import settings

if TYPE_CHECKING:
    from stripe import StripeClient

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 3.05
#: a checkout is created in well under a second; a web thread must not wait for a minute
READ_SECONDS = 10
RETRIES = 1
PAGE = 100

T = TypeVar("T")


class Unavailable(Exception):
    """Stripe did not answer, or not now."""


class Missing(Exception):
    """Stripe knows no such object."""


class Rejected(Exception):
    """Stripe refuses the request as such."""


@dataclass(frozen=True, slots=True)
class SeenSubscription:
    """A subscription as Stripe describes it now."""

    id: str
    customer: str
    status: str
    item: str
    price: str
    period_start_at: datetime | None
    period_end_at: datetime | None
    cancel_at: datetime | None
    #: the price it changes to by itself, as a downgrade does, and when
    next_price: str = ""
    next_price_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeenSession:
    """A checkout as Stripe describes it now; ``prices`` are (price, quantity) of its lines."""

    id: str
    customer: str
    mode: str
    paid: bool
    payment: str
    prices: Sequence[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class SeenCharge:
    """A payment as Stripe describes it now."""

    customer: str
    payment: str
    refunded: bool


@dataclass(frozen=True, slots=True)
class SeenDispute:
    """A disputed payment as Stripe describes it now."""

    id: str
    customer: str
    payment: str
    status: str
    reason: str


def configured() -> bool:
    """Tell whether billing is set up."""
    return bool(settings.STRIPE_SECRET_KEY)


def livemode() -> bool:
    """Tell whether the key moves real money: events of the other mode are not ours."""
    return str(settings.STRIPE_SECRET_KEY).startswith(("sk_live_", "rk_live_"))


@lru_cache(maxsize=4)
def _client_of(key: str, base: str, retries: int) -> StripeClient:
    # Here and not above: the library takes a third of a second to load, and few processes need it.
    import stripe

    return stripe.StripeClient(
        key,
        base_addresses={"api": base} if base else None,
        max_network_retries=retries,
        http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, READ_SECONDS)),
    )


def _ask(call: Callable[[Any], T]) -> T:
    """Make one call with ``client.v1``; Stripe's errors become ours, without what was sent."""
    import stripe

    try:
        return call(_client_of(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, RETRIES).v1)
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        # Nothing that a customer did: as long as the key is wrong, billing is down.
        log.error("Stripe refuses our key", code=error.code, status=error.http_status)
        raise Unavailable("Stripe refuses our key") from None
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing" or error.http_status == 404:
            raise Missing(str(error.param or "resource_missing")) from None
        log.error("Stripe rejects a request", code=error.code, param=error.param, said=error.user_message)
        raise Rejected(str(error.code or error.user_message)) from None
    except stripe.StripeError as error:
        raise Unavailable(f"{type(error).__name__} {error.http_status or ''}".strip()) from None


# --- customers


def create_customer(*, account_id: str, name: str, email: str, key: str) -> str:
    """Create a Stripe customer and return its id; the same ``key`` within a day gives the same customer."""
    params = {"name": name, "email": email, "metadata": {"account": account_id}}
    return str(_ask(lambda v1: v1.customers.create(params, {"idempotency_key": key})).id)


def customer_exists(customer: str) -> bool:
    """Tell whether a customer is still there; a deleted one is not."""
    try:
        found = _ask(lambda v1: v1.customers.retrieve(customer))
    except Missing:
        return False
    return not getattr(found, "deleted", False)


# --- subscriptions

#: a change at the end of the period stands in the subscription's schedule
_SCHEDULES = ["data.schedule"]


def subscriptions_of(customer: str) -> list[SeenSubscription]:
    """Return all of a customer's subscriptions, ended ones too. Raises ``Missing``."""
    params = {"customer": customer, "status": "all", "limit": PAGE, "expand": _SCHEDULES}

    def every(v1: Any) -> list[SeenSubscription]:
        return [_subscription(one) for one in v1.subscriptions.list(params).auto_paging_iter()]

    return _ask(every)


def all_subscriptions() -> list[SeenSubscription]:
    """Return every subscription that has not ended, of every customer."""

    def every(v1: Any) -> list[SeenSubscription]:
        params = {"limit": PAGE, "expand": _SCHEDULES}
        return [_subscription(one) for one in v1.subscriptions.list(params).auto_paging_iter()]

    return _ask(every)


def cancel_subscription(subscription: str) -> None:
    """End a subscription at once; one that has ended is left alone."""
    with contextlib.suppress(Missing, Rejected):
        _ask(lambda v1: v1.subscriptions.cancel(subscription))


def _subscription(found: Any) -> SeenSubscription:
    data = _plain(found)
    items = data["items"]["data"]
    item = items[0] if items else {}
    ends = _moment(item.get("current_period_end"))
    cancel_at = _moment(data.get("cancel_at")) or (ends if data.get("cancel_at_period_end") else None)
    price = _id(item.get("price"))
    next_price, next_price_at = _next_price(data.get("schedule"), price)
    return SeenSubscription(
        id=data["id"],
        customer=_id(data["customer"]),
        status=data["status"],
        item=item.get("id", ""),
        price=price,
        period_start_at=_moment(item.get("current_period_start")),
        period_end_at=ends,
        cancel_at=cancel_at,
        next_price=next_price,
        next_price_at=next_price_at,
    )


def _next_price(schedule: Any, price: str) -> tuple[str, datetime | None]:
    """Return the other price that an expanded schedule changes to next, and when; nothing without one."""
    if not isinstance(schedule, Mapping) or schedule.get("status") not in ("active", "not_started"):
        return "", None
    coming = [phase for phase in schedule.get("phases") or [] if phase["start_date"] > time.time()]
    for phase in sorted(coming, key=lambda one: int(one["start_date"])):
        items = phase.get("items") or [{}]
        wanted = _id(items[0].get("price"))
        if wanted and wanted != price:
            return wanted, _moment(phase["start_date"])
    return "", None


# --- checkout and portal


def create_checkout(
    *, customer: str, price: str, subscription: bool, account_id: str, done_url: str, back_url: str, key: str
) -> tuple[str, str]:
    """Open a checkout page for one price; returns its id and address."""
    marked = {"account": account_id}
    params: dict[str, Any] = {
        "mode": "subscription" if subscription else "payment",
        "customer": customer,
        "client_reference_id": account_id,
        "line_items": [{"price": price, "quantity": 1}],
        "success_url": done_url,
        "cancel_url": back_url,
        "metadata": marked,
    }
    params |= (
        {"subscription_data": {"metadata": marked}}
        if subscription
        else {"payment_intent_data": {"metadata": marked}}
    )
    made = _ask(lambda v1: v1.checkout.sessions.create(params, {"idempotency_key": key}))
    return str(made.id), str(made.url)


def expire_checkout(session: str) -> None:
    """Close a checkout that is still open; one that is not is left alone."""
    with contextlib.suppress(Missing, Rejected):
        _ask(lambda v1: v1.checkout.sessions.expire(session))


def session(ident: str) -> SeenSession:
    """Return a checkout with its lines. Raises ``Missing``."""
    params = {"expand": ["line_items"]}
    return _session(_ask(lambda v1: v1.checkout.sessions.retrieve(ident, params)))


def completed_sessions(since: datetime) -> Iterator[SeenSession]:
    """Return the checkouts completed of those begun ``since``, newest first."""
    params = {
        "status": "complete",
        "created": {"gte": int(since.timestamp())},
        "limit": PAGE,
        "expand": ["data.line_items"],
    }

    def every(v1: Any) -> list[SeenSession]:
        return [_session(one) for one in v1.checkout.sessions.list(params).auto_paging_iter()]

    yield from _ask(every)


def _session(found: Any) -> SeenSession:
    data = _plain(found)
    lines = (data.get("line_items") or {}).get("data") or []
    return SeenSession(
        id=data["id"],
        customer=_id(data.get("customer")),
        mode=data["mode"],
        paid=data["payment_status"] in ("paid", "no_payment_required"),
        payment=_id(data.get("payment_intent")),
        prices=[(_id(line.get("price")), int(line.get("quantity") or 1)) for line in lines],
    )


def create_portal(*, customer: str, back_url: str, change: tuple[str, str, str] | None = None) -> str:
    """Open the customer portal and return its address.

    ``change`` (subscription, its item, new price): straight to the page that confirms this change. Raises
    ``Missing`` for a deleted customer.
    """
    params: dict[str, Any] = {"customer": customer, "return_url": back_url}
    if change is not None:
        subscription, item, price = change
        params["flow_data"] = {
            "type": "subscription_update_confirm",
            "subscription_update_confirm": {
                "subscription": subscription,
                "items": [{"id": item, "price": price, "quantity": 1}],
            },
            "after_completion": {"type": "redirect", "redirect": {"return_url": back_url}},
        }
    return str(_ask(lambda v1: v1.billing_portal.sessions.create(params)).url)


# --- payments that went wrong later


def charge(ident: str) -> SeenCharge:
    """Return a payment. Raises ``Missing``."""
    data = _plain(_ask(lambda v1: v1.charges.retrieve(ident)))
    return SeenCharge(_id(data.get("customer")), _id(data.get("payment_intent")), bool(data.get("refunded")))


def refunded(payment: str) -> bool:
    """Tell whether the money of a payment went back whole."""
    params = {"payment_intent": payment, "limit": PAGE}

    def charges(v1: Any) -> list[dict[str, Any]]:
        return [_plain(one) for one in v1.charges.list(params).auto_paging_iter()]

    return any(one.get("refunded") for one in _ask(charges))


def dispute(ident: str) -> SeenDispute:
    """Return a disputed payment with its customer. Raises ``Missing``."""
    data = _plain(_ask(lambda v1: v1.disputes.retrieve(ident, {"expand": ["charge"]})))
    charged = data.get("charge")
    customer = _id(charged.get("customer")) if isinstance(charged, Mapping) else ""
    return SeenDispute(
        data["id"], customer, _id(data.get("payment_intent")), data["status"], data.get("reason") or ""
    )


# --- reading


def _plain(found: Any) -> dict[str, Any]:
    """Return a Stripe object as plain dicts (since version 16 it is none)."""
    data: dict[str, Any] = found.to_dict()
    return data


def _id(value: Any) -> str:
    """Return the id of a member that may be an id, an expanded object or nothing."""
    if isinstance(value, Mapping):
        value = value.get("id")
    return str(value or "")


def _moment(seconds: Any) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
