"""What the sending faces of both dialects share: a POST that happens once and knocks on the engine's door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from accounts.authentication import caller
from config.celery import wake
from config.dialects.wire import body_of
from config.failpoints import failpoint
from messaging import idempotency

#: status and body of an answer
Accepted = tuple[int, dict[str, Any]]


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

    print_ = idempotency.fingerprint(request.method or "", request.path, body_of(request))
    answer = idempotency.once(caller(request), key, print_, kept, tell_first=tell_first)
    failpoint("accept.after_commit")
    if not answer.replayed:
        wake("messages")
    failpoint("accept.before_response")
    response = HttpResponse(answer.body, status=answer.status, content_type="application/json")
    if answer.replayed:
        response[replay_header] = "true"
    return response
