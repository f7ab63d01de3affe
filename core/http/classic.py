"""Classic API: its envelope, its status codes, its timestamps."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from core.errors import Invalid, Refusal
from core.http.base import DialectView
from core.http.wire import doc_url, when

__all__ = ["STATUS", "ClassicView", "enveloped", "error_body", "ok", "when"]

# The words of the core and the HTTP status that this dialect has for them (contract 1.4).
STATUS = {
    "invalid_request": 400,
    "recipient_opted_out": 400,
    "invalid_api_key": 401,
    "revoked_api_key": 401,
    "expired_api_key": 401,
    "account_deactivated": 403,
    "insufficient_scope": 403,
    "plan_not_eligible": 403,
    "agent_not_authorized": 403,
    "quota_exceeded": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "conflict": 409,
    "idempotency_mismatch": 409,
    "idempotency_in_progress": 409,
    "body_too_large": 413,
    "unsupported_media_type": 415,
    "rate_limit_exceeded": 429,
    "internal_error": 500,
    "upstream_unavailable": 503,
}


def enveloped(data: Any, **more: Any) -> dict[str, Any]:
    """Write ``{"success": true, "data": …}``."""
    return {"success": True, "data": data, **more}


def ok(data: Any, *, status: int = 200, **more: Any) -> Response:
    """Answer ``{"success": true, "data": …}``."""
    return Response(enveloped(data, **more), status=status)


def error_body(refusal: Refusal) -> dict[str, Any]:
    """Write a refusal in the envelope; ``details`` only when a request was malformed.

    ``code`` is the word of the catalogue (/developers/errors), additive to what the document has (W57b).
    """
    # All ways in which a key can be wrong look the same here, so they share a word and a page, too.
    code = "invalid_api_key" if STATUS.get(refusal.code) == 401 else refusal.code
    body: dict[str, Any] = {
        "success": False,
        "error": refusal.message,
        "code": code,
        "doc_url": doc_url(code),
    }
    if isinstance(refusal, Invalid):
        body["details"] = [{"field": fault.field, "message": fault.message} for fault in refusal.fields]
    return body


class ClassicView(DialectView):
    """Base of every view that speaks this dialect."""

    @staticmethod
    def refuse(refusal: Refusal, request: Request) -> Response:
        """Answer a refusal with the status that the document gives it."""
        response = Response(error_body(refusal), status=STATUS.get(refusal.code, 400))
        if refusal.retry_after is not None:
            response["Retry-After"] = str(refusal.retry_after)
        if response.status_code == 401:
            response["WWW-Authenticate"] = "Bearer"
        return response
