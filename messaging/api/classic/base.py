"""What the WhatsAPI faces of messaging share: accepting once, finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from accounts.models import Account
from core.errors import Refusal
from core.http.fields import ID
from messaging.api.accept_once import Accepted, accept_once, given_before, refuse_in_address
from messaging.models import Message
from messaging.queue import idempotency

__all__ = ["ID", "ID_PARAMETER", "Accepted", "accept", "find"]

ID_PARAMETER = OpenApiParameter("message_id", {"type": "string", "format": "uuid"}, "path")


_REPLAYED = "Idempotency-Replayed"
T = TypeVar("T")


def accept(request: Request, read: Callable[[], T], work: Callable[[T], Accepted]) -> HttpResponse:
    """Do a POST that sends, once per Idempotency-Key.

    ``read`` checks the request, ``work`` does what it asks for and returns the status and ``data``. A
    request that was accepted once is answered alike when it comes again, although ``read`` might refuse
    it by now: its ``sendAt`` has passed, the plan is a smaller one.
    """
    refuse_in_address(request)
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
