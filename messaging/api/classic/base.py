"""What the WhatsAPI faces of messaging share: accepting once, finding."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter

from accounts.models import Account
from core.errors import Refusal
from core.http.fields import ID
from messaging.api.accept_once import OncePerKey
from messaging.models import Message
from messaging.queue import idempotency

__all__ = ["ID", "ID_PARAMETER", "Once", "find"]

ID_PARAMETER = OpenApiParameter("message_id", {"type": "string", "format": "uuid"}, "path")


class Once(OncePerKey):
    """A POST that happens once, as this dialect says so."""

    read_key = staticmethod(idempotency.checked_key)
    replay_header = "Idempotency-Replayed"


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
