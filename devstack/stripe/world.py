"""The stand-in's state: customers, checkouts, subscriptions, payments, events, and a clock of its own.

Everything is plain JSON, so that it can be written to a file and is there again after a restart.
"""

from __future__ import annotations

import copy
import json
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import seed
from .objects import month_later, price, public
from .wire import Object, StripeError, missing

API_VERSION = "2026-10-28.endive"
DAY = 86_400
EVENTS_KEPT = 2_000
TABLES = ("customers", "sessions", "portals", "subscriptions", "charges", "disputes", "events", "replays")


class World:
    """All that the stand-in knows. Not thread-safe: it belongs to one event loop, or to one test."""

    def __init__(self, webhook_url: str = "", state: Path | None = None) -> None:
        self.webhook_url = webhook_url
        self.base_url = "http://127.0.0.1:9001"
        self.api_key = seed.SECRET_KEY
        self.webhook_secrets = [seed.WEBHOOK_SECRET]
        #: an HTTP status that every API call gets instead of its answer
        self.fault: int | None = None
        self.on_event: Callable[[Object], None] = lambda event: None
        self.offset = 0.0
        self.tables: dict[str, dict[str, Object]] = {name: {} for name in TABLES}
        self._file = state
        self._load()

    # --- file

    def _load(self) -> None:
        if self._file is None:
            return
        try:
            kept = json.loads(self._file.read_text())
        except (OSError, ValueError):
            return
        self.offset = float(kept.get("offset", 0))
        for name in TABLES:
            self.tables[name] = kept.get(name, {})

    def save(self) -> None:
        """Write everything to the file, if there is one."""
        if self._file is None:
            return
        fresh = self._file.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"offset": self.offset, **self.tables}, file)
        fresh.replace(self._file)

    # --- objects

    def now(self) -> int:
        """The stand-in's present, in Unix seconds."""
        return int(time.time() + self.offset)

    def get(self, table: str, ident: str, *, status: int = 404, param: str = "id") -> Object:
        """Return an object, or raise Stripe's "No such …"."""
        found = self.tables[table].get(ident)
        if found is None:
            raise missing(table.removesuffix("s"), ident, status=status, param=param)
        return found

    def _add(self, table: str, prefix: str, kind: str, **members: Any) -> Object:
        made: Object = {
            "id": f"{prefix}_{secrets.token_hex(9)}",
            "object": kind,
            "created": self.now(),
            "livemode": False,
            **members,
        }
        self.tables[table][made["id"]] = made
        return made

    def emit(self, kind: str, about: Object) -> Object:
        """Record an event with a copy of what it is about, and hand it to the courier."""
        event = self._add(
            "events",
            "evt",
            "event",
            api_version=API_VERSION,
            type=kind,
            data={"object": copy.deepcopy(public(about))},
            pending_webhooks=1,
            request={"id": None, "idempotency_key": None},
        )
        events = self.tables["events"]
        while len(events) > EVENTS_KEPT:
            del events[next(iter(events))]
        self.on_event(event)
        return event

    # --- customers

    def create_customer(self, params: Object) -> Object:
        """``POST /v1/customers``."""
        made = self._add(
            "customers",
            "cus",
            "customer",
            name=params.get("name"),
            email=params.get("email"),
            metadata=params.get("metadata") or {},
            currency=None,
            delinquent=False,
            _card_works=True,
        )
        self.emit("customer.created", made)
        return made

    def delete_customer(self, ident: str) -> Object:
        """``DELETE /v1/customers/{id}``: its subscriptions end at once."""
        customer = self.customer(ident)
        for one in self.subscriptions_of(ident):
            if one["status"] not in ("canceled", "incomplete_expired"):
                self.end(one)
        self.emit("customer.deleted", customer)
        self.tables["customers"][ident] = {"id": ident, "object": "customer", "deleted": True}
        return self.tables["customers"][ident]

    def customer(self, ident: str, *, param: str = "id") -> Object:
        """Return a customer that is not deleted."""
        found = self.get("customers", ident, status=404 if param == "id" else 400, param=param)
        if found.get("deleted"):
            raise missing("customer", ident, status=404 if param == "id" else 400, param=param)
        return found

    def subscriptions_of(self, customer: str) -> list[Object]:
        """Return a customer's subscriptions, oldest first."""
        return [one for one in self.tables["subscriptions"].values() if one["customer"] == customer]

    # --- checkout

    def create_session(self, params: Object) -> Object:
        """``POST /v1/checkout/sessions``."""
        mode = params.get("mode")
        if mode not in ("payment", "subscription"):
            raise StripeError(400, "Invalid mode", param="mode")
        self.customer(params.get("customer", ""), param="customer")
        lines = params.get("line_items") or []
        if not lines:
            raise StripeError(400, "line_items is required", code="parameter_missing", param="line_items")
        priced = [(price(line["price"]), int(line.get("quantity", 1))) for line in lines]
        if any((one["recurring"] is not None) != (mode == "subscription") for one, _ in priced):
            raise StripeError(400, "The prices do not fit the mode.", param="line_items")
        made = self._add(
            "sessions",
            "cs_test",
            "checkout.session",
            mode=mode,
            customer=params["customer"],
            client_reference_id=params.get("client_reference_id"),
            success_url=params.get("success_url"),
            cancel_url=params.get("cancel_url"),
            metadata=params.get("metadata") or {},
            status="open",
            payment_status="unpaid",
            payment_intent=None,
            subscription=None,
            expires_at=self.now() + DAY,
            amount_total=sum(one["unit_amount"] * count for one, count in priced),
            currency="eur",
            _lines=[{"price": one["id"], "quantity": count} for one, count in priced],
            _metadata=(params.get("subscription_data") or {}).get("metadata") or {},
        )
        made["url"] = f"{self.base_url}/c/pay/{made['id']}"
        return made

    def expire_session(self, ident: str) -> Object:
        """``POST /v1/checkout/sessions/{id}/expire``."""
        found = self.get("sessions", ident)
        if found["status"] != "open":
            raise StripeError(400, "Only Checkout Sessions with a status in [open] can be expired.")
        found.update(status="expired", url=None)
        self.emit("checkout.session.expired", found)
        return found

    def pay(self, ident: str) -> Object:
        """The customer pays on the checkout page."""
        session = self._open(ident)
        if session["mode"] == "payment":
            charge = self._charge(session["customer"], session["amount_total"])
            session["payment_intent"] = charge["payment_intent"]
        else:
            line = session["_lines"][0]
            made = self.begin_subscription(session["customer"], line["price"], session["_metadata"])
            session["subscription"] = made["id"]
        session.update(status="complete", payment_status="paid", url=None)
        self.emit("checkout.session.completed", session)
        return session

    def decline(self, ident: str) -> Object:
        """The bank says no; the page stays open for another card."""
        session = self._open(ident)
        self.emit(
            "payment_intent.payment_failed",
            {"id": "pi_declined", "object": "payment_intent", "customer": session["customer"]},
        )
        return session

    def _open(self, ident: str) -> Object:
        session = self.get("sessions", ident)
        if session["status"] == "open" and session["expires_at"] <= self.now():
            self.expire_session(ident)
        if session["status"] != "open":
            raise StripeError(400, f"This checkout is {session['status']}.")
        self.customer(session["customer"])
        return session

    def _charge(self, customer: str, amount: int) -> Object:
        made = self._add(
            "charges",
            "ch",
            "charge",
            customer=customer,
            amount=amount,
            amount_refunded=0,
            currency="eur",
            paid=True,
            refunded=False,
            disputed=False,
            status="succeeded",
            payment_intent=f"pi_{secrets.token_hex(9)}",
        )
        self.emit("charge.succeeded", made)
        return made

    # --- subscriptions

    def begin_subscription(self, customer: str, price_id: str, metadata: Object | None = None) -> Object:
        """Begin a subscription whose first invoice is paid."""
        now = self.now()
        made = self._add(
            "subscriptions",
            "sub",
            "subscription",
            customer=customer,
            status="active",
            metadata=metadata or {},
            cancel_at=None,
            cancel_at_period_end=False,
            canceled_at=None,
            ended_at=None,
            start_date=now,
            collection_method="charge_automatically",
            currency="eur",
            schedule=None,
            latest_invoice=None,
            _anchor=datetime.fromtimestamp(now, UTC).day,
            _next_price=None,
            _tries=0,
            _try_at=None,
        )
        item = {
            "id": f"si_{secrets.token_hex(7)}",
            "object": "subscription_item",
            "created": now,
            "metadata": {},
            "subscription": made["id"],
            "quantity": 1,
            "price": price(price_id),
            "current_period_start": now,
            "current_period_end": month_later(now, made["_anchor"]),
        }
        url = f"/v1/subscription_items?subscription={made['id']}"
        made["items"] = {"object": "list", "data": [item], "has_more": False, "url": url}
        self.emit("customer.subscription.created", made)
        self.invoice(made, paid=True)
        return made

    def invoice(self, subscription: Object, *, paid: bool, amount: int | None = None) -> None:
        """Make an invoice, paid or not; of the whole period unless another amount is given."""
        due: int = subscription["items"]["data"][0]["price"]["unit_amount"] if amount is None else amount
        if paid:
            self._charge(subscription["customer"], due)
        invoice = {
            "id": f"in_{secrets.token_hex(9)}",
            "object": "invoice",
            "customer": subscription["customer"],
            "status": "paid" if paid else "open",
            "amount_due": due,
            "currency": "eur",
            "livemode": False,
            "parent": {
                "type": "subscription_details",
                "subscription_details": {"subscription": subscription["id"]},
            },
        }
        subscription["latest_invoice"] = invoice["id"]
        self.emit("invoice.paid" if paid else "invoice.payment_failed", invoice)

    def change_price(self, ident: str, price_id: str) -> Object:
        """Confirm another price in the portal: dearer at once and prorated, cheaper at the period's end."""
        found = self.get("subscriptions", ident)
        item, wanted = found["items"]["data"][0], price(price_id)
        if wanted["unit_amount"] >= item["price"]["unit_amount"]:
            start, end = item["current_period_start"], item["current_period_end"]
            left = max(0.0, (end - self.now()) / (end - start))
            more = round((wanted["unit_amount"] - item["price"]["unit_amount"]) * left)
            item["price"], found["_next_price"], found["schedule"] = wanted, None, None
            self.invoice(found, paid=True, amount=more)
        else:
            found["_next_price"], found["schedule"] = price_id, f"sub_sched_{secrets.token_hex(7)}"
        self.emit("customer.subscription.updated", found)
        return found

    def cancel_later(self, ident: str, *, wanted: bool = True) -> Object:
        """Cancel at the end of the period, or change one's mind."""
        found = self.get("subscriptions", ident)
        end = found["items"]["data"][0]["current_period_end"]
        found.update(
            cancel_at_period_end=wanted,
            cancel_at=end if wanted else None,
            canceled_at=self.now() if wanted else None,
        )
        self.emit("customer.subscription.updated", found)
        return found

    def end(self, subscription: Object) -> None:
        """End a subscription now."""
        now = self.now()
        subscription.update(status="canceled", ended_at=now, canceled_at=subscription["canceled_at"] or now)
        self.emit("customer.subscription.deleted", subscription)

    def pay_overdue(self, ident: str) -> Object:
        """Pay the open invoice with a card that works."""
        found = self.get("subscriptions", ident)
        self.tables["customers"][found["customer"]]["_card_works"] = True
        found.update(status="active", _tries=0, _try_at=None)
        self.invoice(found, paid=True)
        self.emit("customer.subscription.updated", found)
        return found

    # --- money that goes back

    def refund(self, charge_id: str) -> Object:
        """Give a payment back whole."""
        found = self.get("charges", charge_id)
        found.update(refunded=True, amount_refunded=found["amount"])
        self.emit("charge.refunded", found)
        return found

    def dispute(self, charge_id: str) -> Object:
        """The customer's bank takes a payment back."""
        charge = self.get("charges", charge_id)
        charge["disputed"] = True
        made = self._add(
            "disputes",
            "du",
            "dispute",
            charge=charge_id,
            payment_intent=charge["payment_intent"],
            amount=charge["amount"],
            currency="eur",
            reason="fraudulent",
            status="needs_response",
        )
        self.emit("charge.dispute.created", made)
        return made

    def close_dispute(self, ident: str, status: str) -> Object:
        """Decide a dispute: ``won`` or ``lost``."""
        found = self.get("disputes", ident)
        found["status"] = status
        self.emit("charge.dispute.closed", found)
        return found

    # --- portal

    def create_portal(self, params: Object) -> Object:
        """``POST /v1/billing_portal/sessions``."""
        self.customer(params.get("customer", ""), param="customer")
        flow = params.get("flow_data")
        if flow is not None:
            update = flow.get("subscription_update_confirm") or {}
            if flow.get("type") != "subscription_update_confirm" or not update.get("items"):
                raise StripeError(400, "Only subscription_update_confirm is played here.", param="flow_data")
            found = self.get("subscriptions", update.get("subscription", ""), status=400, param="flow_data")
            item = update["items"][0]
            if found["customer"] != params["customer"] or found["items"]["data"][0]["id"] != item.get("id"):
                raise StripeError(400, "The item does not belong to the subscription.", param="flow_data")
            price(item.get("price", ""))
        made = self._add(
            "portals",
            "bps",
            "billing_portal.session",
            customer=params["customer"],
            return_url=params.get("return_url"),
            flow=flow,
            configuration="bpc_local",
            locale=None,
            on_behalf_of=None,
        )
        made["url"] = f"{self.base_url}/p/session/{made['id']}"
        return made
