"""What the WhatsAPI faces of messaging share: accepting once, finding, reading a query string."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import TypeVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from accounts.models import Account
from config.errors import Refusal
from config.fields import ID, PHONE, Fields
from config.json import character_problem
from messaging import analytics, idempotency, reading, schemas
from messaging.models import Message, Status
from messaging.shared_accepting import Accepted, accept_once, given_before

__all__ = ["ID", "ID_PARAMETER", "Accepted", "Query", "accept", "find", "shown"]

LIMIT_DEFAULT, LIMIT_MOST = 20, 200
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_PLUS_LOST = re.compile(r"[0-9-]+[Tt][0-9:.]+ [0-9]{2}(:?[0-9]{2})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

ID_PARAMETER = OpenApiParameter("message_id", {"type": "string", "format": "uuid"}, "path")


def shown(status: str) -> str:
    """Return a status as customers know it."""
    return analytics.SHOWN.get(Status(status), status)


_REPLAYED = "Idempotency-Replayed"
T = TypeVar("T")


def accept(request: Request, read: Callable[[], T], work: Callable[[T], Accepted]) -> HttpResponse:
    """Do a POST that sends, once per Idempotency-Key.

    ``read`` checks the request, ``work`` does what it asks for and returns the status and ``data``. A
    request that was accepted once is answered alike when it comes again, although ``read`` might refuse
    it by now: its ``sendAt`` has passed, the plan is a smaller one.
    """
    key = idempotency.checked_key(request.META.get("HTTP_IDEMPOTENCY_KEY"))
    try:
        wanted = read()
    except Refusal:
        again = given_before(request, key=key, replay_header=_REPLAYED)
        if again is None:
            raise
        return again

    def enveloped() -> Accepted:
        status, data = work(wanted)
        return status, {"success": True, "data": data}

    return accept_once(request, enveloped, key=key, replay_header=_REPLAYED)


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

    def moment(self, name: str) -> datetime | None:
        """Read a moment; a plus before its zone that was not percent-encoded comes as a space."""
        text = self.data.get(name)
        if text and _PLUS_LOST.fullmatch(text):
            self.data = {**self.data, name: "+".join(text.rsplit(" ", 1))}
        return super().moment(name)

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
