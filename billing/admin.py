"""Django admin of billing: overrides, caps and quota adjustments, each with a reason and in the audit log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from billing import customers, entitlement
from billing.models import (
    AddOn,
    Adjustment,
    Customer,
    Dispute,
    QuotaPeriod,
    Subscription,
)
from core.errors import Invalid
from core.ui.admin_base import Ledger, Page


def _actor(request: HttpRequest) -> str:
    return request.user.get_username()


class CustomerForm(forms.ModelForm):
    """The rules of an override, told at the field that breaks them."""

    class Meta:
        model = Customer
        fields = ("account", "override_plan", "override_reason", "override_until", "monthly_messages")

    def clean(self) -> dict[str, Any]:
        """Ask the core; it knows the rules."""
        given = super().clean() or {}
        try:
            entitlement.check_override(
                plan=given.get("override_plan") or "",
                reason=given.get("override_reason") or "",
                until=given.get("override_until"),
            )
        except Invalid as refusal:
            for fault in refusal.fields:
                self.add_error(fault.field, fault.message)
        return given


@admin.register(Customer)
class CustomerAdmin(Page):
    """What an operator decides about one account: a plan for a time, an agreed cap."""

    form = CustomerForm
    list_display = ["account", "plan", "override_plan", "override_until", "monthly_messages", "stripe_id"]
    list_select_related = ["account"]
    list_filter = ["override_plan"]
    search_fields = ["account__name", "account__email", "stripe_id"]
    autocomplete_fields = ["account"]
    readonly_fields = ["plan", "granted_plan", "stripe_id", "synced_at"]
    show_full_result_count = False

    @admin.display(description="plan now")
    def plan(self, customer: Customer) -> str:
        """Return what all decisions and payments come to."""
        return customer.account.plan if customer.pk else "-"

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> list[str]:
        """Let nobody move the row to another account."""
        return [*self.readonly_fields, "account"] if obj else list(self.readonly_fields)

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        """Let the core write what was decided, with who did it."""
        customers.ensure(obj.account_id)
        changed = set(form.changed_data)
        if changed & {"override_plan", "override_reason", "override_until"}:
            entitlement.override(
                obj.account_id,
                plan=obj.override_plan,
                reason=obj.override_reason,
                until=obj.override_until,
                actor=_actor(request),
            )
        if "monthly_messages" in changed:
            entitlement.cap(obj.account_id, messages=obj.monthly_messages, actor=_actor(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It goes with its account."""
        return False


@admin.register(Adjustment)
class AdjustmentAdmin(Ledger):
    """Messages given or taken; a mistake is taken back, not deleted."""

    list_display = ["account", "messages", "reason", "actor", "starts_at", "ends_at", "revoked_at"]
    list_select_related = ["account"]
    search_fields = ["account__name", "account__email", "reason"]
    autocomplete_fields = ["account"]
    fields = ["account", "messages", "reason"]
    ordering = ["-starts_at"]
    actions = ["take_back"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """The one thing here that is made by hand."""
        return request.user.has_perm("billing.add_adjustment")

    def has_take_back_permission(self, request: HttpRequest) -> bool:
        """Who may give may take back."""
        return self.has_add_permission(request)

    def save_model(self, request: HttpRequest, obj: Adjustment, form: Any, change: bool) -> None:
        """Give the messages through the core."""
        try:
            made = entitlement.adjust(
                obj.account_id, messages=obj.messages, reason=obj.reason, actor=_actor(request)
            )
        except Invalid as refusal:
            self.message_user(request, refusal.fields[0].message, messages.ERROR)
            return
        obj.pk = made.pk

    @admin.action(description="Take the selected adjustments back", permissions=["take_back"])
    def take_back(self, request: HttpRequest, queryset: QuerySet[Adjustment]) -> None:
        """Undo them, each once."""
        undone = sum(entitlement.take_back(one, actor=_actor(request)) for one in queryset)
        self.message_user(request, f"{undone} taken back.")


@admin.register(Dispute)
class DisputeAdmin(Ledger):
    """Payments that banks took back; a lost one keeps its account on the free plan until peace is made."""

    list_display = ["account", "status", "reason", "payment", "fetched_at", "settled_at"]
    list_select_related = ["account"]
    list_filter = ["status"]
    search_fields = ["account__name", "account__email", "id", "payment"]
    actions = ["make_peace"]

    def has_make_peace_permission(self, request: HttpRequest) -> bool:
        """Operators who may change disputes."""
        return request.user.has_perm("billing.change_dispute")

    @admin.action(description="Let the selected disputes no longer count", permissions=["make_peace"])
    def make_peace(self, request: HttpRequest, queryset: QuerySet[Dispute]) -> None:
        """Settle them, each once."""
        settled = sum(entitlement.make_peace(one, actor=_actor(request)) for one in queryset)
        self.message_user(request, f"{settled} settled.")


@admin.register(Subscription)
class SubscriptionAdmin(Ledger):
    """Subscriptions as Stripe last described them."""

    list_display = [
        "account",
        "plan",
        "status",
        "period_end_at",
        "cancel_at",
        "past_due_since",
        "next_plan",
        "fetched_at",
    ]
    list_select_related = ["account"]
    list_filter = ["status", "plan"]
    search_fields = ["account__name", "account__email", "id"]


@admin.register(AddOn)
class AddOnAdmin(Ledger):
    """What was bought besides a plan."""

    list_display = ["account", "code", "quantity", "starts_at", "ends_at", "revoked_at"]
    list_select_related = ["account"]
    list_filter = ["code"]
    search_fields = ["account__name", "account__email", "session", "payment"]


@admin.register(QuotaPeriod)
class QuotaPeriodAdmin(Ledger):
    """Billing periods; the use of the running one is in GET /billing/usage."""

    list_display = ["account", "starts_at", "ends_at", "limit", "used", "warned"]
    list_select_related = ["account"]
    search_fields = ["account__name", "account__email"]
    ordering = ["-ends_at"]
