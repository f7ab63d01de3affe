"""Django admin of both directions: what came in, what could not be applied; endpoints and their log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from core.errors import Refusal
from core.ui.admin_base import Inline, Ledger, one_of
from webhooks.incoming import inbox
from webhooks.models import Attempt, Delivery, Endpoint, Event, InboundEvent
from webhooks.outgoing import delivery_log
from webhooks.outgoing.catalogue import CATALOGUE


class HasParkedItems(admin.SimpleListFilter):
    """Callbacks of which something was set aside."""

    title = "parked items"
    parameter_name = "parked"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        """Offer one choice."""
        return [("yes", "with parked items")]

    def queryset(self, request: Any, queryset: Any) -> Any:
        """Narrow the list."""
        return queryset.exclude(parked=[]) if self.value() == "yes" else queryset


@admin.register(InboundEvent)
class InboundEventAdmin(Ledger):
    """Meta's callbacks and Stripe's events; the bytes themselves hold conversations and are not shown."""

    list_display = ["id", "source", "account", "received_at", "applied_at", "attempts", "due_at"]
    list_filter = ["source", HasParkedItems]
    list_select_related = ["account"]
    exact = ["id"]
    search_help_text = "The id of a row, or of an event as Stripe names it (evt_…)"
    ordering = ["-received_at"]
    exclude = ["raw", "digest", "lease_token"]
    #: of an event of Stripe's that waits or was given up: its id, its type and what it is about
    readonly_fields = ["names"]

    def equals(self, term: str) -> Q:
        """Return the rows of which a column of ``exact`` is ``term``, and the event that Stripe names so."""
        return super().equals(term) | Q(digest=inbox.digest_of(InboundEvent.Source.STRIPE, term))


@admin.register(Endpoint)
class EndpointAdmin(Ledger):
    """Customers' endpoints; their owners change them, and no secret is shown."""

    list_display = ["url", "account", "enabled", "off", "failing_since", "failures", "last_success_at"]
    list_filter = ["enabled", "off", "is_default"]
    list_select_related = ["account"]
    search_fields = ["url", "account__email", "id"]
    ordering = ["-created_at"]
    exclude = ["headers_sealed", "secret_sealed", "previous_secret_sealed"]


class EventLedger(Ledger):
    """A ledger in which events are found by their id as customers see it, too."""

    def equals(self, term: str) -> Q:
        """Return the rows of which a column of ``exact`` is ``term``."""
        return super().equals(term.removeprefix("evt_"))


@admin.register(Event)
class EventAdmin(EventLedger):
    """Events; their bodies hold customers' conversations and are not shown."""

    list_display = ["id", "type", "account", "subject", "sequence", "created_at"]
    list_filter = [one_of("type", sorted(CATALOGUE))]
    list_select_related = ["account"]
    exact = ["id"]
    search_help_text = "The id of an event, as customers see it (evt_…) or not"
    ordering = ["-id"]
    exclude = ["body"]


class AttemptInline(Inline):
    """What was tried."""

    model = Attempt
    extra = 0
    can_delete = False
    fields = ["number", "at", "milliseconds", "status", "error", "url"]
    readonly_fields = ["number", "at", "milliseconds", "status", "error", "url"]


@admin.register(Delivery)
class DeliveryAdmin(EventLedger):
    """Deliveries with their attempts."""

    list_display = ["id", "endpoint", "event", "status", "attempts", "last_status", "due_at", "created_at"]
    list_filter = ["status"]
    list_select_related = ["endpoint", "event"]
    exact = ["id", "event", "endpoint"]
    search_help_text = "The id of a delivery, an event (evt_…) or an endpoint"
    ordering = ["-id"]
    exclude = ["lease_token"]
    inlines = [AttemptInline]
    actions = ["deliver_again"]

    @admin.action(description="Deliver again", permissions=["operate"])
    def deliver_again(self, request: HttpRequest, deliveries: QuerySet[Delivery]) -> None:
        """Replay each, as its owner could; what cannot be says why."""
        for delivery in deliveries.select_related("endpoint__account"):
            try:
                delivery_log.replay(delivery.endpoint.account, delivery.endpoint_id, delivery.pk)
            except Refusal as refusal:
                self.message_user(request, f"{delivery.pk}: {refusal.message}", messages.WARNING)
