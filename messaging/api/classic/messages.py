"""Classic API views of sending: one message, many, again, not at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import plans
from accounts.api.views import SEND, KeyView
from accounts.authentication import caller, key_of
from accounts.connections import sending_number
from accounts.models import Account
from core.errors import FieldError, Invalid, Refusal, invalid
from core.http import lookalikes
from core.http.classic import enveloped, ok, when
from core.http.fields import Fields
from core.http.openapi import IDEMPOTENCY_KEY, answers
from core.http.wire import body_of
from messaging.api.classic import schemas
from messaging.api.classic.base import ID_PARAMETER, Once, find_message, told
from messaging.compose.drafts import (
    FURTHEST,
    LANGUAGE,
    TEMPLATE_NAME,
    TEXT_LONGEST,
    Draft,
    Priority,
    RawTemplate,
    Text,
    What,
)
from messaging.compose.kinds import KINDS, read_kind, read_reply_to
from messaging.models import Batch, Message
from messaging.queue import accept, revise
from messaging.queue.accept import Origin, Queued

METADATA_BYTES = 16 * 1024  # W16
#: bounds of expiresIn: shorter than half a minute expires in the queue, Meta itself gives up after 30 days
SHORTEST_SECONDS = 30
LONGEST_SECONDS = 30 * 24 * 3600
#: faults listed in one answer; a thousand bad items need not be told a thousand times
FAULTS_NAMED = 100


def read_draft(data: Mapping[str, Any], prefix: str = "") -> Draft:
    """Read one message as the document describes it. Raises ``Invalid`` with every faulty field."""
    fields = Fields(data, prefix)
    fields.refuse_lookalikes(lookalikes.SEND)
    to = fields.phone("to")
    what = _what(fields)
    send_at = fields.moment("sendAt", fields.zone("timezone"))
    if send_at is not None:
        now = timezone.now()
        if send_at <= now:
            fields.fault("sendAt", "Must be in the future.")
        elif send_at > now + FURTHEST:
            fields.fault("sendAt", "Must be within one year from now.")
    metadata = fields.mapping("metadata") or {}
    if len(orjson.dumps(metadata)) > METADATA_BYTES:
        fields.fault("metadata", f"Must be at most {METADATA_BYTES} bytes of JSON.")
    dry_run = fields.flag("dry_run", alias="dryRun")
    expires_in = fields.whole("expiresIn", least=SHORTEST_SECONDS, most=LONGEST_SECONDS)
    priority = fields.choice("priority", [*Priority])
    reply_to = read_reply_to(fields)
    fallback = _template(fields, "fallbackTemplate")
    if fallback is not None and not isinstance(what, Text):
        fields.fault("fallbackTemplate", "Belongs to message only.")
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
        reply_to=reply_to,
        fallback=fallback,
    )


def _what(fields: Fields) -> What | None:
    given = [name for name in ("message", "template", *KINDS) if fields.given(name)]
    if len(given) > 1:
        fields.fault(given[0], f"Send one of {', '.join(given)}, not several.")
        return None
    if not given:
        fields.fault("message", "Send message or template; one of them is required.")
        return None
    if given == ["message"]:
        body = fields.text("message", longest=TEXT_LONGEST)
        return Text(body, preview_url=fields.flag("previewUrl")) if body else None
    if given == ["template"]:
        return _template(fields, "template")
    part = fields.data[given[0]]
    if isinstance(part, dict):
        within = Fields(part, f"{fields.prefix}{given[0]}.")
        within.refuse_lookalikes(lookalikes.INSIDE)
        fields.faults += within.faults
    return read_kind(fields, given[0])


def _template(fields: Fields, member: str) -> RawTemplate | None:
    inner = fields.mapping(member)
    if inner is None:
        return None
    part = Fields(inner, f"{fields.prefix}{member}.")
    part.refuse_lookalikes(lookalikes.INSIDE)
    name = part.text("name", required=True, longest=512)
    if name and not TEMPLATE_NAME.fullmatch(name):
        part.fault("name", "Must be lower-case letters, digits and underscores, as in WhatsApp Manager.")
    if isinstance(inner.get("language"), dict):
        part.fault("language", 'Must be a plain string such as "en_US", unlike in Meta\'s own API.')
        language = None
    else:
        language = part.text("language", required=True, longest=20)
    if language and not LANGUAGE.fullmatch(language):
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


class SendMessage(KeyView):
    """``POST /send-message``."""

    scope = SEND

    @extend_schema(
        operation_id="sendMessage",
        summary="Send a message",
        tags=["Messages"],
        request=schemas.SendBody,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(202, schemas.Accepted, 409, 429),
        examples=[
            OpenApiExample(
                "Template",
                {"to": "14155552671", "template": {"name": "hello_world", "language": "en_US"}},
                request_only=True,
            ),
            OpenApiExample(
                "Text",
                {
                    "to": "14155552671",
                    "message": "Hi Sarah! Your order #1234 has shipped.",
                    "metadata": {"orderId": "1234"},
                },
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """Stores one message and answers at once; the message goes out in the background."""
        data = body_of(request)
        once = Once(request)
        try:
            draft = read_draft(data)
        except Refusal as refusal:
            return once.given_or(refusal)
        with once.first() as sending:
            if sending.is_first:
                origin = Origin(Message.Source.CLASSIC, caller(request), key_of(request))
                queued = accept.queue(origin, draft)
                answer = {
                    "id": str(queued.id),
                    "status": queued.status,
                    "scheduledFor": when(queued.scheduled_for),
                } | told(sending_number(origin.account), real=not (draft.dry_run or origin.is_test))
                sending.respond(202, enveloped(answer))
        return once.response(sending.answer)


class SendBulk(KeyView):
    """``POST /messages/bulk``."""

    scope = SEND

    max_body_bytes = 8 * 1024 * 1024
    max_keys = 250_000
    max_values = 500_000

    @extend_schema(
        operation_id="sendBulk",
        summary="Send many messages",
        tags=["Messages"],
        request=schemas.BulkBody,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(202, schemas.BulkAccepted, 409, 429),
        examples=[
            OpenApiExample(
                "Two templates",
                {
                    "messages": [
                        {"to": "14155552671", "template": {"name": "hello_world", "language": "en_US"}},
                        {"to": "447911123456", "template": {"name": "hello_world", "language": "en_US"}},
                    ]
                },
                request_only=True,
            )
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """All or nothing: a malformed item refuses the whole request and nothing is queued."""
        data = body_of(request)
        account, once = caller(request), Once(request)
        try:
            drafts = _read_many(account, data)
        except Refusal as refusal:
            return once.given_or(refusal)
        with once.first() as sending:
            if sending.is_first:
                origin = Origin(Message.Source.CLASSIC, account, key_of(request))
                real = not origin.is_test and not all(draft.dry_run for draft in drafts)
                answer = _batch_object(*accept.queue_batch(origin, drafts))
                sending.respond(202, enveloped(answer | told(sending_number(account), real=real)))
        return once.response(sending.answer)


def _batch_object(batch: Batch, queued: list[Queued]) -> dict[str, Any]:
    return {
        "batchId": str(batch.pk),
        "totalMessages": batch.total,
        "queued": batch.total - batch.refused,
        "failedCount": batch.refused,
        "failures": [
            {
                "index": index,
                "id": str(one.id),
                "to": one.to,
                "failure": one.failure.slug,
                "message": one.failure.message,
            }
            for index, one in enumerate(queued)
            if one.failure
        ],
    }


def _read_many(account: Account, data: Mapping[str, Any]) -> list[Draft]:
    """Read all items and name every fault of every one (W27). Raises ``Refusal`` by the plan, ``Invalid``."""
    most = plans.bulk_limit(account.plan)
    if not most:
        raise Refusal(
            "plan_not_eligible",
            "Bulk sending is not part of the free plan. Upgrade to send many messages in one request.",
        )
    around, items = Fields(data), data.get("messages")
    around.refuse_lookalikes(lookalikes.BULK)
    around.done()
    if not isinstance(items, list) or not items:
        raise invalid("messages", "Must be a list of at least one message.")
    if len(items) > most:
        raise invalid("messages", f"Your plan takes at most {most} messages in one request.")
    drafts: list[Draft] = []
    faults: list[FieldError] = []
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            faults.append(FieldError(f"messages[{index}]", "Must be an object."))
            continue
        try:
            drafts.append(read_draft(item, f"messages[{index}]."))
        except Invalid as found:
            faults += found.fields
    if faults:
        raise Invalid(faults[:FAULTS_NAMED])
    return drafts


class RetryMessage(KeyView):
    """``POST /messages/:id/retry``."""

    scope = SEND

    @extend_schema(
        operation_id="retryMessage",
        summary="Send a failed message again",
        tags=["Messages"],
        request=None,
        parameters=[ID_PARAMETER, IDEMPOTENCY_KEY],
        responses=answers(202, schemas.Retried, 404, 409, 429),
    )
    def post(self, request: Request, message_id: str) -> HttpResponse:
        """Only a message whose status is `failed`; it keeps its id and its timeline goes on."""
        account, once = caller(request), Once(request)
        try:
            fields = Fields(body_of(request))
            fields.refuse_lookalikes(lookalikes.AGAIN)
            fields.done()
            message = find_message(account, message_id)
        except Refusal as refusal:
            return once.given_or(refusal)
        with once.first() as again:
            if again.is_first:
                revise.retry(account, message.pk, as_test=key_of(request).is_test)
                again.respond(202, enveloped({"id": str(message.pk), "status": "queued"}))
        return once.response(again.answer)


class CancelMessage(KeyView):
    """``POST /messages/:id/cancel``."""

    scope = SEND

    @extend_schema(
        operation_id="cancelMessage",
        summary="Cancel a message that has not been sent",
        tags=["Messages"],
        request=None,
        parameters=[ID_PARAMETER],
        responses=answers(200, schemas.Canceled, 404, 409, 429, body=False),
    )
    def post(self, request: Request, message_id: str) -> Response:
        """Works until the message is handed to WhatsApp; after that it is a 409."""
        message = find_message(caller(request), message_id)
        revise.cancel(caller(request), message.pk, as_test=key_of(request).is_test)
        return ok({"id": str(message.pk), "status": "canceled"})
