"""The WhatsAPI face of keys: list them, make another, revoke one."""

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
from core.http import lookalikes
from core.http.classic import ok, when
from core.http.fields import ID, Fields
from core.http.openapi import answers
from core.http.wire import body_of

_KINDS = {"live": ApiKey.Kind.SK, "test": ApiKey.Kind.SK_TEST}


def key_object(key: ApiKey, *, current: bool) -> dict[str, Any]:
    """Write a key: what may be shown of it."""
    return {
        "id": str(key.pk),
        "name": key.name,
        "kind": "test" if key.is_test else "live",
        "prefix": key.prefix,
        "lastFour": key.last_four,
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
        """A test key (`sk_test_…`) simulates every send. The key is shown in this answer only."""
        fields = Fields(body_of(request))
        fields.refuse_lookalikes(lookalikes.KEY)
        name = fields.text("name", required=True, longest=100)
        kind = fields.choice("kind", [*_KINDS]) or "live"
        rate = fields.whole("rateLimitPerMinute", least=1, most=10_000)
        expires_at = fields.moment("expiresAt")
        if expires_at is not None and expires_at <= timezone.now():
            fields.fault("expiresAt", "Must be in the future.")
        most = LIMITS[Plan(caller(request).plan)].requests_per_minute
        if rate is not None and rate > most:
            fields.fault("rateLimitPerMinute", f"Your plan allows at most {most} requests a minute.")
        fields.done()
        if kind == "live" and key_of(request).is_test:
            raise Refusal("insufficient_scope", "A test key can only make test keys. Use a live one.")
        keys.refuse_too_many(caller(request))
        key, secret = keys.issue(
            caller(request),
            kind=_KINDS[kind],
            name=(name or "").strip(),
            rate_limit_per_minute=rate,
            expires_at=expires_at,
        )
        return ok(key_object(key, current=False) | {"apiKey": secret.reveal()}, status=201)


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
