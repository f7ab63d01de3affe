"""Base of the classic API views of messaging: accepting once, finding."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter

from accounts.models import Account, Number
from core.errors import Refusal
from core.http.fields import ID
from messaging.api.accept_once import OncePerKey
from messaging.models import Message
from messaging.numbers import doctor
from messaging.queue import idempotency

__all__ = ["ID", "ID_PARAMETER", "Once", "find_message", "told"]

ID_PARAMETER = OpenApiParameter("message_id", {"type": "string", "format": "uuid"}, "path")


class Once(OncePerKey):
    """A POST that happens once, as this dialect says so."""

    read_key = staticmethod(idempotency.checked_key)
    replay_header = "Idempotency-Replayed"


def told(number: Number | None, *, real: bool = True) -> dict[str, Any]:
    """Return the member ``warnings`` of an answer about a number; nothing when there is nothing to tell."""
    found = doctor.warnings(number) if real else []
    return {"warnings": found} if found else {}


def find_message(account: Account, message_id: str) -> Message:
    """Find one of an account's outbound messages. Raises ``Refusal`` (``not_found``)."""
    message = None
    if ID.fullmatch(message_id):
        message = Message.objects.filter(
            account=account, pk=message_id, direction=Message.Direction.OUT
        ).first()
    if message is None:
        raise Refusal("not_found", "No message found with this id.")
    return message
