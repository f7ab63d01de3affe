"""v1 API view that sends a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request

from core.errors import invalid
from core.http.openapi_v1 import IDEMPOTENCY_KEY, V1, answers
from messaging.api.v1 import schemas
from messaging.api.v1.base import EXAMPLE, REQUIRED, Send, read_mapping, read_text
from messaging.compose.drafts import TEXT_LONGEST, Text


def read_text_message(data: Mapping[str, Any]) -> Text:
    """Read ``text``. Raises ``Invalid`` with the first fault."""
    text = read_mapping(data, "text")
    if text is None:
        raise invalid("text", REQUIRED)
    body = read_text(text, "body", path="text.body", longest=TEXT_LONGEST)
    preview = text.get("preview_url")
    if preview is not None and not isinstance(preview, bool):
        raise invalid("text.preview_url", "Must be true or false.")
    return Text(body, preview_url=bool(preview))


class SendText(Send):
    """``POST /v1/whatsapp/messages``."""

    read = staticmethod(read_text_message)

    @extend_schema(
        operation_id="sendWhatsAppMessage",
        summary="Send a text",
        tags=[V1.SENDING],
        request=schemas.SendTextBody,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(202, schemas.MessageV1, 402, 409),
        examples=[
            OpenApiExample("Text", EXAMPLE | {"text": {"body": "Your table is ready."}}, request_only=True)
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Free text reaches people who wrote within the last 24 hours; others need a template."""
        return self.send(request)
