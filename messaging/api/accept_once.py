"""What the sending faces of both dialects share: a POST that happens once and knocks on the engine's door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.authentication import caller, key_of
from core.errors import invalid
from core.failpoints import failpoint
from core.http.lookalikes import meant_by
from core.http.wire import body_of
from core.jobs.wakeup import wake
from messaging.queue import idempotency

#: status and body of an answer
Accepted = tuple[int, dict[str, Any]]


def refuse_in_address(request: Request) -> None:
    """Refuse what would be dangerous to overlook and stands in the address. Raises ``Invalid``."""
    for name in request.query_params:
        if meant_by(name) is not None:
            raise invalid(name, "Is not read in the address. Put it into the JSON body.")


def accept_once(
    request: Request,
    work: Callable[[], Accepted],
    *,
    key: str | None,
    replay_header: str,
    tell_first: bool = False,
) -> HttpResponse:
    """Do ``work`` once per Idempotency-Key and answer with what it returned, then or now."""

    def kept() -> Accepted:
        answer = work()
        failpoint("accept.before_commit")
        return answer

    key, print_ = _own(request, key), _fingerprint(request)
    answer = idempotency.once(caller(request), key, print_, kept, tell_first=tell_first)
    failpoint("accept.after_commit")
    if not answer.replayed:
        wake("messages")
    failpoint("accept.before_response")
    return _response(answer, replay_header)


def given_before(request: Request, *, key: str | None, replay_header: str) -> HttpResponse | None:
    """Return the answer that this very request got in the last 24 hours, if it got one."""
    key = _own(request, key)
    answer = idempotency.given(caller(request), key, _fingerprint(request)) if key is not None else None
    return None if answer is None else _response(answer, replay_header)


def _own(request: Request, key: str | None) -> str | None:
    return idempotency.rehearsed(key) if key is not None and key_of(request).is_test else key


def _fingerprint(request: Request) -> bytes:
    return idempotency.fingerprint(request.method or "", request.path, body_of(request))


def _response(answer: idempotency.Answer, replay_header: str) -> HttpResponse:
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
    if answer.replayed:
        response[replay_header] = "true"
    return response
