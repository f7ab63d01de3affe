"""Classic API views of endpoints: the default one, more of them, their secrets."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import KeyView
from accounts.authentication import caller
from accounts.plans import LIMITS, Plan
from core.errors import FieldError
from core.http.classic import ok, when
from core.http.fields import Fields
from core.http.lookalikes import Shape
from core.http.openapi import answers
from core.http.wire import body_of
from webhooks.api.classic import schemas
from webhooks.api.classic.base import ENDPOINT_ID, id_of
from webhooks.models import Endpoint
from webhooks.outgoing import endpoints

#: what people write for what narrows an endpoint
_ALIKE = {
    **dict.fromkeys(
        ("event", "eventTypes", "types", "topics", "subscriptions", "filter", "filters"), "events"
    ),
    **dict.fromkeys(("active", "isActive", "disabled", "paused"), "enabled"),
    **dict.fromkeys(("header", "customHeaders"), "headers"),
    **dict.fromkeys(("agent", "agents", "agentIds", "numbers", "phoneNumberIds", "statuses"), ""),
}
_NO_SUCH_FILTER = "An endpoint cannot be narrowed in this way; choose its events. Nothing was done."
_DOOR = Shape(
    {},
    fields=("url", "description", "events", "headers", "enabled"),
    alike=_ALIKE,
    lacking=_NO_SUCH_FILTER,
)


def read(request: Request, *, need_url: bool) -> endpoints.Given:
    """Read what a request wants of an endpoint; raises ``Invalid`` with everything that is wrong."""
    fields = Fields(body_of(request))
    fields.refuse_lookalikes(_DOOR)
    url = fields.text("url", required=need_url, longest=2_000)
    description = fields.text("description", longest=200, blank=True)
    enabled = fields.flag("enabled") if fields.given("enabled") else None
    events = _texts(fields, "events")
    headers = fields.mapping("headers")
    for name, value in (headers or {}).items():
        if not isinstance(value, str):
            fields.faults.append(FieldError(f"headers.{name[:64]}", "Must be a string."))
    given = endpoints.Given(url, description, events, headers, enabled)
    if fields.faults:
        fields.done()
    return given


def _texts(fields: Fields, name: str) -> list[str] | None:
    value = fields.data.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        fields.fault(name, "Must be a list of strings.")
        return None
    if len(value) > 100:
        fields.fault(name, "Must have at most 100 items.")
        return None
    return value


def shown(endpoint: Endpoint) -> dict[str, Any]:
    """Write an endpoint: everything but its secrets."""
    return {
        "id": str(endpoint.pk),
        "url": endpoint.url,
        "description": endpoint.description,
        "events": endpoint.events,
        "headerNames": endpoints.header_names(endpoint),
        "isDefault": endpoint.is_default,
        "enabled": endpoint.enabled,
        "disabledReason": endpoint.off or None,
        "failingSince": when(endpoint.failing_since),
        "lastAttemptAt": when(endpoint.last_attempt_at),
        "lastSuccessAt": when(endpoint.last_success_at),
        "previousSecretUntil": when(endpoint.previous_secret_until),
        "createdAt": when(endpoint.created_at),
    }


class Webhook(KeyView):
    """``PUT`` and ``DELETE /auth/me/webhook``."""

    live_only = True

    @extend_schema(
        operation_id="saveWebhook",
        summary="Set your webhook",
        tags=["Account"],
        request=schemas.WebhookBody,
        responses=answers(200, schemas.WebhookSaved, 409, 429),
    )
    def put(self, request: Request) -> Response:
        """Every status of your messages is posted there, and what people write to you, a tapped button's
        payload included. The secret is in the first answer only.
        """
        endpoint, secret = endpoints.save_default(caller(request), read(request, need_url=True))
        data = {"webhookUrl": endpoint.url, "endpointId": str(endpoint.pk), "events": endpoint.events}
        return ok(data | ({"secret": secret.reveal()} if secret else {}))

    @extend_schema(
        operation_id="removeWebhook",
        summary="Remove your webhook",
        tags=["Account"],
        request=None,
        responses=answers(200, schemas.WebhookRemoved, 429, body=False),
    )
    def delete(self, request: Request) -> Response:
        """Nothing is posted any more. Safe to repeat."""
        endpoints.remove_default(caller(request))
        return ok({"webhookUrl": None})


class Endpoints(KeyView):
    """``GET`` and ``POST /webhook-endpoints``."""

    live_only = True

    @extend_schema(
        operation_id="listEndpoints",
        summary="Your webhook endpoints",
        tags=["Webhooks"],
        responses=answers(200, schemas.EndpointObject, 429, many=True, body=False),
    )
    def get(self, request: Request) -> Response:
        """All of them, the default one included; secrets are never shown again."""
        return ok([shown(endpoint) for endpoint in endpoints.of_account(caller(request))])

    @extend_schema(
        operation_id="createEndpoint",
        summary="Add a webhook endpoint",
        tags=["Webhooks"],
        request=schemas.EndpointBody,
        responses=answers(201, schemas.NewEndpoint, 409, 429),
    )
    def post(self, request: Request) -> Response:
        """The secret is shown in this answer and never again. Without `events` it gets all of them."""
        account = caller(request)
        plan_has = LIMITS[Plan(account.plan)].endpoints
        endpoint, secret = endpoints.create(account, read(request, need_url=True), plan_has=plan_has)
        return ok(shown(endpoint) | {"secret": secret.reveal()}, status=201)


class EndpointDetail(KeyView):
    """``GET``, ``PATCH`` and ``DELETE /webhook-endpoints/:id``."""

    live_only = True

    @extend_schema(
        operation_id="getEndpoint",
        summary="One webhook endpoint",
        tags=["Webhooks"],
        parameters=[ENDPOINT_ID],
        responses=answers(200, schemas.EndpointObject, 404, 429, body=False),
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        """How it is set and how it is doing."""
        return ok(shown(endpoints.find(caller(request), id_of(endpoint_id))))

    @extend_schema(
        operation_id="changeEndpoint",
        summary="Change, enable or disable a webhook endpoint",
        tags=["Webhooks"],
        parameters=[ENDPOINT_ID],
        request=schemas.EndpointChanges,
        responses=answers(200, schemas.EndpointObject, 404, 429),
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        """Only what is given changes. What waits is dropped when you disable it and can be replayed."""
        given = read(request, need_url=False)
        return ok(shown(endpoints.change(caller(request), id_of(endpoint_id), given)))

    @extend_schema(
        operation_id="removeEndpoint",
        summary="Remove a webhook endpoint",
        tags=["Webhooks"],
        parameters=[ENDPOINT_ID],
        request=None,
        responses=answers(200, schemas.EndpointRemoved, 404, 429, body=False),
    )
    def delete(self, request: Request, endpoint_id: str) -> Response:
        """At once and for good."""
        endpoints.remove(caller(request), id_of(endpoint_id))
        return ok({"id": endpoint_id.lower(), "removed": True})


class RotateSecret(KeyView):
    """``POST /webhook-endpoints/:id/rotate-secret``."""

    live_only = True

    @extend_schema(
        operation_id="rotateEndpointSecret",
        summary="Replace an endpoint's secret",
        tags=["Webhooks"],
        parameters=[ENDPOINT_ID],
        request=None,
        responses=answers(200, schemas.NewEndpoint, 404, 429, body=False),
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        """Shown only here. For 24 hours requests carry two signatures: by the new secret and the old one."""
        endpoint, secret = endpoints.rotate_secret(caller(request), id_of(endpoint_id))
        return ok(shown(endpoint) | {"secret": secret.reveal()})
