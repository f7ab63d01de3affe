"""Classic API views of the delivery log: what was delivered, once more, all of a time, a test event."""

from __future__ import annotations

from typing import Any

import orjson
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import KeyView
from accounts.authentication import caller
from core.http.classic import ok, when
from core.http.fields import Fields
from core.http.lookalikes import Danger, Shape
from core.http.openapi import answers
from core.http.query import Query
from core.http.wire import body_of
from webhooks.api.classic import schemas
from webhooks.api.classic.base import DELIVERY_ID, ENDPOINT_ID, id_of
from webhooks.models import Attempt, Delivery
from webhooks.outgoing import delivery_log, endpoints

DEFAULT, MOST = 20, 100


def shown(delivery: Delivery) -> dict[str, Any]:
    """Write a delivery with its attempts."""
    return {
        "id": str(delivery.pk),
        "eventId": delivery.event.public_id,
        "event": delivery.event.type,
        "status": delivery.status,
        "createdAt": when(delivery.created_at),
        "deliveredAt": when(delivery.delivered_at),
        "nextAttemptAt": when(delivery.due_at),
        "attempts": [_attempt(one) for one in sorted(delivery.log.all(), key=lambda one: one.number)],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": when(attempt.at),
        "milliseconds": attempt.milliseconds,
        "url": attempt.url,
        "status": attempt.status,
        "error": attempt.error or None,
        "requestHeaders": attempt.request_headers,
        "response": attempt.response,
    }


def detail(delivery: Delivery) -> dict[str, Any]:
    """Write a delivery with its attempts and its body."""
    return shown(delivery) | {"body": orjson.loads(delivery.event.body)}


#: what people write for what a replay is narrowed by
_REPLAY_ALIKE = {
    **dict.fromkeys(("from", "start", "after"), "since"),
    **dict.fromkeys(("to", "end", "before"), "until"),
    **dict.fromkeys(("only", "what", "status", "missed", "all"), "which"),
    **dict.fromkeys(("limit", "events", "event", "eventTypes", "types", "ids"), ""),
}
_NO_SUCH_CHOICE = "A replay is chosen by since, until and which; nothing was done."
_REPLAY = Shape(
    {Danger.ZONE: "timezone"},
    {Danger.REHEARSAL: "There is no rehearsal of a replay; nothing was done. Leave this out."},
    fields=("since", "until", "which"),
    alike=_REPLAY_ALIKE,
    lacking=_NO_SUCH_CHOICE,
)


class Deliveries(KeyView):
    """``GET /webhook-endpoints/:id/deliveries``."""

    @extend_schema(
        operation_id="listDeliveries",
        summary="What was sent to an endpoint, newest first",
        tags=["Webhooks"],
        parameters=[
            ENDPOINT_ID,
            OpenApiParameter("status", {"type": "string", "enum": list(Delivery.Status.values)}, "query"),
            OpenApiParameter("before", {"type": "string", "format": "uuid"}, "query"),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "default": DEFAULT},
                "query",
                description=f"At most {MOST}.",
            ),
        ],
        responses=answers(
            200,
            schemas.DeliveryObject,
            404,
            429,
            many=True,
            pagination=schemas.DeliveriesPagination,
            body=False,
        ),
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """With every attempt: its headers, status, how the answer began, how long it took."""
        query = Query(request)
        status = query.choice("status", Delivery.Status.values)
        before = query.uuid("before")
        limit = min(query.number("limit", DEFAULT), MOST)
        query.done()
        endpoint = endpoints.find(caller(request), id_of(endpoint_id))
        found = delivery_log.of_endpoint(endpoint, status=status, before=before, limit=limit + 1)
        page = found[:limit]
        more = str(page[-1].pk) if len(found) > limit else None
        return ok([shown(one) for one in page], pagination={"limit": limit, "nextBefore": more})


class DeliveryDetail(KeyView):
    """``GET /webhook-endpoints/:id/deliveries/:delivery``."""

    @extend_schema(
        operation_id="getDelivery",
        summary="One delivery with what was sent",
        tags=["Webhooks"],
        parameters=[ENDPOINT_ID, DELIVERY_ID],
        responses=answers(200, schemas.DeliveryDetail, 404, 429, body=False),
    )
    def get(self, request: Request, endpoint_id: str, delivery_id: str) -> Response:
        """The body is the one that every attempt carries."""
        endpoint = endpoints.find(caller(request), id_of(endpoint_id))
        return ok(detail(delivery_log.find(endpoint, id_of(delivery_id))))


class Replay(KeyView):
    """``POST /webhook-endpoints/:id/deliveries/:delivery/replay``."""

    live_only = True

    @extend_schema(
        operation_id="replayDelivery",
        summary="Deliver an event once more",
        tags=["Webhooks"],
        parameters=[ENDPOINT_ID, DELIVERY_ID],
        request=None,
        responses=answers(202, schemas.DeliveryDetail, 404, 409, 429, body=False),
    )
    def post(self, request: Request, endpoint_id: str, delivery_id: str) -> Response:
        """With the same id and body, and the whole schedule of attempts before it."""
        delivery = delivery_log.replay(caller(request), id_of(endpoint_id), id_of(delivery_id))
        return ok(detail(delivery), status=202)


class ReplayRange(KeyView):
    """``POST /webhook-endpoints/:id/replay``."""

    live_only = True

    @extend_schema(
        operation_id="replayEvents",
        summary="Deliver the events of a time once more",
        tags=["Webhooks"],
        parameters=[ENDPOINT_ID],
        request=schemas.ReplayBody,
        responses=answers(202, schemas.Replayed, 404, 409, 429),
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """At most 100,000 at a time, in their order. What is on its way already is left alone."""
        fields = Fields(body_of(request))
        fields.refuse_lookalikes(_REPLAY)
        zone = fields.zone("timezone")
        since = fields.moment("since", zone)
        if not fields.given("since"):
            fields.fault("since", "This field is required.")
        until = fields.moment("until", zone) or timezone.now()
        which = fields.choice("which", ["missed", "all"])
        fields.done()
        assert since is not None
        count = delivery_log.replay_range(
            caller(request), id_of(endpoint_id), since=since, until=until, everything=which == "all"
        )
        return ok({"replayed": count}, status=202)


class SendTest(KeyView):
    """``POST /webhook-endpoints/:id/test``."""

    live_only = True

    @extend_schema(
        operation_id="testEndpoint",
        summary="Send a test event",
        tags=["Webhooks"],
        parameters=[ENDPOINT_ID],
        request=None,
        responses=answers(202, schemas.DeliveryDetail, 404, 409, 429, body=False),
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """A `webhook.test` goes to this endpoint alone; look at its delivery for what it answered."""
        return ok(detail(delivery_log.send_test(caller(request), id_of(endpoint_id))), status=202)
