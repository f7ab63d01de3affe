"""Classic API views of events: what an endpoint is told, to be asked for."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import SEND, KeyView
from accounts.authentication import caller
from core.http.classic import ok
from core.http.openapi import answers
from core.http.query import Query
from webhooks.outgoing import pulling
from webhooks.outgoing.catalogue import CATALOGUE


class EventBody(serializers.Serializer[Any]):
    """What is sent to an endpoint, word for word."""

    event = serializers.ChoiceField(
        list(CATALOGUE), help_text="Its type; `/developers/events` has the JSON Schema of each."
    )
    timestamp = serializers.DateTimeField()
    data = serializers.DictField()  # type: ignore[assignment]
    id = serializers.RegexField("^evt_[0-9a-f]{32}$", help_text="`webhook-id` of every attempt.")


class EventsPagination(serializers.Serializer[Any]):
    """How to go on."""

    limit = serializers.IntegerField()
    nextAfter = serializers.CharField(help_text="Give it as `after` of the next call; it never expires.")
    hasMore = serializers.BooleanField(help_text="There are more already: call again at once.")


class Events(KeyView):
    """``GET /events``."""

    scope = SEND

    @extend_schema(
        operation_id="listEvents",
        summary="Events after one you know, oldest first",
        tags=["Webhooks"],
        parameters=[
            OpenApiParameter(
                "after",
                {"type": "string", "maxLength": 100},
                "query",
                description="An event's id, a `nextAfter`, or `latest` for what happens from now on. "
                "Without it: the oldest event that is kept.",
            ),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "default": pulling.DEFAULT},
                "query",
                description=f"At most {pulling.MOST}.",
            ),
        ],
        responses=answers(200, EventBody, 429, many=True, pagination=EventsPagination, body=False),
    )
    def get(self, request: Request) -> Response:
        """Fill a gap, or do without an endpoint. From the first call on events are kept for you."""
        query = Query(request)
        after = query.text("after", longest=100)
        limit = min(query.number("limit", pulling.DEFAULT), pulling.MOST)
        query.done()
        page = pulling.page(caller(request).pk, after=after, limit=limit)
        return ok(
            page.events,
            pagination={"limit": limit, "nextAfter": page.next_after, "hasMore": page.more},
        )
