"""What the WhatsAPI faces of messaging share: accepting once, finding, reading a query string."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import date

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from accounts.models import Account
from config.errors import Refusal
from config.fields import ID, PHONE, Fields
from config.json import character_problem
from messaging import analytics, idempotency, reading, schemas
from messaging.models import Message, Status
from messaging.shared_accepting import Accepted, accept_once

__all__ = ["ID", "ID_PARAMETER", "Accepted", "Query", "accept", "find", "shown"]

LIMIT_DEFAULT, LIMIT_MOST = 20, 200
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

ID_PARAMETER = OpenApiParameter("message_id", {"type": "string", "format": "uuid"}, "path")


def shown(status: str) -> str:
    """Return a status as customers know it."""
    return analytics.SHOWN.get(Status(status), status)


def accept(request: Request, work: Callable[[], Accepted]) -> HttpResponse:
    """Do a POST that sends, once per Idempotency-Key; ``work`` returns the status and ``data``."""

    def enveloped() -> Accepted:
        status, data = work()
        return status, {"success": True, "data": data}

    key = idempotency.checked_key(request.META.get("HTTP_IDEMPOTENCY_KEY"))
    return accept_once(request, enveloped, key=key, replay_header="Idempotency-Replayed")


def find(account: Account, message_id: str) -> Message:
    """Find one of an account's outbound messages. Raises ``Refusal`` (``not_found``)."""
    message = None
    if ID.fullmatch(message_id):
        message = Message.objects.filter(
            account=account, pk=message_id, direction=Message.Direction.OUT
        ).first()
    if message is None:
        raise Refusal("not_found", "No message found with this id.")
    return message


class Query(Fields):
    """The query string of a list, read as strictly as a body."""

    def __init__(self, request: Request) -> None:
        params = request.query_params
        super().__init__({name: params[name] for name in params})
        for name in params:
            if len(params.getlist(name)) > 1:
                self.fault(name, "Is given more than once.")
            elif problem := character_problem(params[name]):
                self.fault(name, problem)

    def number(self, name: str, default: int) -> int:
        """Read a whole number of at least 1."""
        text = self.data.get(name)
        if text is None:
            return default
        if not _WHOLE.fullmatch(text) or int(text) < 1:
            self.fault(name, "Must be a whole number of at least 1.")
            return default
        return int(text)

    def uuid(self, name: str) -> uuid.UUID | None:
        """Read an id."""
        text = self.data.get(name)
        if text is None:
            return None
        if not ID.fullmatch(text):
            self.fault(name, "Must be an id.")
            return None
        return uuid.UUID(text)

    def day(self, name: str) -> date | None:
        """Read a day, YYYY-MM-DD."""
        text = self.data.get(name)
        if text is None:
            return None
        try:
            if not _DAY.fullmatch(text):
                raise ValueError
            return date.fromisoformat(text)
        except ValueError:
            self.fault(name, "Must be a day, for example 2026-05-01.")
            return None

    def wanted(self) -> reading.Wanted:
        """Read the filters."""
        status = self.choice("status", schemas.STATUSES)
        statuses = [Status(word) for word in Status.values if shown(word) == status] if status else None
        to = self.text("to", longest=20)
        if to is not None and not PHONE.fullmatch(to):
            self.fault("to", "Must be a phone number: digits only, without the plus.")
        return reading.Wanted(
            statuses=statuses,
            batch_id=self.uuid("batchId"),
            to=to,
            search=self.text("search", longest=255),
            created_from=self.moment("createdFrom"),
            created_to=self.moment("createdTo"),
        )
