"""v1 API views of reading: one message, many at once."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import agents
from accounts.api.views_v1 import READ, SEND, V1View
from accounts.authentication import caller, key_of
from core.errors import Refusal, invalid
from core.http.fields import ID
from core.http.openapi_v1 import V1, answers
from core.http.wire import body_of
from messaging.api.v1 import schemas
from messaging.api.v1.base import message_object
from messaging.reports import reading

LOOKUP_MOST = 100
NOT_FOUND = "No message found with the supplied id."


class MessageStatus(V1View):
    """``GET /v1/whatsapp/messages/{id}``."""

    @extend_schema(
        operation_id="getWhatsAppMessage",
        summary="What became of a message",
        tags=[V1.READING],
        parameters=[OpenApiParameter("message_id", {"type": "string", "format": "uuid"}, "path")],
        responses=answers(200, schemas.MessageV1, 404, body=False),
    )
    def get(self, request: Request, message_id: str) -> Response:
        """A message that was sent through this API, as it stands now."""
        ident = uuid.UUID(message_id) if ID.fullmatch(message_id) else None
        message = reading.sent_with_v1(caller(request), [ident]).get(ident) if ident else None
        if message is None:
            raise Refusal("message_not_found", NOT_FOUND)
        if not key_of(request).may_use(message.agent_id):
            raise Refusal("agent_not_authorized", agents.NOT_YOURS)  # J27
        return Response(message_object(message))


class Lookup(V1View):
    """``POST /v1/whatsapp/messages/lookup``."""

    writes = (SEND, READ)

    @extend_schema(
        operation_id="lookUpWhatsAppMessages",
        summary="What became of many messages",
        tags=[V1.READING],
        request=schemas.LookupBody,
        responses=answers(200, schemas.Found),
    )
    def post(self, request: Request) -> Response:
        """Up to 100 messages in one request; ids that lead to none of yours come back in `not_found`."""
        ids = body_of(request).get("ids")
        if not isinstance(ids, list) or not 1 <= len(ids) <= LOOKUP_MOST:
            raise invalid("ids", f"Must be a list of 1 to {LOOKUP_MOST} message ids.")
        for index, one in enumerate(ids):
            if not isinstance(one, str):
                raise invalid(f"ids[{index}]", "Must be a string.")
        known = {one: uuid.UUID(one) for one in ids if ID.fullmatch(one)}
        messages = reading.sent_with_v1(caller(request), known.values())
        key = key_of(request)
        found: list[dict[str, Any]] = []
        missing: list[str] = []
        for one in dict.fromkeys(ids):
            message = messages.get(known[one]) if one in known else None
            if message is None or not key.may_use(message.agent_id):
                missing.append(one)
            else:
                found.append(message_object(message))
        return Response({"data": found, "not_found": missing})
