"""OpenAPI: the envelope around every answer, the failures every operation shares, the API key."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers

_MEANINGS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    400: "Validation failed; `details` lists each failing field.",
    401: "The Authorization header is missing or malformed, or the key is wrong.",
    403: "Your account has been deactivated.",
    404: "Not found, or not yours.",
    409: "Conflict with what is already there.",
    413: "The body is too large.",
    415: "The body is not JSON in UTF-8.",
    429: "Rate limit hit; see Retry-After.",
    500: "Something went wrong on our side.",
    503: "Paused or unavailable for a moment; see Retry-After.",
}


class FieldFault(serializers.Serializer[Any]):
    """One faulty field."""

    field = serializers.CharField(help_text="Path of the field; empty for the body as a whole.")
    message = serializers.CharField()


class ErrorEnvelope(serializers.Serializer[Any]):
    """The one shape of every error."""

    success = serializers.BooleanField(default=False)
    error = serializers.CharField(help_text="For people to read.")
    details = FieldFault(many=True, required=False, help_text="Only on 400.")


def enveloped(
    data: type[serializers.Serializer[Any]],
    *,
    many: bool = False,
    pagination: type[serializers.Serializer[Any]] | None = None,
) -> serializers.Serializer[Any]:
    """Wrap a schema in ``{"success": true, "data": …}``."""
    fields: dict[str, Any] = {"success": serializers.BooleanField(), "data": data(many=many)}
    if pagination is not None:
        fields["pagination"] = pagination()
    return inline_serializer(name=f"{data.__name__}{'List' if many else ''}Answer", fields=fields)


def answers(
    status: int,
    data: type[serializers.Serializer[Any]],
    *failures: int,
    public: bool = False,
    many: bool = False,
    pagination: type[serializers.Serializer[Any]] | None = None,
) -> dict[int, OpenApiResponse]:
    """List what an operation may answer: its success, its own failures and those all share."""
    shared = {400, 413, 415, 500} | (set() if public else {401, 403})
    found = {status: OpenApiResponse(enveloped(data, many=many, pagination=pagination), _MEANINGS[status])}
    for code in sorted(shared | set(failures)):
        found[code] = OpenApiResponse(ErrorEnvelope, _MEANINGS[code])
    return found


class HermodSchema(AutoSchema):
    """Schema of our views."""


class KeyScheme(OpenApiAuthenticationExtension):
    """Describes the bearer key."""

    target_class = "accounts.authentication.KeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "sk_live_… or mk_live_…",
            "description": "Your API key in the Authorization header.",
        }
