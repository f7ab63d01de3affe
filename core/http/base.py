"""Base view of both APIs: counting requests, and the one way out for failures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog
from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.errors import Refusal
from core.http import ratelimits
from core.http.lookalikes import refuse_in_address

log = structlog.get_logger(__name__)


class DialectView(APIView):
    """An API view whose every failure leaves through its dialect's ``refuse``."""

    #: without OPTIONS, to which DRF would answer in words of its own
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]
    #: set by each dialect's base view
    refuse: Callable[..., Response]
    #: tells, for an authenticated request, the names that are counted, each with its limit a minute; the app
    #: that knows keys and plans sets it
    rate: Callable[[Request], Sequence[tuple[str, int]]] | None = None
    #: whether every answer says how the caller stands, or only a refusal for this reason
    always_tells_rate = True

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Note that the client takes no JSON, and say so when it is known who asks (W58)."""
        self.takes_no_json: exceptions.NotAcceptable | None = None
        anything = not request.META.get("HTTP_ACCEPT", "").strip()
        try:
            return super().perform_content_negotiation(request, force or anything)
        except exceptions.NotAcceptable as refused:
            self.takes_no_json = refused
            return super().perform_content_negotiation(request, True)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Find out who asks, whether they may, and how often they did."""
        try:
            super().initial(request, *args, **kwargs)
        except Refusal:
            self._count_refused(request)
            raise
        if self.takes_no_json is not None:
            raise self.takes_no_json
        self.allow(request)
        if request.method not in ("GET", "HEAD"):
            refuse_in_address(request.query_params)

    def allow(self, request: Request) -> None:
        """Raise ``Refusal`` when the key may not do this; the app that knows keys and plans says when."""

    def _count_refused(self, request: Request) -> None:
        """Tell also a caller that is known and not allowed how it stands (contract 1.7)."""
        # Not ``request.auth``: after a refused key that would look the key up once more.
        known = getattr(request._request, "auth", None) is not None
        if not known or not self.always_tells_rate or hasattr(self, "rate_headers"):
            return
        if self.rate is not None:
            self.rate_headers = ratelimits.hit_all(self.rate(request)).headers()
            self.rate_headers.pop("Retry-After", None)  # waiting would not help

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Response]:
        """Replace DRF's handler: bad key, bad JSON, wrong verb and crashes all pass here."""
        reads = self.parser_classes[0].media_type
        return lambda error, context: self.refuse(as_refusal(error, reads=reads), self.request)

    def check_throttles(self, request: Request) -> None:
        """Count the request; raises ``Refusal`` (``rate_limit_exceeded``) when the window is used up."""
        if self.rate is None:
            return
        verdict = ratelimits.hit_all(self.rate(request))
        if self.always_tells_rate or not verdict.admitted:
            self.rate_headers = verdict.headers()
        if not verdict.admitted:
            raise ratelimits.exceeded(verdict)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Put the rate headers on the answer, whatever it is."""
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in getattr(self, "rate_headers", {}).items():
            response[name] = value
        return response


def as_refusal(error: Exception, *, reads: str | None = None) -> Refusal:
    """Translate whatever a view raised into a ``Refusal``; a bug is logged and becomes ``internal_error``.

    ``reads`` is the type of body that the view takes.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, exceptions.MethodNotAllowed):
        return Refusal("method_not_allowed", "This method is not allowed here.")
    if isinstance(error, exceptions.UnsupportedMediaType):
        return Refusal("unsupported_media_type", f"Send the body as {reads or 'application/json'}.")
    if isinstance(error, exceptions.NotAcceptable):
        return Refusal("not_acceptable", "Only application/json is available here.")
    if isinstance(error, RequestDataTooBig):
        return Refusal("body_too_large", "The body is too large.")
    if isinstance(error, Http404 | exceptions.NotFound):
        return Refusal("not_found", "Not found.")
    if isinstance(error, exceptions.ParseError):
        return Refusal("invalid_request", "The request could not be read.")
    if isinstance(error, OperationalError | InterfaceError):
        # The database is restarting or full: nothing was committed, so the client may simply try again.
        log.error("the database did not answer", exc_info=error)
        return Refusal(
            "upstream_unavailable",
            "The service cannot store anything right now. Try again in a moment.",
            retry_after=2,
        )
    log.error("request failed", exc_info=error)
    return Refusal("internal_error", "Something went wrong on our side. Try again in a moment.")
