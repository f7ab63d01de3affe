"""OpenAPI shapes of billing in the classic API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.plans import ADD_ONS, SELF_SERVICE, Plan

PLANS = [str(plan) for plan in Plan]
SOLD_PLANS = [str(plan) for plan in SELF_SERVICE]


class CheckoutBody(serializers.Serializer[Any]):
    """Either ``plan`` or ``addOn``."""

    plan = serializers.ChoiceField(
        choices=SOLD_PLANS,
        required=False,
        help_text="What to subscribe to or change to. Enterprise is arranged with sales.",
    )
    addOn = serializers.ChoiceField(
        choices=list(ADD_ONS),
        required=False,
        help_text="Bought once; lasts until the end of the billing period. Several add up.",
    )


class CheckoutPage(serializers.Serializer[Any]):
    """Where to go."""

    url = serializers.URLField(help_text="Stripe's page; open it in a browser.")
    warning = serializers.CharField(
        required=False, help_text="Only when more was used in this period than the new plan has."
    )


class PortalPage(serializers.Serializer[Any]):
    """Where to go."""

    url = serializers.URLField(help_text="Stripe's page with subscription, invoices and cancellation.")


class Period(serializers.Serializer[Any]):
    """A billing period."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()


class MessagesUsed(serializers.Serializer[Any]):
    """Messages of the period; null: no limit."""

    used = serializers.IntegerField()
    limit = serializers.IntegerField(allow_null=True)
    remaining = serializers.IntegerField(allow_null=True)
    extra = serializers.IntegerField(help_text="What add-ons and corrections add to the plan's own number.")


class AgentsUsed(serializers.Serializer[Any]):
    """Agents; null: no limit."""

    used = serializers.IntegerField()
    limit = serializers.IntegerField(allow_null=True)


class BoughtAddOn(serializers.Serializer[Any]):
    """Something extra until the end of the period."""

    addOn = serializers.ChoiceField(choices=list(ADD_ONS))
    quantity = serializers.IntegerField()
    expiresAt = serializers.DateTimeField()


class SubscriptionState(serializers.Serializer[Any]):
    """The subscription as Stripe last described it."""

    status = serializers.CharField()
    plan = serializers.ChoiceField(choices=PLANS, allow_null=True)
    currentPeriodEnd = serializers.DateTimeField(allow_null=True)
    cancelAt = serializers.DateTimeField(allow_null=True)
    graceUntil = serializers.DateTimeField(
        allow_null=True, help_text="Until when the plan stays although a payment is missing."
    )
    nextPlan = serializers.ChoiceField(
        choices=PLANS, allow_null=True, help_text="What the plan changes to by itself: a scheduled downgrade."
    )
    nextPlanAt = serializers.DateTimeField(allow_null=True, help_text="When it does.")


class UsageState(serializers.Serializer[Any]):
    """Plan, subscription and use."""

    plan = serializers.ChoiceField(choices=PLANS)
    period = Period()
    messages = MessagesUsed()
    agents = AgentsUsed()
    addOns = BoughtAddOn(many=True)
    subscription = SubscriptionState(allow_null=True)
    notice = serializers.CharField(allow_null=True, help_text="A sentence to show; null when all is well.")
