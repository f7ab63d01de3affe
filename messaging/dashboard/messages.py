"""The dashboard's list of messages and the page of one: what happened to it, and what can be done."""

from __future__ import annotations

import hashlib
import uuid
from abc import ABC, abstractmethod
from typing import Any

import orjson
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from accounts.dashboard.base import DashboardView, id_of, ident
from core import csvfile
from core.errors import Refusal
from core.jobs.wakeup import wake
from messaging.dashboard.base import PAGE, STATUSES, Filters
from messaging.models import Message, Status
from messaging.queue import revise
from messaging.reports import overview, reading
from messaging.reports.meanings import meanings as meanings_of
from messaging.status.timeline import OPEN, WAITING
from messaging.status.transitions import details_of
from messaging.status.words import shown
from webhooks.outgoing import tracing

#: what a list shows changes this often at most
LIST_SECONDS = 4
#: how often a message's page asks, by how soon something new is likely; missing: nothing can come
ASKS_AFTER = {**dict.fromkeys(OPEN, 2), Status.SENT: 2, Status.DELIVERED: 15, Status.SCHEDULED: 15}
_COLUMNS = ("id", "to", "type", "text", "template", "status", "error_code", "error", "details", "wamid")
_TIMES = ("created_at", "scheduled_for", "sent_at", "delivered_at", "read_at", "failed_at")


class Messages(DashboardView):
    """``/app/messages``: newest first, filtered, growing by itself."""

    section = "messages"

    def get(self, request: HttpRequest) -> HttpResponseBase:
        """Draw the list, or for a page that is open already only its rows when they have changed."""
        filters = Filters.of(request.GET)
        cursor = ident(request.GET.get("before"))
        found = reading.newest(self.account, filters.wanted(), limit=PAGE, cursor=cursor)
        mark = _mark(found.messages)
        if request.GET.get("seen") == mark:
            return HttpResponse(status=204)
        context: dict[str, Any] = {
            "filters": filters,
            "statuses": STATUSES,
            "rows": found.messages,
            "live": cursor is None,
            "seconds": LIST_SECONDS,
            "again": filters.query(seen=mark),
            "is_later": cursor is not None,
            "first": filters.query(),
            "older": filters.query(before=found.next_cursor) if found.next_cursor else "",
            "export": filters.query(),
        }
        if request.headers.get("HX-Target") == "message-rows":
            return self.page("app/messages/rows.html", **context)
        return self.page("app/messages/list.html", **context)


def _mark(messages: list[Message]) -> str:
    """Return what changes when anything shown of these messages does."""
    text = ",".join(f"{one.pk}{one.status}{one.sequence}" for one in messages)
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


class Export(DashboardView):
    """``/app/messages/export``: the list as CSV, with the same filters."""

    section = "messages"

    def get(self, request: HttpRequest) -> StreamingHttpResponse:
        """Stream the file."""
        rows = map(_cells, reading.export(self.account, Filters.of(request.GET).wanted()))
        response = StreamingHttpResponse(
            csvfile.lines((*_COLUMNS, *_TIMES, "metadata"), rows), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = 'attachment; filename="messages.csv"'
        return response


def _cells(message: Message) -> list[object]:
    template = (message.content.get("template") or {}).get("name")
    cells: list[object] = [message.pk, message.recipient, message.type, message.body, template]
    cells += [shown(message.status), message.error_code, message.error_message]
    cells += [details_of(message.failure, message.error_detail), message.wamid]
    times = (getattr(message, name) for name in _TIMES)
    cells += [at.strftime("%Y-%m-%dT%H:%M:%SZ") if at else None for at in times]
    return [*cells, orjson.dumps(message.metadata).decode() if message.metadata else None]


class MessagePage(DashboardView):
    """``/app/messages/<id>``: everything that is known of one message; moves by itself until it ends."""

    section = "messages"

    def get(self, request: HttpRequest, message_id: str) -> HttpResponse:
        """Draw the page, or for the open page only the part that changes."""
        message = reading.find(self.account, id_of(message_id))
        if request.GET.get("seen") == _mark([message]):
            return HttpResponse(status=204)
        partial = request.headers.get("HX-Target") == "message-now"
        return self.page("app/messages/now.html" if partial else "app/messages/one.html", **_facts(message))


def _facts(message: Message) -> dict[str, Any]:
    status = Status(message.status)
    failed = status == Status.FAILED
    history = reading.history(message)
    told = tracing.told_of(message.account_id, str(message.pk), [event.recorded_at for event in history])
    meanings = meanings_of(message.failure or str(message.error_code or "")) if failed else []
    return {
        "message": message,
        "timeline": history,
        "told": told,
        "mark": _mark([message]),
        "seconds": ASKS_AFTER.get(status),
        "meaning": meanings[0] if meanings else None,
        "can_cancel": status in WAITING and message.direction == Message.Direction.OUT,
        "can_retry": failed,
    }


class _Change(DashboardView, ABC):
    section = "messages"

    def post(self, request: HttpRequest, message_id: str) -> HttpResponse:
        """Do it and go back to the message."""
        ident_ = id_of(message_id)
        back = f"/app/messages/{ident_}"
        try:
            said = self.change(ident_)
        except Refusal as refusal:
            if refusal.code == "not_found":
                raise
            return self.wrong(back, refusal)
        return self.done(back, said)

    @abstractmethod
    def change(self, message_id: uuid.UUID) -> str:
        """Do what the button says and return the sentence that tells so."""


class Retry(_Change):
    """``/app/messages/<id>/retry``."""

    def change(self, message_id: uuid.UUID) -> str:
        """Queue a failed message again."""
        message = reading.find(self.account, message_id)
        with transaction.atomic():
            revise.retry(self.account, message.pk)
        wake("messages")
        return _("The message is queued again.")


class Cancel(_Change):
    """``/app/messages/<id>/cancel``."""

    def change(self, message_id: uuid.UUID) -> str:
        """Cancel a message that has not been handed over."""
        revise.cancel(self.account, message_id)
        return _("The message is canceled; nothing will be sent.")


class BatchPage(DashboardView):
    """``/app/batches/<id>``: how far the messages of one bulk send have come."""

    section = "messages"

    def get(self, request: HttpRequest, batch_id: str) -> HttpResponse:
        """Draw the page, or for the open page only its bar."""
        batch, counts = reading.batch(self.account, id_of(batch_id))
        waiting = sum(count for status, count in counts.items() if status in OPEN)
        by_word: dict[str, int] = {}
        for status, count in counts.items():
            by_word[shown(status)] = by_word.get(shown(status), 0) + count
        context: dict[str, Any] = {
            "batch": batch,
            "counts": by_word,
            "handled": batch.total - waiting,
            "waiting": waiting,
            "remaining": overview.remaining(batch) if waiting else None,
            "seconds": 2 if waiting else None,
        }
        partial = request.headers.get("HX-Target") == "batch-now"
        return self.page("app/messages/batch_now.html" if partial else "app/messages/batch.html", **context)
