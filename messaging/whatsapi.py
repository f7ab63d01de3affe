"""The WhatsAPI face of messaging: send one message, look one up."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.authentication import caller, key_of
from config.celery import wake
from config.dialects.whatsapi import WhatsAPIView, ok, when
from config.dialects.wire import body_of
from config.errors import Refusal
from config.failpoints import failpoint
from config.fields import Fields
from config.openapi import answers
from messaging import queueing, schemas
from messaging.drafts import Draft, Priority, RawTemplate, Text
from messaging.models import Message, Status

TEXT_LONGEST = 4_096  # characters, not bytes (W5)
METADATA_BYTES = 16 * 1024  # W16
FURTHEST = timedelta(days=366)  # W8
#: bounds of expiresIn: shorter than half a minute expires in the queue, Meta itself gives up after 30 days
SHORTEST_SECONDS = 30
LONGEST_SECONDS = 30 * 24 * 3600
_TEMPLATE_NAME = re.compile(r"[a-z0-9_]{1,512}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}")
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

#: the engine's words that customers do not know
_SHOWN = {Status.SUBMITTING: "processing", Status.UNKNOWN: "processing"}


def read_draft(data: Mapping[str, Any], prefix: str = "") -> Draft:
    """Read one message as the document describes it. Raises ``Invalid`` with every faulty field."""
    fields = Fields(data, prefix)
    to = fields.phone("to")
    what = _what(fields)
    send_at = fields.moment("sendAt")
    if send_at is not None:
        now = timezone.now()
        if send_at <= now:
            fields.fault("sendAt", "Must be in the future.")
        elif send_at > now + FURTHEST:
            fields.fault("sendAt", "Must be within one year from now.")
    metadata = fields.mapping("metadata") or {}
    if len(orjson.dumps(metadata)) > METADATA_BYTES:
        fields.fault("metadata", f"Must be at most {METADATA_BYTES} bytes of JSON.")
    dry_run = fields.flag("dry_run")
    expires_in = fields.whole("expiresIn", least=SHORTEST_SECONDS, most=LONGEST_SECONDS)
    priority = fields.choice("priority", [*Priority])
    fields.done()
    assert what is not None
    return Draft(
        to=to,
        what=what,
        send_at=send_at,
        metadata=metadata,
        dry_run=dry_run,
        expires_in=None if expires_in is None else timedelta(seconds=expires_in),
        priority=Priority(priority) if priority else None,
    )


def _what(fields: Fields) -> Text | RawTemplate | None:
    text, template = fields.given("message"), fields.given("template")
    if text and template:
        fields.fault("message", "Send either message or template, not both.")
        return None
    if not text and not template:
        fields.fault("message", "Send message or template; one of them is required.")
        return None
    if text:
        body = fields.text("message", longest=TEXT_LONGEST)
        return Text(body) if body else None
    inner = fields.mapping("template")
    if inner is None:
        return None
    return _template(fields, inner)


def _template(fields: Fields, inner: Mapping[str, Any]) -> RawTemplate:
    part = Fields(inner, fields.prefix + "template.")
    name = part.text("name", required=True, longest=512)
    if name and not _TEMPLATE_NAME.fullmatch(name):
        part.fault("name", "Must be lower-case letters, digits and underscores, as in WhatsApp Manager.")
    language = part.text("language", required=True, longest=20)
    if language and not _LANGUAGE.fullmatch(language):
        part.fault("language", "Must be a language code such as en_US.")
    components = inner.get("components")
    if components is not None:
        if not isinstance(components, list):
            part.fault("components", "Must be a list.")
        else:
            for index, component in enumerate(components):
                kind = component.get("type") if isinstance(component, dict) else None
                if not isinstance(kind, str):
                    part.fault(f"components[{index}]", "Must be an object with a type.")
    fields.faults += part.faults
    return RawTemplate(name or "", language or "", components if isinstance(components, list) else None)


class SendMessage(WhatsAPIView):
    """``POST /send-message``."""

    @extend_schema(
        operation_id="sendMessage",
        summary="Send a message",
        tags=["Messages"],
        request=schemas.SendBody,
        responses=answers(202, schemas.Accepted),
    )
    def post(self, request: Request) -> Response:
        """Stores one message and answers at once; the message goes out in the background."""
        draft = read_draft(body_of(request))
        with transaction.atomic():
            queued = queueing.queue(
                caller(request), draft, source=Message.Source.WHATSAPI, api_key=key_of(request)
            )
            failpoint("accept.before_commit")
        failpoint("accept.after_commit")
        if queued.scheduled_for is None:
            wake("messages")
        failpoint("accept.before_response")
        return ok(
            {"id": str(queued.id), "status": queued.status, "scheduledFor": when(queued.scheduled_for)},
            status=202,
        )


def message_object(message: Message, timeline: list[dict[str, Any]]) -> dict[str, Any]:
    """Write a message as ``GET /messages/:id`` shows it."""
    return {
        "id": str(message.id),
        "to": message.recipient,
        "body": message.body,
        "template": message.content.get("template"),
        "status": _SHOWN.get(Status(message.status), message.status),
        "scheduledFor": when(message.scheduled_for),
        "sentAt": when(message.sent_at),
        "deliveredAt": when(message.delivered_at),
        "readAt": when(message.read_at),
        "failedAt": when(message.failed_at),
        "errorMessage": message.error_message,
        "errorCode": message.error_code,
        "failure": message.failure or None,
        "wamid": message.wamid,
        "metadata": message.metadata,
        "dryRun": message.dry_run,
        "createdAt": when(message.created_at),
        "timeline": timeline,
    }


class MessageDetail(WhatsAPIView):
    """``GET /messages/:id``."""

    @extend_schema(
        operation_id="getMessage",
        summary="A message and its delivery history",
        tags=["Messages"],
        parameters=[OpenApiParameter("message_id", {"type": "string", "format": "uuid"}, "path")],
        responses=answers(200, schemas.MessageObject, 404),
    )
    def get(self, request: Request, message_id: str) -> Response:
        """Status and timeline, oldest entry first. A foreign or malformed id is a 404 like an unknown one."""
        message = find(caller(request).pk, message_id)
        entries = message.events.order_by("at", "sequence").values_list("status", "at")
        return ok(message_object(message, [{"status": status, "at": when(at)} for status, at in entries]))


def find(account_id: uuid.UUID, message_id: str) -> Message:
    """Find one of an account's outbound messages. Raises ``Refusal`` (``not_found``)."""
    message = None
    if _ID.fullmatch(message_id):
        message = Message.objects.filter(
            account_id=account_id, pk=message_id, direction=Message.Direction.OUT
        ).first()
    if message is None:
        raise Refusal("not_found", "No message found with this id.")
    return message


class CancelMessage(WhatsAPIView):
    """``POST /messages/:id/cancel``."""

    @extend_schema(
        operation_id="cancelMessage",
        summary="Cancel a message that has not been sent",
        tags=["Messages"],
        request=None,
        parameters=[OpenApiParameter("message_id", {"type": "string", "format": "uuid"}, "path")],
        responses=answers(200, schemas.Canceled, 404, 409),
    )
    def post(self, request: Request, message_id: str) -> Response:
        """Works until the message is handed to WhatsApp; after that it is a 409."""
        message = find(caller(request).pk, message_id)
        queueing.cancel(caller(request), message.pk)
        return ok({"id": str(message.pk), "status": "canceled"})
