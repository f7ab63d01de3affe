"""Django admin of messaging: every ledger to read, none to write."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q

from core.ui.admin_base import History, Ledger, one_of
from messaging.compose.kinds import KINDS
from messaging.compose.written_numbers import looked_for
from messaging.inbound import contacts
from messaging.models import (
    Contact,
    Message,
    MessageEvent,
    OrphanStatus,
    Template,
    TemplateEvent,
    TemplateSync,
)


class EventInline(History):
    """A message's timeline."""

    model = MessageEvent
    fields = readonly_fields = ("sequence", "status", "at", "recorded_at", "detail")
    ordering = ["at", "sequence"]


@admin.register(Message)
class MessageAdmin(Ledger):
    """Messages; found by our id, Meta's id or the phone number, each of which has an index."""

    list_display = ["id", "account", "direction", "recipient", "type", "status", "failure", "created_at"]
    list_filter = ["status", "direction", one_of("type", ["text", "template", *KINDS])]
    list_select_related = ["account"]
    exact = ["id", "wamid"]
    search_help_text = "A message id, a wamid, or a phone number (digits)"
    ordering = ["-id"]
    exclude = ["lease_token"]
    inlines = [EventInline]

    def equals(self, term: str) -> Q:
        """Also look for a person's number."""
        people = contacts.anywhere(looked_for(term))
        return super().equals(term) | Q(contact__in=people) if people else super().equals(term)


@admin.register(Contact)
class ContactAdmin(Ledger):
    """The people that customers talk to."""

    list_display = ["__str__", "account", "phone", "wa_id", "bsuid", "last_inbound_at"]
    exact = ["id"]
    search_help_text = "A phone number, or the id of a contact"
    list_select_related = ["account"]
    ordering = ["-id"]

    def equals(self, term: str) -> Q:
        """Also look for a person's number."""
        return super().equals(term) | Q(pk__in=contacts.anywhere(looked_for(term)))


class TemplateEventInline(History):
    """What happened to a template."""

    model = TemplateEvent
    fields = readonly_fields = ("field", "before", "after", "note", "at")
    ordering = ["-id"]


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
    exact = ["wamid"]
    list_select_related = ["connection"]
    exclude = ["digest"]
