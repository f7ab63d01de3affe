"""Stripe's events: what one makes us ask Stripe, and how its answer is applied.

An event's own content is never applied. It names a customer, a checkout or a payment; that is fetched from
Stripe. Where events are kept until then is the inbox's matter (``webhooks.incoming``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from billing import stripe_api, subscriptions
from billing.models import Customer
from core.json_signed import Unreadable, read_signed

log = structlog.get_logger(__name__)

#: what may change something that we keep; other types ask nothing
WATCHED = ("customer.", "checkout.session.", "invoice.", "charge.", "subscription_schedule.")
MAX_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Event:
    """What is read of an event."""

    id: str
    type: str
    #: None: it does not say
    livemode: bool | None
    #: what to ask about: the customer, and the object itself where the customer is not enough
    customer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Question:
    """What an event makes us ask; questions about the same are the same."""

    about: str
    _ask: Callable[[], None]

    def ask(self) -> None:
        """Ask Stripe and apply the answer. Raises ``stripe_api.Unavailable``."""
        try:
            self._ask()
        except stripe_api.Missing:
            log.warning("an event speaks of something that Stripe does not know", about=self.about)


def read(raw: bytes) -> Event:
    """Read what Stripe has signed. Raises ``Unreadable``: it is no event with an id and a type.

    Nothing else in it, and no style of writing it, is a fault.
    """
    value = read_signed(raw, max_values=MAX_VALUES)
    if not isinstance(value, Mapping):
        raise Unreadable("not an object")
    ident, kind, mode = value.get("id"), value.get("type"), value.get("livemode")
    if not (isinstance(ident, str) and ident and isinstance(kind, str) and kind):
        raise Unreadable("not an event with an id and a type")
    data = value.get("data")
    about = data.get("object") if isinstance(data, Mapping) else None
    about = about if isinstance(about, Mapping) else {}
    customer = about.get("id") if about.get("object") == "customer" else about.get("customer")
    return Event(
        id=ident,
        type=kind,
        livemode=mode if isinstance(mode, bool) else None,
        customer=_id(customer),
        subject=_id(about.get("id")),
    )


def question(event: Event) -> Question | None:
    """Return what an event makes us ask; None: nothing.

    Raises ``Unreadable`` when it does not say about whom.
    """
    if not event.type.startswith(WATCHED):
        return None
    about, ask = event.subject, partial(_sync, event.customer)
    if event.type.startswith("charge.dispute."):
        ask = partial(_dispute, event.subject)
    elif event.type.startswith("charge."):
        ask = partial(_charge, event.subject)
    elif event.type.startswith("checkout.session."):
        ask = partial(_session, event.subject, event.customer)
    else:
        about = event.customer
    if not about:
        raise Unreadable(f"{event.type[:100]} names nothing that we could ask about")
    return Question(about, ask)


def _dispute(ident: str) -> None:
    subscriptions.apply_dispute(stripe_api.dispute(ident))


def _charge(ident: str) -> None:
    subscriptions.apply_charge(stripe_api.charge(ident))


def _session(ident: str, customer: str) -> None:
    subscriptions.apply_session(stripe_api.session(ident))
    _sync(customer)


def _sync(customer: str) -> None:
    owner = Customer.objects.filter(stripe_id=customer).values_list("pk", flat=True).first()
    if customer and owner is not None:
        subscriptions.sync(owner)


def _id(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("id")
    return value if isinstance(value, str) else ""
