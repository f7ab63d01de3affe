"""v1 API (``/v1/…``): its envelope, its types and codes, its status for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from core.correlation import correlation_id
from core.errors import Refusal
from core.http.base import DialectView
from core.http.wire import doc_url

#: everything below this address speaks this dialect, also what does not exist there
ROOT = "/v1"


@dataclass(frozen=True, slots=True)
class Word:
    """What a client sees of a refusal: the code it branches on, the HTTP status, the type."""

    code: str
    status: int
    type: str


_INVALID, _KEY, _FORBIDDEN = "validation_error", "authentication_error", "permission_error"
_MISSING, _TWICE = "not_found_error", "idempotency_error"

#: the core's own words for what this dialect names otherwise
_OTHER_NAMES = {
    "invalid_request": Word("invalid_request_body", 422, _INVALID),
    "idempotency_mismatch": Word("idempotency_key_in_use_with_different_params", 422, _TWICE),
    "idempotency_in_progress": Word("idempotency_key_in_progress", 409, _TWICE),
    "not_found": Word("endpoint_not_found", 404, _MISSING),
    "method_not_allowed": Word("endpoint_not_found", 405, _MISSING),  # J46
}
_BY_TYPE = {
    (401, _KEY): "invalid_api_key revoked_api_key expired_api_key",
    (402, "quota_error"): "quota_exceeded",
    (403, _FORBIDDEN): "insufficient_scope agent_not_authorized plan_not_eligible account_deactivated",
    (404, _MISSING): "message_not_found agent_not_found template_not_found",
    (406, _INVALID): "not_acceptable",
    (409, _INVALID): "conflict",
    (413, _INVALID): "body_too_large",
    (415, _INVALID): "unsupported_media_type",
    (422, _INVALID): (
        "invalid_request_body invalid_agent_id invalid_phone_number invalid_from_phone invalid_template_name "
        "from_phone_not_found_for_agent template_button_value_missing template_header_variable_missing "
        "template_header_too_many_parameters template_header_kind_mismatch "
        "template_header_media_url_invalid mixed_parameter_format recipient_opted_out "
        "template_refused_by_meta credentials_refused_by_meta"
    ),
    (429, "rate_limit_error"): "rate_limit_exceeded",
    (500, "internal_error"): "internal_error",
    (503, "upstream_error"): "upstream_unavailable",
}

#: the core's code of a refusal → what this dialect makes of it (contract 2.4)
CATALOGUE: dict[str, Word] = _OTHER_NAMES | {
    code: Word(code, status, kind) for (status, kind), codes in _BY_TYPE.items() for code in codes.split()
}
#: what of a refusal's extras a client is shown
_SHOWN = (
    *("available_phones", "required_scope", "original_correlation_id"),
    *("limit", "used", "remaining", "resets_at"),
)


def word_for(refusal: Refusal) -> Word:
    """Return code, status and type of a refusal; one that the catalogue lacks is the request's fault."""
    return CATALOGUE.get(refusal.code) or Word(refusal.code, 422, _INVALID)


def error_body(refusal: Refusal) -> dict[str, Any]:
    """Write a refusal in the envelope: of several faults the first, which ``param`` names (J44)."""
    word = word_for(refusal)
    message = refusal.extra.get("cause") or refusal.message
    param = refusal.extra.get("param")
    if refusal.fields:
        first = refusal.fields[0]
        param = param or first.field
        message = f"{first.field}: {first.message}" if first.field else first.message
    error = {
        "type": word.type,
        "code": word.code,
        "message": message,
        "correlation_id": correlation_id(),
        "doc_url": doc_url(word.code),
    }
    if param:
        error["param"] = param
    shown = {name: refusal.extra[name] for name in _SHOWN if refusal.extra.get(name) is not None}
    return {"error": error | shown}


def refused(refusal: Refusal) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Return a refusal's body, status and headers."""
    status = word_for(refusal).status
    headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return error_body(refusal), status, headers


class V1DialectView(DialectView):
    """Base of every view that speaks this dialect.

    Order of checks (J43): key, account, rate, ``allow`` (plan, scope), then the request itself.
    """

    always_tells_rate = False  # with a 429 only (J39)

    @staticmethod
    def refuse(refusal: Refusal, request: Request) -> Response:
        """Answer a refusal with the code and the status that the documents give it."""
        body, status, headers = refused(refusal)
        return Response(body, status=status, headers=headers)
