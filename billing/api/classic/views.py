"""Classic API views of billing: checkout, portal, usage."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import SEND, KeyView
from accounts.authentication import caller, key_of
from accounts.models import ApiKey
from billing import checkout
from billing.api.classic import schemas
from billing.overview import PlanOverview, overview
from core.errors import Refusal
from core.http.classic import ok, when
from core.http.fields import Fields
from core.http.openapi import answers
from core.http.wire import body_of

LONGEST_WORD = 100


class Checkout(KeyView):
    """``POST /billing/checkout``."""

    live_only = True

    @extend_schema(
        operation_id="beginCheckout",
        summary="Subscribe, change the plan, or buy an add-on",
        tags=["Billing"],
        request=schemas.CheckoutBody,
        responses=answers(200, schemas.CheckoutPage, 409, 429),
        examples=[
            OpenApiExample("Subscribe", {"plan": "pro"}, request_only=True),
            OpenApiExample("More messages", {"addOn": "messages_5000"}, request_only=True),
        ],
    )
    def post(self, request: Request) -> Response:
        """Returns the address of Stripe's page. The plan changes when Stripe confirms the payment.

        Without a subscription the page sells one. With one it confirms the change: an upgrade counts at
        once and Stripe prorates it, a downgrade at the end of the period.
        """
        fields = Fields(body_of(request))
        add_on = fields.text("addOn", longest=LONGEST_WORD)
        plan = fields.text("plan", required=add_on is None and not fields.faults, longest=LONGEST_WORD)
        if plan and add_on:
            fields.fault("addOn", "Send plan or addOn, not both.")
        fields.done()
        account = caller(request)
        page = checkout.begin_plan(account, plan) if plan else checkout.begin_add_on(account, add_on or "")
        return ok({"url": page.url} | ({"warning": page.warning} if page.warning else {}))


class Portal(KeyView):
    """``GET /billing/portal``."""

    @extend_schema(
        operation_id="getBillingPortal",
        summary="Manage the subscription",
        tags=["Billing"],
        responses=answers(200, schemas.PortalPage, 404, 429, body=False),
    )
    def get(self, request: Request) -> Response:
        """Returns the address of Stripe's page with subscription, invoices and cancellation."""
        if key_of(request).kind == ApiKey.Kind.SK_TEST:
            # Whoever has the address can cancel; that is no simulation.
            raise Refusal("insufficient_scope", "A test key cannot manage the subscription. Use a live one.")
        return ok({"url": checkout.portal(caller(request)).url})


class Usage(KeyView):
    """``GET /billing/usage``."""

    scope = SEND

    @extend_schema(
        operation_id="getUsage",
        summary="Plan and use",
        tags=["Billing"],
        responses=answers(200, schemas.UsageState, 429, body=False),
    )
    def get(self, request: Request) -> Response:
        """Messages and agents used of those the plan has, add-ons, and the state of the subscription."""
        return ok(shown(overview(caller(request))))


def shown(found: PlanOverview) -> dict[str, Any]:
    """Write an overview as customers read it."""
    usage, subscription = found.usage, found.subscription
    return {
        "plan": found.plan,
        "period": {"start": when(usage.starts_at), "end": when(usage.ends_at)},
        "messages": {
            "used": usage.used,
            "limit": usage.limit,
            "remaining": usage.remaining,
            "extra": found.adjustments + sum(one.messages for one in found.add_ons),
        },
        "agents": {"used": found.agents_used, "limit": found.agents_limit},
        "addOns": [
            {"addOn": one.code, "quantity": one.quantity, "expiresAt": when(one.ends_at)}
            for one in found.add_ons
        ],
        "subscription": None
        if subscription is None
        else {
            "status": subscription.status,
            "plan": subscription.plan or None,
            "currentPeriodEnd": when(subscription.period_end_at),
            "cancelAt": when(subscription.cancel_at),
            "graceUntil": when(found.grace_until),
            "nextPlan": found.next_plan,
            "nextPlanAt": when(found.next_plan_at),
        },
        "notice": found.banner or None,
    }
