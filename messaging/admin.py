"""Django admin of messaging: every ledger to read, none to write."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from config.admin import Inline, Ledger
from messaging.models import (
    Contact,
    Message,
    MessageEvent,
    OrphanStatus,
    Template,
    TemplateEvent,
    TemplateSync,
)


class EventInline(Inline):
    """A message's timeline."""

    model = MessageEvent
    extra = 0
    can_delete = False
    fields = ("sequence", "status", "at", "recorded_at", "detail")
    readonly_fields = fields
    ordering = ["at", "sequence"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The timeline is written by the engine."""
        return False


@admin.register(Message)
class MessageAdmin(Ledger):
    """Messages; found by our id, Meta's id or the phone number, each of which has an index."""

    list_display = ["id", "account", "direction", "recipient", "type", "status", "failure", "created_at"]
    list_filter = ["status", "direction", "type"]
    list_select_related = ["account"]
    search_fields = ["id", "wamid"]
    search_help_text = "A message id, a wamid, or a phone number (digits)"
    ordering = ["-id"]
    exclude = ["lease_token"]
    inlines = [EventInline]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by equality only: a LIKE over the whole ledger would read all of it."""
        term = search_term.strip()
        if not term:
            return queryset, False
        digits = re.sub(r"[^0-9]", "", term)
        condition = Q(wamid=term)
        try:
            condition |= Q(pk=uuid.UUID(term))
        except ValueError:
            if 7 <= len(digits) <= 15 and re.fullmatch(r"[0-9+ ()-]+", term):
                condition |= Q(contact__in=Contact.objects.filter(Q(phone=digits) | Q(wa_id=digits)))
        return queryset.filter(condition), False


@admin.register(Contact)
class ContactAdmin(Ledger):
    """The people that customers talk to."""

    list_display = ["__str__", "account", "phone", "wa_id", "bsuid", "last_inbound_at"]
    search_fields = ["=phone", "=wa_id", "=bsuid"]
    list_select_related = ["account"]


class TemplateEventInline(Inline):
    """What happened to a template."""

    model = TemplateEvent
    extra = 0
    can_delete = False
    fields = ("field", "before", "after", "note", "at")
    readonly_fields = fields
    ordering = ["-id"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Meta writes it."""
        return False


@admin.register(Template)
class TemplateAdmin(Ledger):
    """Templates as Meta stores them."""

    list_display = ["name", "language", "category", "status", "quality", "account", "waba_id", "synced_at"]
    list_filter = ["status", "category", "quality"]
    search_fields = ["name", "=meta_id", "=waba_id"]
    list_select_related = ["account"]
    inlines = [TemplateEventInline]


@admin.register(TemplateSync)
class TemplateSyncAdmin(Ledger):
    """When each WhatsApp account's templates were read, and why not."""

    list_display = ["waba_id", "account", "synced_at", "due_at", "error"]
    search_fields = ["=waba_id"]
    list_select_related = ["account"]


@admin.register(OrphanStatus)
class OrphanStatusAdmin(Ledger):
    """Statuses whose message is not known."""

    list_display = ["wamid", "connection", "received_at"]
    search_fields = ["=wamid"]
    list_select_related = ["connection"]
    exclude = ["digest"]
