"""The correlation id: one per request, on every answer, in every log line, and on into the worker."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.request import HttpHeaders

from core.ids import ulid

HEADER = "X-Correlation-ID"
_IN_WSGI = HttpHeaders.to_wsgi_name(HEADER)
# Contract J47: a client's own id is honoured when it is short and harmless, else replaced.
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_current: ContextVar[str] = ContextVar("correlation_id", default="")


def correlation_id() -> str:
    """Return the id of the request being served, or an empty string outside of one."""
    return _current.get()


def new_correlation_id() -> str:
    """Return a fresh ``req_`` + ULID."""
    return "req_" + ulid()


class CorrelationMiddleware:
    """Takes or makes the id, binds it to the logs and puts it on the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Not ``request.headers``, which would read all of them for this one.
        given = request.META.get(_IN_WSGI, "")
        ident = given if _CLIENT_ID.fullmatch(given) else new_correlation_id()
        token = _current.set(ident)
        structlog.contextvars.clear_contextvars()  # the thread served somebody else before
        structlog.contextvars.bind_contextvars(correlation_id=ident)
        try:
            response = self.get_response(request)
        finally:
            structlog.contextvars.clear_contextvars()
            _current.reset(token)
        response[HEADER] = ident
        return response
