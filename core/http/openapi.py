"""OpenAPI: the envelope around every answer, the failures every operation shares, the API key."""

from __future__ import annotations

from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, inline_serializer
from rest_framework import serializers

from core.http.v1 import V1DialectView

_MEANINGS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    400: "Validation failed; `details` lists each failing field.",
    401: "The Authorization header is missing or malformed, or the key is wrong.",
    403: "Your account has been deactivated, or the key or the plan does not cover this.",
    404: "Not found, or not yours.",
    406: "The Accept header excludes application/json.",
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
    code = serializers.CharField(help_text="For programs: a stable word; see /developers/errors.")
    doc_url = serializers.CharField(required=False, help_text="The page that explains this kind of error.")
    details = FieldFault(many=True, required=False, help_text="Only on 400.")


def idempotency_key(description: str) -> OpenApiParameter:
    """Describe the header that makes repeating a request safe."""
    schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"}
    return OpenApiParameter("Idempotency-Key", schema, OpenApiParameter.HEADER, description=description)


IDEMPOTENCY_KEY = idempotency_key(
    "The same key within 24 hours gives the first answer again and does nothing; with another request it is "
    "a 409."
)

_WHOLE = {"schema": {"type": "integer"}}
_RATE_HEADERS = {
    "X-RateLimit-Limit": {"description": "Requests a minute that your plan, or this key, has.", **_WHOLE},
    "X-RateLimit-Remaining": {"description": "Requests left in this window.", **_WHOLE},
    "X-RateLimit-Reset": {"description": "When the window ends, in Unix seconds.", **_WHOLE},
}
_CORRELATION = {
    "description": "The request's id: the client's own when it sent one, else a new one.",
    "schema": {"type": "string"},
}
_RETRY_AFTER = {"description": "Seconds to wait before trying again.", **_WHOLE}


@cache  # one identity for one name: two would look to the generator like two schemas
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
    body: bool = True,
) -> dict[Any, OpenApiResponse]:
    """List what an operation may answer: its success, its own failures and those all share."""
    found = {status: OpenApiResponse(enveloped(data, many=many, pagination=pagination), _MEANINGS[status])}
    return found | refusals(*failures, public=public, body=body)


def refusals(*failures: int, public: bool = False, body: bool = True) -> dict[Any, OpenApiResponse]:
    """List the ways in which an operation says no; ``body``: it reads one."""
    shared = {400, 406, 500, 503} | (set() if public else {401, 403}) | ({413, 415} if body else set())
    return {code: OpenApiResponse(ErrorEnvelope, _MEANINGS[code]) for code in sorted(shared | set(failures))}


class HermodSchema(AutoSchema):
    """Schema of our views: the headers of every answer are part of it."""

    def _get_response_headers_for_code(
        self, status_code: str, direction: str = "response"
    ) -> dict[str, dict[str, Any]]:
        headers: dict[str, Any] = super()._get_response_headers_for_code(status_code, direction)
        v1 = isinstance(self.view, V1DialectView)
        if (status_code.startswith("2") and not v1) or status_code == "429":
            headers |= _RATE_HEADERS
        if v1:
            headers["X-Correlation-ID"] = _CORRELATION
        if status_code in ("429", "503"):
            headers["Retry-After"] = _RETRY_AFTER
        return headers


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
