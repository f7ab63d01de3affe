"""OpenAPI of the v1 API: its error envelope, the failures its operations share, its own document."""

from __future__ import annotations

from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import OpenApiResponse
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework import serializers

from core.http import v1
from core.http.openapi import idempotency_key

#: contract 2.1: everything under /v1 stays as it is, so its document has a version of its own
VERSION = "1.0.0"

_MEANINGS = {
    200: "OK",
    201: "Created",
    202: "Accepted: stored, and on its way",
    204: "Done",
    401: "The key is missing, malformed, unknown, revoked or expired.",
    402: "The plan's quota is used up.",
    403: "The key or the plan does not cover this.",
    404: "Not there, or not yours.",
    406: "The Accept header excludes application/json.",
    409: "A request with this Idempotency-Key is being worked on, or what is there already forbids it.",
    413: "The body is too large.",
    415: "The body is not JSON in UTF-8.",
    422: "A field is missing or wrong; `param` names it.",
    429: "The key's limit is used up; see Retry-After.",
    500: "Something went wrong on our side.",
    503: "Unavailable for a moment; see Retry-After.",
}


class V1:
    """The headings that operations are filed under."""

    SENDING = "v1: sending"
    READING = "v1: reading"
    TEMPLATES = "v1: templates"
    AGENTS = "v1: agents"


class ErrorV1(serializers.Serializer[Any]):
    """What went wrong: branch on ``code``; ``message`` may be reworded."""

    type = serializers.ChoiceField(sorted({word.type for word in v1.CATALOGUE.values()}))
    code = serializers.CharField()
    message = serializers.CharField(help_text="For people to read.")
    correlation_id = serializers.CharField(help_text="Of this request; also in X-Correlation-ID.")
    doc_url = serializers.CharField(required=False, help_text="The page that explains the code.")
    param = serializers.CharField(required=False, help_text="The field at fault.")
    available_phones = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Numbers that would do as `from`."
    )
    required_scope = serializers.CharField(required=False, help_text="The scope that the key lacks.")
    original_correlation_id = serializers.CharField(
        required=False, help_text="Of the request that used the Idempotency-Key first."
    )
    limit = serializers.IntegerField(required=False, help_text="Messages of the plan, with a 402.")
    used = serializers.IntegerField(required=False, help_text="Of these, used in this period.")
    remaining = serializers.IntegerField(required=False, help_text="Of these, left.")
    resets_at = serializers.DateTimeField(required=False, help_text="When the next period begins.")


class ErrorEnvelopeV1(serializers.Serializer[Any]):
    """The one shape of every error under /v1."""

    error = ErrorV1()


IDEMPOTENCY_KEY = idempotency_key(
    "The same key and body within 24 hours give the first answer again, with `Idempotent-Replayed: true`, "
    "and send nothing."
)


def answers(status: int, data: Any, *failures: int, body: bool = True) -> dict[Any, OpenApiResponse]:
    """List what an operation may answer: its success, its own failures and those all share."""
    shared = {401, 403, 406, 429, 500, 503} | ({413, 415, 422} if body else set())
    return {status: OpenApiResponse(data, _MEANINGS[status])} | {
        code: OpenApiResponse(ErrorEnvelopeV1, _MEANINGS[code]) for code in sorted(shared | set(failures))
    }


class V1Generator(SchemaGenerator):
    """Writes only what lies under ``/v1``."""

    def _get_paths_and_endpoints(self) -> list[Any]:
        found = super()._get_paths_and_endpoints()
        return [one for one in found if one[0].startswith(f"{v1.ROOT}/")]


class V1Document(SpectacularJSONAPIView):
    """``GET /v1/openapi.json``."""

    generator_class = V1Generator
    custom_settings = {
        "TITLE": "Hermod Public API",
        "DESCRIPTION": "Send WhatsApp texts and templates through your agents, and look up what became of "
        "them. Everything under /v1 is stable: only additions, never changes of meaning.",
        "VERSION": VERSION,
    }
