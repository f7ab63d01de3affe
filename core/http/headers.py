"""Security headers that Django 5.2 does not set by itself: a strict content security policy."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

_POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'; "
    "img-src 'self' data:"
)
# Swagger UI writes style attributes while it runs; no page of ours does.
_EXPLORER_POLICY = _POLICY + "; style-src 'self' 'unsafe-inline'"


class SecurityHeadersMiddleware:
    """Adds the policy, and forbids caching of every API answer: one carries a new key, others people."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        explorer = request.path == "/docs"
        response.headers.setdefault("Content-Security-Policy", _EXPLORER_POLICY if explorer else _POLICY)
        if response.headers.get("Content-Type", "").startswith(("application/json", "text/csv")):
            response.headers.setdefault("Cache-Control", "no-store")
        return response
