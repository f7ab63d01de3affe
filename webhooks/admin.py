"""Django admin of the inbox: what came in, what could not be applied."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from config.admin import Ledger
from webhooks.models import InboundEvent


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
    """Callbacks; the bytes themselves hold customers' conversations and are not shown."""

    list_display = ["id", "source", "account", "received_at", "applied_at", "attempts", "due_at"]
    list_filter = ["source", HasParkedItems]
    list_select_related = ["account"]
    ordering = ["-received_at"]
    exclude = ["raw", "digest", "lease_token"]
