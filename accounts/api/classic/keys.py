"""Classic API views of keys: list them, make another, revoke one."""

from __future__ import annotations

import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import keys
from accounts.api.classic import schemas
from accounts.api.views import KeyView
from accounts.authentication import caller, key_of
from accounts.models import ApiKey
from accounts.plans import LIMITS, Plan
from core.errors import Refusal
from core.http.classic import ok, when
from core.http.fields import ID, Fields
from core.http.lookalikes import Danger, Shape
from core.http.openapi import answers
from core.http.wire import body_of

#: what a key can be told, beside what is dangerous to overlook
_FIELDS = ("name", "kind", "rateLimitPerMinute")
#: what people write in their place
_ALIKE = {
    **dict.fromkeys(("rateLimit", "requestsPerMinute", "rpm", "limit"), "rateLimitPerMinute"),
    **dict.fromkeys(("environment", "mode", "type", "test", "isTest", "live"), "kind"),
    # The dashboard makes keys for certain agents; they work under /v1.
    **dict.fromkeys(("agent", "agents", "agentId", "agentIds", "from", "number", "numbers"), ""),
    **dict.fromkeys(("phoneNumberId", "phoneNumberIds", "phoneNumbers", "allowedNumbers"), ""),
    **dict.fromkeys(("ip", "ips", "ipAddresses", "allowedIps", "ipAllow", "ipAllowlist", "ipWhitelist"), ""),
    **dict.fromkeys(("origins", "allowedOrigins", "domains", "templates", "recipients", "quota"), ""),
}
_NO_SUCH_LIMIT = (
    "A key cannot be limited in this way, so none was made. Limit it with scopes, rateLimitPerMinute or "
    "expiresAt; keys for certain agents are made in the dashboard."
)
_DOOR = Shape(
    {Danger.END: "expiresAt", Danger.ZONE: "timezone", Danger.RIGHTS: "scopes"},
    fields=_FIELDS,
    alike=_ALIKE,
    lacking=_NO_SUCH_LIMIT,
)
_KINDS = {"live": ApiKey.Kind.SK, "test": ApiKey.Kind.SK_TEST}


def key_object(key: ApiKey, *, current: bool) -> dict[str, Any]:
    """Write a key: what may be shown of it."""
    return {
        "id": str(key.pk),
        "name": key.name,
        "kind": "test" if key.is_test else "live",
        "prefix": key.prefix,
        "lastFour": key.last_four,
        "scopes": key.scopes,
        "current": current,
        "rateLimitPerMinute": key.rate_limit_per_minute,
        "createdAt": when(key.created_at),
        "lastUsedAt": when(key.last_used_at),
        "expiresAt": when(key.expires_at),
    }


class Keys(KeyView):
    """``GET`` and ``POST /auth/me/keys``."""

    @extend_schema(
        operation_id="listKeys",
        summary="Your API keys",
        tags=["Keys"],
        responses=answers(200, schemas.KeyObject, 429, many=True, body=False),
    )
    def get(self, request: Request) -> Response:
        """The keys that work; of each only its beginning and last four digits."""
        mine = key_of(request).pk
        return ok([key_object(key, current=key.pk == mine) for key in keys.active(caller(request))])

    @extend_schema(
        operation_id="createKey",
        summary="Make another API key",
        tags=["Keys"],
        request=schemas.KeyBody,
        responses=answers(201, schemas.NewKey, 409, 429),
    )
    def post(self, request: Request) -> Response:
        """A test key (`sk_test_…`) simulates every send. The key is shown in this answer only.

        Without `scopes` the key may do everything. A field that would restrict the key in a way that we do
        not have is refused, so that no key is wider than you meant it.
        """
        fields = Fields(body_of(request))
        fields.refuse_lookalikes(_DOOR)
        name = fields.text("name", required=True, longest=100)
        scopes = _scopes(fields)
        kind = fields.choice("kind", [*_KINDS]) or "live"
        rate = fields.whole("rateLimitPerMinute", least=1, most=10_000)
        expires_at = fields.moment("expiresAt", fields.zone("timezone"))
        if expires_at is not None and expires_at <= timezone.now():
            fields.fault("expiresAt", "Must be in the future.")
        most = LIMITS[Plan(caller(request).plan)].requests_per_minute
        if rate is not None and rate > most:
            fields.fault("rateLimitPerMinute", f"Your plan allows at most {most} requests a minute.")
        fields.done()
        if kind == "live" and key_of(request).is_test:
            raise Refusal("insufficient_scope", "A test key can only make test keys. Use a live one.")
        key, secret = keys.create(
            caller(request),
            kind=_KINDS[kind],
            name=name or "",
            scopes=scopes,
            rate_limit_per_minute=rate,
            expires_at=expires_at,
        )
        return ok(key_object(key, current=False) | {"apiKey": secret.reveal()}, status=201)


def _scopes(fields: Fields) -> list[str]:
    value = fields.data.get("scopes")
    if value is None:
        return ["*"]
    if not isinstance(value, list) or not value or any(one not in keys.SCOPES for one in map(str, value)):
        fields.fault("scopes", f"Must be a list of one or more of: {', '.join(keys.SCOPES)}.")
        return []
    return [str(one) for one in value]


class KeyDetail(KeyView):
    """``DELETE /auth/me/keys/:id``."""

    live_only = True

    @extend_schema(
        operation_id="revokeKey",
        summary="Revoke an API key",
        tags=["Keys"],
        request=None,
        parameters=[OpenApiParameter("key_id", {"type": "string", "format": "uuid"}, "path")],
        responses=answers(200, schemas.RevokedKey, 404, 409, 429, body=False),
    )
    def delete(self, request: Request, key_id: str) -> Response:
        """At once and for good. The last live key cannot be revoked."""
        if not ID.fullmatch(key_id):
            raise Refusal("not_found", keys.NO_KEY)
        keys.revoke(caller(request), uuid.UUID(key_id), reason="revoked through the API")
        return ok({"id": key_id, "revoked": True})
