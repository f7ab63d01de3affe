"""v1 API views of accounts: its agents, and the numbers that each sends from."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import agents
from accounts.api.v1 import schemas
from accounts.api.views_v1 import V1View
from accounts.authentication import caller, key_of
from accounts.models import Agent, Number
from billing.overview import room_for_agent
from core.errors import Refusal
from core.http.fields import ID, Fields
from core.http.openapi_v1 import V1, answers
from core.http.wire import body_of, when


def number_object(number: Number) -> dict[str, Any]:
    """Write a number; ``phone`` null: not verified with Meta yet."""
    return {
        "phone": f"+{number.display_phone}" if number.display_phone else None,
        "verified_name": number.verified_name or None,
        "active": number.is_active and bool(number.display_phone),
        "status": number.status,
        "business_account_id": number.waba_id or None,
    }


def agent_object(agent: Agent, numbers: list[Number]) -> dict[str, Any]:
    """Write an agent with its numbers."""
    return {
        "id": str(agent.pk),
        "name": agent.name,
        "is_default": agent.is_default,
        "numbers": [number_object(number) for number in numbers],
        "created_at": when(agent.created_at),
    }


class Agents(V1View):
    """``GET`` and ``POST /v1/agents``."""

    writes = ("*",)

    @extend_schema(
        operation_id="listAgents",
        summary="Your agents and their numbers",
        tags=[V1.AGENTS],
        responses=answers(200, schemas.AgentsV1, body=False),
    )
    def get(self, request: Request) -> Response:
        """What can be given as `agent_id` and `from`: the agents that this key may use."""
        found = agents.listed(caller(request), only=key_of(request).agent_ids)
        return Response({"data": [agent_object(one, one.numbers) for one in found]})  # type: ignore[attr-defined]

    @extend_schema(
        operation_id="createAgent",
        summary="Add an agent",
        tags=[V1.AGENTS],
        request=schemas.AgentBody,
        responses=answers(201, schemas.AgentV1, 409),
    )
    def post(self, request: Request) -> Response:
        """A brand, a branch or a bot of yours. It sends once a number is assigned to it."""
        refuse_limited(request)
        name = read_name(request)
        with room_for_agent(caller(request)):
            agent = agents.create(caller(request), name)
        return Response(agent_object(agent, []), status=201)


class AgentDetail(V1View):
    """``PATCH /v1/agents/{id}``."""

    writes = ("*",)

    @extend_schema(
        operation_id="renameAgent",
        summary="Rename an agent",
        tags=[V1.AGENTS],
        request=schemas.AgentBody,
        parameters=[OpenApiParameter("agent_id", {"type": "string", "format": "uuid"}, "path")],
        responses=answers(200, schemas.AgentV1, 404),
    )
    def patch(self, request: Request, agent_id: str) -> Response:
        """Its id and its numbers stay."""
        refuse_limited(request)
        name = read_name(request)
        if not ID.fullmatch(agent_id):
            raise Refusal("agent_not_found", agents.NO_AGENT)
        agent = agents.rename(caller(request), uuid.UUID(agent_id), name)
        (found,) = agents.listed(caller(request), only=[str(agent.pk)])
        return Response(agent_object(found, found.numbers))  # type: ignore[attr-defined]


def refuse_limited(request: Request) -> None:
    """Refuse a test key, and one that is limited to certain agents: neither may change which there are."""
    if key_of(request).is_test:
        raise Refusal("insufficient_scope", "A test key cannot change the account.", required_scope="*")
    if key_of(request).agent_ids is not None:
        raise Refusal("agent_not_authorized", "This API key is limited to certain agents.")


def read_name(request: Request) -> str:
    """Read the one field."""
    fields = Fields(body_of(request))
    name = fields.text("name", required=True, longest=200) or ""
    fields.done()
    return name
