"""Base of both APIs' sending views: a POST that happens once and wakes the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.authentication import caller, key_of
from core.errors import Refusal
from core.failpoints import failpoint
from core.http import lookalikes
from core.http.wire import body_of
from core.jobs.wakeup import wake
from messaging.queue import idempotency


class OncePerKey:
    """A POST that happens once per Idempotency-Key; each dialect says how it is read and a replay marked.

    Making one raises ``Invalid`` for a key that none can be, and for what is nearly one in the headers.
    """

    read_key: Callable[[str | None], str | None]
    replay_header: str
    #: a twin that waited in vain is told whose request works on it
    tells_first = False

    def __init__(self, request: Request) -> None:
        lookalikes.refuse_in_headers(request.META)
        self._account = caller(request)
        self._key = type(self).read_key(request.META.get("HTTP_IDEMPOTENCY_KEY"))
        self._print = b""
        if self._key is not None:
            self._print = idempotency.fingerprint(request.method or "", request.path, body_of(request))
            if key_of(request).is_test:
                self._key = idempotency.rehearsed(self._key)

    def given(self) -> HttpResponse | None:
        """Return the answer that this very request got in the last 24 hours, if it got one.

        Raises ``Refusal`` (``idempotency_mismatch``) when its key was used with another request.
        """
        if self._key is None:
            return None
        answer = idempotency.given(self._account, self._key, self._print)
        return None if answer is None else self.response(answer)

    def given_or(self, refusal: Refusal) -> HttpResponse:
        """Return the answer that a request got which would be refused today; raises ``refusal`` if none.

        What was accepted once is answered alike when it comes again: its time may have passed, its plan
        be a smaller one.
        """
        with suppress(Refusal):  # a key that is another request's: what is wrong with this one matters more
            if (answer := self.given()) is not None:
                return answer
        raise refusal

    @contextmanager
    def first(self) -> Iterator[idempotency.Request]:
        """Begin the transaction (see ``idempotency.first``); wake the engine after it."""
        key, print_, tells = self._key, self._print, self.tells_first
        with idempotency.first(self._account, key, print_, tell_first=tells) as request:
            yield request
            failpoint("accept.before_commit")
        failpoint("accept.after_commit")
        if request.is_first:
            wake("messages")
        failpoint("accept.before_response")

    def response(self, answer: idempotency.Answer) -> HttpResponse:
        """Return what is sent back, after the transaction."""
        response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
        if answer.replayed:
            response[self.replay_header] = "true"
        return response
