"""Stripe's endpoint: an event is verified over its raw bytes and lies in the inbox before it is answered."""

from __future__ import annotations

import time

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from billing import events, stripe_api
from billing.signatures import genuine
from core.errors import Refusal
from core.http.classic import error_body
from core.http.wire import content_length
from core.jobs.wakeup import wake
from core.json_signed import Unreadable
from webhooks.incoming import stripe_events

log = structlog.get_logger(__name__)

#: Stripe's events are a few kilobytes
MAX_BYTES = 1024 * 1024


@method_decorator(csrf_exempt, name="dispatch")
class StripeCallback(View):
    """``POST /webhooks/stripe``."""

    http_method_names = ["post"]

    def http_method_not_allowed(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Answer a wrong verb in JSON."""
        response = _refuse(Refusal("method_not_allowed", "This method is not allowed here."), 405)
        response["Allow"] = "POST"
        return response

    def post(self, request: HttpRequest) -> HttpResponse:
        """Verify, store, answer 200; the worker asks Stripe what is true. A refused event leaves no row.

        What Stripe has signed is stored, also what cannot be read: an operator finds it parked.
        """
        secrets = [one.strip() for one in settings.STRIPE_WEBHOOK_SECRET.split(",") if one.strip()]
        if not secrets or not stripe_api.configured():
            return _refuse(Refusal("upstream_unavailable", "Billing is not set up on this server."), 503)
        try:
            raw = _read(request)
            if not genuine(raw, request.META.get("HTTP_STRIPE_SIGNATURE", ""), secrets, now=time.time()):
                log.warning("event refused: wrong, old or missing signature")
                return _refuse(Refusal("invalid_signature", "The signature is missing or wrong."), 401)
        except Refusal as refusal:
            return _refuse(refusal, 413)
        event = _event_in(raw)
        if event is not None and event.livemode is (not stripe_api.livemode()):
            log.warning("event refused: of the other mode", stripe_event=event.id[:100])
            return _refuse(Refusal("wrong_mode", "This event is of the other mode, test or live."), 400)
        try:
            fresh = stripe_events.receive(raw, event)
        except DatabaseError:
            # Stripe keeps an event that was not answered with 200 and brings it again, for days.
            log.exception("event not stored")
            response = _refuse(Refusal("upstream_unavailable", "Not stored; send it again."), 503)
            response["Retry-After"] = "2"
            return response
        if fresh:
            wake("billing")
        return JsonResponse({"received": True})


def _event_in(raw: bytes) -> events.Event | None:
    try:
        return events.read(raw)
    except Unreadable as error:
        log.warning("what Stripe signed is no event", why=str(error))
        return None


def _read(request: HttpRequest) -> bytes:
    too_large = Refusal("body_too_large", f"The body is larger than {MAX_BYTES} bytes.")
    if content_length(request) > MAX_BYTES:
        raise too_large
    raw: bytes = request.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise too_large
    return raw


def _refuse(refusal: Refusal, status: int) -> HttpResponse:
    return JsonResponse(error_body(refusal), status=status)
