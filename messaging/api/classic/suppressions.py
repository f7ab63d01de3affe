"""Classic API views of the suppression list, and the set-up's test message."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import SEND, KeyView
from accounts.authentication import caller, key_of
from accounts.connections import default_number
from accounts.models import Account, Number
from core.errors import Refusal, invalid
from core.http import lookalikes
from core.http.classic import enveloped, ok, when
from core.http.fields import PHONE, Fields
from core.http.openapi import IDEMPOTENCY_KEY, answers
from core.http.query import LIMIT_DEFAULT, LIMIT_MOST, PAGES, Query
from core.http.wire import body_of
from messaging import suppressions
from messaging.api.classic import schemas
from messaging.api.classic.base import Once
from messaging.compose.drafts import HELLO_WORLD, Draft
from messaging.models import Message, Suppression
from messaging.queue import accept
from messaging.queue.accept import Origin


def suppression_object(row: Suppression) -> dict[str, Any]:
    """Write an entry of the list."""
    return {
        "to": row.phone,
        "reason": row.reason,
        "marketingOnly": row.marketing_only,
        "note": row.note,
        "createdAt": when(row.created_at),
    }


class Suppressions(KeyView):
    """``GET`` and ``POST /suppressions``."""

    live_only = True  # there is one list; a rehearsal must neither silence people nor undo their stop

    @extend_schema(
        operation_id="listSuppressions",
        summary="Recipients you must not write to",
        tags=["Suppressions"],
        parameters=[
            *PAGES,
        ],
        responses=answers(
            200, schemas.SuppressionObject, 429, many=True, pagination=schemas.PlainPages, body=False
        ),
    )
    def get(self, request: Request) -> Response:
        """Newest first. Stop words and WhatsApp's own opt-outs are added by themselves."""
        query = Query(request)
        limit, page = min(query.number("limit", LIMIT_DEFAULT), LIMIT_MOST), query.number("page", 1)
        query.done()
        rows = Suppression.objects.filter(account=caller(request)).order_by("-id")
        total = rows.count()
        first = min((page - 1) * limit, total)
        return ok(
            [suppression_object(row) for row in rows[first : first + limit]],
            pagination={"page": page, "limit": limit, "total": total, "totalPages": -(-total // limit)},
        )

    @extend_schema(
        operation_id="addSuppression",
        summary="Stop writing to somebody",
        tags=["Suppressions"],
        request=schemas.SuppressionBody,
        responses=answers(201, schemas.SuppressionObject, 429),
    )
    def post(self, request: Request) -> Response:
        """Messages to this number are refused from now on, and those already queued fail."""
        fields = Fields(body_of(request))
        phone = fields.phone("to")
        marketing_only = fields.flag("marketingOnly")
        note = fields.text("note", longest=200) or ""
        fields.done()
        row = suppressions.suppress(
            caller(request).pk,
            phone,
            reason=Suppression.Reason.MANUAL,
            marketing_only=marketing_only,
            note=note,
        )
        return ok(suppression_object(row), status=201)


class SuppressionDetail(KeyView):
    """``DELETE /suppressions/:to``."""

    live_only = True

    @extend_schema(
        operation_id="removeSuppression",
        summary="Allow writing to somebody again",
        tags=["Suppressions"],
        request=None,
        parameters=[OpenApiParameter("phone", {"type": "string", "pattern": f"^{PHONE.pattern}$"}, "path")],
        responses=answers(200, schemas.SuppressionRemoved, 404, 429, body=False),
    )
    def delete(self, request: Request, phone: str) -> Response:
        """Only when the person has asked for it."""
        if not PHONE.fullmatch(phone) or not suppressions.lift(caller(request).pk, phone):
            raise Refusal("not_found", "This number is not on the list.")
        return ok({"to": phone, "removed": True})


class TestMessage(KeyView):
    """``POST /auth/me/test-message``."""

    scope = SEND

    @extend_schema(
        operation_id="sendTestMessage",
        summary="Send hello_world to yourself",
        tags=["Account"],
        request=schemas.TestMessageBody,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(202, schemas.Accepted, 409, 429),
    )
    def post(self, request: Request) -> HttpResponse:
        """For the set-up: needs verified credentials, then marks the first send as done."""
        account = caller(request)
        fields = Fields(body_of(request))
        once = Once(request)
        try:
            fields.refuse_lookalikes(lookalikes.TRY)
            to = fields.phone("to")
            dry_run = fields.flag("dry_run", alias="dryRun")
            fields.done()
            number = default_number(account)
            if number is None or number.status != Number.Status.ACTIVE:
                raise invalid(
                    "credentials", "Verify your credentials first: POST /auth/me/credentials/verify."
                )
        except Refusal as refusal:
            return once.given_or(refusal)
        with once.first() as sending:
            if sending.is_first:
                origin = Origin(Message.Source.CLASSIC, account, key_of(request))
                queued = accept.queue(origin, Draft(to=to, what=HELLO_WORLD, dry_run=dry_run))
                state = {**account.onboarding, "firstMessageQueued": True}
                Account.objects.filter(pk=account.pk).update(onboarding=state)
                told = {"id": str(queued.id), "status": queued.status, "scheduledFor": None}
                sending.respond(202, enveloped(told))
        return once.response(sending.answer)
