"""Classic API views of reading: one message, lists, batches, the CSV export, statistics."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from django.http import StreamingHttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import SEND, KeyView
from accounts.authentication import caller
from core import csvfile
from core.errors import Refusal
from core.http.classic import ok, when
from core.http.fields import PHONE
from core.http.openapi import answers, refusals
from core.http.query import LIMIT_DEFAULT, LIMIT_MOST, PAGES, Query
from messaging.api.classic import schemas
from messaging.api.classic.base import ID, ID_PARAMETER, find_message
from messaging.models import Message
from messaging.reports import analytics, reading
from messaging.status.transitions import details_of
from messaging.status.words import meant, shown

_FILTERS = [
    OpenApiParameter("status", {"type": "string", "enum": schemas.STATUSES}, "query"),
    OpenApiParameter("batchId", {"type": "string", "format": "uuid"}, "query"),
    OpenApiParameter("to", {"type": "string", "pattern": f"^{PHONE.pattern}$"}, "query"),
    OpenApiParameter("createdFrom", {"type": "string", "format": "date-time"}, "query"),
    OpenApiParameter("createdTo", {"type": "string", "format": "date-time"}, "query"),
    OpenApiParameter(
        "timezone",
        {"type": "string", "maxLength": 100},
        "query",
        description="IANA name: what `createdFrom` and `createdTo` are read in when they have no offset.",
    ),
    OpenApiParameter(
        "search",
        {"type": "string", "minLength": 1, "maxLength": 255},
        "query",
        description="Our id, WhatsApp's id, or the recipient's number.",
    ),
]


def message_object(message: Message) -> dict[str, Any]:
    """Write a message as the document does, without its timeline."""
    return {
        "id": str(message.id),
        "to": message.recipient,
        "type": message.type,
        "body": message.body,
        "template": message.content.get("template"),
        "status": shown(message.status),
        "batchId": str(message.batch_id) if message.batch_id else None,
        "scheduledFor": when(message.scheduled_for),
        "sentAt": when(message.sent_at),
        "deliveredAt": when(message.delivered_at),
        "readAt": when(message.read_at),
        "failedAt": when(message.failed_at),
        "errorMessage": message.error_message,
        "errorCode": message.error_code,
        "errorDetails": details_of(message.failure, message.error_detail),
        "failure": message.failure or None,
        "wamid": message.wamid,
        "metadata": message.metadata,
        "dryRun": message.dry_run,
        "createdAt": when(message.created_at),
    }


def filters_of(query: Query) -> reading.Wanted:
    """Read the filters of a list of messages."""
    status = query.choice("status", schemas.STATUSES)
    statuses = meant(status) if status else None
    to = query.text("to", longest=20)
    if to is not None and not PHONE.fullmatch(to):
        query.fault("to", "Must be a phone number: digits only, without the plus.")
    zone = query.zone("timezone")
    return reading.Wanted(
        statuses=statuses,
        batch_id=query.uuid("batchId"),
        to=to,
        search=query.text("search", longest=255),
        created_from=query.moment("createdFrom", zone),
        created_to=query.moment("createdTo", zone),
    )


class MessageDetail(KeyView):
    """``GET /messages/:id``."""

    scope = SEND

    @extend_schema(
        operation_id="getMessage",
        summary="A message and its delivery history",
        tags=["Messages"],
        parameters=[ID_PARAMETER],
        responses=answers(200, schemas.MessageObject, 404, 429, body=False),
    )
    def get(self, request: Request, message_id: str) -> Response:
        """Status and timeline, oldest entry first. A foreign or malformed id is a 404 like an unknown one."""
        message = find_message(caller(request), message_id)
        timeline = [{"status": status, "at": when(at)} for status, at in reading.timeline(message)]
        return ok(message_object(message) | {"timeline": timeline})


class MessageList(KeyView):
    """``GET /messages``."""

    scope = SEND

    @extend_schema(
        operation_id="listMessages",
        summary="Your messages, newest first",
        tags=["Messages"],
        parameters=[
            *_FILTERS,
            *PAGES,
            OpenApiParameter(
                "cursor",
                {"type": "string", "format": "uuid"},
                "query",
                description="`nextCursor` of the page before; quick at any depth.",
            ),
        ],
        responses=answers(
            200, schemas.MessageItem, 429, many=True, pagination=schemas.Pagination, body=False
        ),
    )
    def get(self, request: Request) -> Response:
        """Pages by number, or by cursor. `limit` is at most 200."""
        query = Query(request)
        wanted = filters_of(query)
        limit = min(query.number("limit", LIMIT_DEFAULT), LIMIT_MOST)
        number = query.number("page", 1)
        cursor = query.uuid("cursor")
        query.done()
        page = reading.page(caller(request), wanted, limit=limit, number=number, cursor=cursor)
        pagination: dict[str, Any] = {"limit": limit, "nextCursor": page.next_cursor}
        if page.total is not None:
            pagination |= {
                "page": number,
                "total": page.total,
                "totalPages": -(-page.total // limit),
                "totalIsCapped": page.capped,
            }
        return ok([message_object(message) for message in page.messages], pagination=pagination)


class BatchDetail(KeyView):
    """``GET /messages/batches/:id``."""

    scope = SEND

    @extend_schema(
        operation_id="getBatch",
        summary="How a bulk send stands",
        tags=["Messages"],
        parameters=[OpenApiParameter("batch_id", {"type": "string", "format": "uuid"}, "path")],
        responses=answers(200, schemas.BatchObject, 404, 429, body=False),
    )
    def get(self, request: Request, batch_id: str) -> Response:
        """Its messages counted by status; the messages themselves: `GET /messages?batchId=…`."""
        if not ID.fullmatch(batch_id):
            raise Refusal("not_found", "No batch found with this id.")
        found, counts = reading.batch(caller(request), uuid.UUID(batch_id))
        by_status: dict[str, int] = {}
        for status, count in counts.items():
            by_status[shown(status)] = by_status.get(shown(status), 0) + count
        return ok(
            {
                "batchId": str(found.pk),
                "totalMessages": found.total,
                "queued": found.total - found.refused,
                "failedCount": found.refused,
                "byStatus": by_status,
                "createdAt": when(found.created_at),
            }
        )


_COLUMNS = [
    "id",
    "to",
    "type",
    "status",
    "body",
    "template",
    "batchId",
    "createdAt",
    "scheduledFor",
    "sentAt",
    "deliveredAt",
    "readAt",
    "failedAt",
    "errorCode",
    "failure",
    "errorMessage",
    "errorDetails",
    "wamid",
    "templateLanguage",
    "metadata",
]


class Export(KeyView):
    """``GET /messages/export``."""

    scope = SEND

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Give CSV to whoever asks for it, by whatever name; a refusal is JSON as everywhere."""
        return super().perform_content_negotiation(request, True)

    @extend_schema(
        operation_id="exportMessages",
        summary="Your messages as CSV",
        tags=["Messages"],
        parameters=_FILTERS,
        responses={
            (200, "text/csv"): OpenApiResponse({"type": "string"}, "The file, streamed."),
            **refusals(429, body=False),
        },
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The same filters as the list. UTF-8 with a byte order mark; `metadata` is JSON. Cells that a
        spreadsheet would run get a leading apostrophe.
        """
        query = Query(request)
        wanted = filters_of(query)
        query.done()
        rows = map(_cells, reading.export(caller(request), wanted))
        response = StreamingHttpResponse(
            csvfile.lines(_COLUMNS, rows), content_type="text/csv; charset=utf-8"
        )
        response["Content-Disposition"] = 'attachment; filename="messages.csv"'
        return response


def _cells(message: Message) -> list[object]:
    written = message_object(message)
    template = written["template"] or {}
    written |= {"template": template.get("name"), "templateLanguage": template.get("language")}
    written["metadata"] = orjson.dumps(message.metadata).decode() if message.metadata else None
    return [written[name] for name in _COLUMNS]


class Summary(KeyView):
    """``GET /analytics/summary``."""

    scope = SEND

    @extend_schema(
        operation_id="getSummary",
        summary="Delivery statistics",
        tags=["Analytics"],
        parameters=[
            OpenApiParameter("from", {"type": "string", "format": "date"}, "query"),
            OpenApiParameter("to", {"type": "string", "format": "date"}, "query"),
        ],
        responses=answers(200, schemas.SummaryObject, 429, body=False),
    )
    def get(self, request: Request) -> Response:
        """All messages, or those accepted from `from` to `to` (UTC days). Rates are parts of the total."""
        query = Query(request)
        since, until = query.day("from"), query.day("to")
        if since and until and since > until:
            query.fault("from", "Must not be after to.")
        zone = query.zone("timezone")
        if zone is not None and zone.key != "UTC":
            query.fault("timezone", "Statistics are kept by days of UTC. Leave this out.")
        query.done()
        found = analytics.summary(caller(request), since=since, until=until)
        return ok(
            {
                "total": found.total,
                "byStatus": found.by_status,
                "deliveryRate": found.delivery_rate,
                "failureRate": found.failure_rate,
                "byDay": [
                    {"day": day.isoformat(), "byStatus": counts} for day, counts in found.by_day.items()
                ],
                "byTemplate": [
                    {"template": name, "byStatus": counts} for name, counts in found.by_template.items()
                ],
                "byErrorCode": {str(code): count for code, count in found.by_error.items()},
            }
        )
