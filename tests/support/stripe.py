"""Stripe as the tests see it: a stand-in, and somebody who carries its events as told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from django.test import Client

from accounts.models import Account
from billing import checkout
from billing.models import Customer
from devstack.stripe import clock, seed
from devstack.stripe.server import StandInThread
from devstack.stripe.wire import Object, signature
from webhooks.incoming import stripe_events

PATH = "/webhooks/stripe"


class Stripe:
    """The stand-in as a test speaks to it; its events wait in ``world`` until they are carried."""

    def __init__(self, running: StandInThread) -> None:
        self._running = running
        self.world = running.world

    def begin(self, settings: Any) -> None:
        """Start with nothing in it, and with settings that lead to it."""
        for table in self.world.tables.values():
            table.clear()
        self.world.fault, self.world.offset = None, 0.0
        for name, value in seed.SETTINGS.items():
            setattr(settings, name, value)
        settings.STRIPE_ADD_ON_PRICES = {
            code: f"price_{code}" for code in ("messages_1000", "messages_5000", "messages_10000", "agent")
        }
        settings.STRIPE_API_BASE = self._running.url

    def do(self, action: Any, *given: Any, **named: Any) -> Any:
        """Call something of the world inside its own thread."""
        return self._running.run(action, *given, **named)

    def advance(self, seconds: float) -> None:
        """Move its clock."""
        self.do(clock.advance, self.world, seconds)

    @property
    def events(self) -> list[Object]:
        """Everything it has told, in order."""
        return list(self.world.tables["events"].values())

    def last(self, kind: str) -> Object:
        """Return the latest event of a type."""
        return [event for event in self.events if event["type"] == kind][-1]

    def send(self, event: Object, *, secret: str = seed.WEBHOOK_SECRET, at: int | None = None) -> Any:
        """Carry one event to the service's endpoint."""
        return self.send_bytes(json.dumps(event).encode(), secret=secret, at=at)

    def send_bytes(self, raw: bytes, *, secret: str = seed.WEBHOOK_SECRET, at: int | None = None) -> Any:
        """Carry bytes that Stripe has signed to the service's endpoint."""
        signed = signature(raw, [secret], int(time.time()) if at is None else at)
        return Client().generic(
            "POST", PATH, raw, content_type="application/json", HTTP_STRIPE_SIGNATURE=signed
        )

    def carry(self, some: Iterable[Object] | None = None) -> None:
        """Carry events (by default all) and let the worker work."""
        for event in self.events if some is None else some:
            assert self.send(event).status_code == 200
        stripe_events.drain()

    def customer(self, account: Account) -> str:
        """Return the account's customer, made on the usual way."""
        return checkout.customer_of(account)

    def session_of(self, url: str) -> str:
        """Return the id of a checkout from its address."""
        return url.rsplit("/", 1)[1]

    def subscribe(self, account: Account, plan: str = "pro") -> Object:
        """Let the account buy a plan on the usual way; its events are not carried."""
        page = checkout.begin_plan(account, plan)
        self.do(self.world.pay, self.session_of(page.url))
        return self.subscription(account)

    def subscription(self, account: Account) -> Object:
        """Return the account's latest subscription, the object itself."""
        ident = Customer.objects.get(pk=account.pk).stripe_id
        return self.world.subscriptions_of(str(ident))[-1]
