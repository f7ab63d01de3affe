"""Base view of the v1 API: each key's own counter, the plan that includes it, its scopes."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.api.views import READ, SEND, refuse_below_pro, refuse_unscoped, requests_per_minute
from accounts.authentication import caller, key_of
from core.http.v1 import V1DialectView

__all__ = ["READ", "REQUESTS_PER_MINUTE", "SEND", "V1View"]

#: contract 2.7: what a key has unless it was given another limit
REQUESTS_PER_MINUTE = 60


def by_key(request: Request) -> list[tuple[str, int]]:
    """Count by key, apart from what it does in the other dialect; a rotated one goes on where it stood."""
    key = key_of(request)
    return [(f"v1:{key.window}", requests_per_minute(key, caller(request), REQUESTS_PER_MINUTE))]


class V1View(V1DialectView):
    """A view below ``/v1``.

    Any of the scopes opens it (``reads`` for GET, ``writes`` for the rest), and the first is the one that
    a refusal asks for.
    """

    rate = staticmethod(by_key)
    reads: tuple[str, ...] = (SEND, READ)
    writes: tuple[str, ...] = (SEND,)

    def allow(self, request: Request) -> None:
        """Refuse a plan without this API, then a key whose scopes do not cover this view."""
        refuse_below_pro(caller(request))
        only_reads = request.method in ("GET", "HEAD", "OPTIONS")
        refuse_unscoped(key_of(request), self.reads if only_reads else self.writes)
