"""v1 API views of templates: send one, list them."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import agents
from accounts.authentication import caller, key_of
from core.errors import Refusal, invalid
from core.http.fields import ID, Fields
from core.http.openapi_v1 import IDEMPOTENCY_KEY, V1, answers
from core.json import character_problem
from messaging.api.v1 import schemas
from messaging.api.v1.base import EXAMPLE, Send
from messaging.api.v1.template_shapes import read_template, template_object
from messaging.message_templates import listing as template_list

LIMIT_DEFAULT, LIMIT_MOST = 50, 200


def _query(name: str, description: str, **schema: Any) -> OpenApiParameter:
    return OpenApiParameter(name, {"type": "string"} | schema, "query", description=description)


class Templates(Send):
    """``POST`` and ``GET /v1/whatsapp/templates``."""

    read = staticmethod(read_template)

    @extend_schema(
        operation_id="sendWhatsAppTemplate",
        summary="Send a template",
        tags=[V1.SENDING],
        request=schemas.SendTemplateBody,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(202, schemas.MessageV1, 402, 409),
        examples=[
            OpenApiExample(
                "Template",
                EXAMPLE | {"template": {"name": "arabic_signup_message", "language": "ar"}},
                request_only=True,
            ),
            OpenApiExample(
                "With values",
                EXAMPLE
                | {
                    "template": {
                        "name": "order_shipped",
                        "language": "en",
                        "parameters": {"customer_name": "Sara", "tracking_url": "https://example.com/t/A1"},
                    }
                },
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> HttpResponse:
        """An approved template, at any time. Its values are checked before anything is queued."""
        return self.send(request)

    @extend_schema(
        operation_id="listWhatsAppTemplates",
        summary="Your templates",
        tags=[V1.TEMPLATES],
        parameters=[
            _query("agent_id", "Only what this agent's numbers can send.", format="uuid"),
            _query("name", "Only this name."),
            _query("language", "Only this language."),
            _query("status", "Only this status, for example APPROVED."),
            _query("limit", "How many at once.", type="integer", minimum=1, maximum=LIMIT_MOST),
            _query("cursor", "`next_cursor` of the page before.", format="uuid"),
        ],
        responses=answers(200, schemas.TemplatesV1, 422, body=False),
    )
    def get(self, request: Request) -> Response:
        """The templates as Meta keeps them, copied every half hour and followed in between."""
        wanted, limit, after = _wanted(request)
        found, following = template_list.page(caller(request), wanted, limit=limit, after=after)
        return Response(
            {
                "data": [template_object(one) for one in found],
                "next_cursor": str(following) if following else None,
            }
        )


def _wanted(request: Request) -> tuple[template_list.Wanted, int, uuid.UUID | None]:
    params = request.query_params
    for name in params:
        if len(params.getlist(name)) > 1:
            raise invalid(name, "Is given more than once.")
        if problem := character_problem(params[name]):
            raise invalid(name, problem)
    for name in ("agent_id", "cursor"):
        if name in params and not ID.fullmatch(params[name]):
            code = "invalid_agent_id" if name == "agent_id" else "invalid_request_body"
            raise invalid(name, "Must be a UUID.", code=code)
    text = params.get("limit", str(LIMIT_DEFAULT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LIMIT_MOST):
        raise invalid("limit", f"Must be a whole number from 1 to {LIMIT_MOST}.")
    fields = Fields({name: params[name] for name in params})
    key = key_of(request)
    agent_ids = key.agent_ids
    if "agent_id" in params:
        agent_id = uuid.UUID(params["agent_id"])
        if not key.may_use(agent_id):
            raise Refusal("agent_not_authorized", agents.NOT_YOURS)
        agent_ids = [str(agent_id)]
    wanted = template_list.Wanted(
        agent_ids=agent_ids,
        name=fields.text("name", longest=512),
        language=fields.text("language", longest=20),
        status=fields.text("status", longest=30),
    )
    fields.done()
    return wanted, int(text), uuid.UUID(params["cursor"]) if "cursor" in params else None
