"""Meta's endpoint: the handshake (GET) and the callbacks (POST), answered before anything is applied."""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Iterator

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from accounts import connections
from accounts.models import Number
from accounts.vault import CannotOpen
from core.errors import Refusal
from core.failpoints import failpoint
from core.http.classic import error_body
from core.http.wire import content_length
from core.jobs.wakeup import wake
from core.secret import Secret
from messaging.inbound.apply_callbacks import open_envelope
from messaging.meta.callbacks import Named, is_signature, named_in, signature_ok
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

log = structlog.get_logger(__name__)

#: Meta sends at most 3 MB
MAX_BYTES = 4 * 1024 * 1024
_CHALLENGE = re.compile(r"[0-9A-Za-z_-]{1,128}")


@method_decorator(csrf_exempt, name="dispatch")
class MetaCallback(View):
    """``/webhooks/whatsapp`` for every number, ``/webhooks/whatsapp/{callback_key}`` for one."""

    http_method_names = ["get", "post"]

    def http_method_not_allowed(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        """Answer a wrong verb in JSON."""
        response = _refuse(Refusal("method_not_allowed", "This method is not allowed here."), 405)
        response["Allow"] = "GET, POST"
        return response

    def get(self, request: HttpRequest, callback_key: str | None = None) -> HttpResponse:
        """Meta's handshake: the challenge comes back when the verify token is right."""
        expected = settings.META_VERIFY_TOKEN
        if callback_key is not None:
            number = Number.objects.filter(callback_key=callback_key, removed_at=None).first()
            expected = number.verify_token if number else ""
        given = request.GET.get("hub.verify_token", "")
        challenge = request.GET.get("hub.challenge", "")
        genuine = bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
        if not genuine or request.GET.get("hub.mode") != "subscribe" or not _CHALLENGE.fullmatch(challenge):
            return HttpResponse("Forbidden", status=403, content_type="text/plain")
        return HttpResponse(challenge, content_type="text/plain")

    def post(self, request: HttpRequest, callback_key: str | None = None) -> HttpResponse:
        """Verify the signature over the raw bytes, store them, answer 200.

        Whatever is genuine is stored, also what cannot be read: an operator finds it parked.
        """
        header = request.META.get("HTTP_X_HUB_SIGNATURE_256", "")
        try:
            account_id, genuine, raw = None, False, b""
            if is_signature(header):
                raw = _read(request)
                account_id, genuine = self._signer(header, raw, callback_key)
            if not genuine:
                log.warning("callback refused: wrong or missing signature")
                return _refuse(Refusal("invalid_signature", "The signature is missing or wrong."), 401)
        except Refusal as refusal:
            return _refuse(refusal, 413)
        envelope = open_envelope(raw)
        failpoint("hook.before_commit")
        try:
            fresh = inbox.receive(
                source=InboundEvent.Source.META,
                account_id=account_id,
                raw=envelope.raw,
                names=envelope.refs(),
            )
        except DatabaseError:
            # Meta keeps a callback that was not answered with 200 and brings it again, for days.
            log.exception("callback not stored")
            response = _refuse(Refusal("upstream_unavailable", "Not stored; send it again."), 503)
            response["Retry-After"] = "2"
            return response
        failpoint("hook.after_commit")
        if fresh:
            wake("inbox")
        failpoint("hook.before_response")
        return JsonResponse({"success": True})

    def _signer(self, header: str, raw: bytes, callback_key: str | None) -> tuple[uuid.UUID | None, bool]:
        """Find out who signed: the service's secret (None) or an account's.

        The service's own secret is tried first, without the database: a flood of unsigned calls to the
        shared path costs one hash each, unless it names a number of a customer with an own secret.
        """
        if callback_key is None and signature_ok(raw, header, [Secret(settings.META_APP_SECRET)]):
            return None, True
        for account_id, secret in self._secrets(raw, callback_key):
            if signature_ok(raw, header, [secret]):
                return account_id, True
        if callback_key is not None and signature_ok(raw, header, [Secret(settings.META_APP_SECRET)]):
            number = Number.objects.filter(callback_key=callback_key, removed_at=None).first()
            return (number.account_id, True) if number else (None, False)
        return None, False

    @staticmethod
    def _secrets(raw: bytes, callback_key: str | None) -> Iterator[tuple[uuid.UUID, Secret]]:
        named = named_in(raw) if callback_key is None else Named([], [])
        numbers = connections.with_secrets(
            callback_key=callback_key or "", phones=named.phones, wabas=named.wabas
        )
        for number in numbers:
            try:
                yield number.account_id, number.app_secret
            except CannotOpen as error:
                log.error("an app secret cannot be opened", connection=str(number.pk), error=str(error))


def _read(request: HttpRequest) -> bytes:
    if content_length(request) > MAX_BYTES:
        raise Refusal("body_too_large", f"The body is larger than {MAX_BYTES} bytes.")
    raw: bytes = request.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise Refusal("body_too_large", f"The body is larger than {MAX_BYTES} bytes.")
    return raw


def _refuse(refusal: Refusal, status: int) -> HttpResponse:
    return JsonResponse(error_body(refusal), status=status)
