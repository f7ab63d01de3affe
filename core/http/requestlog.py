"""The log of API calls that customers see: who called what, when, with which answer; never what was said.

A call costs its request one append to a list in memory. A thread of the process writes the list to Redis
once a second, as a capped list per account that expires, so the log stays small by itself and needs no
table. It is a convenience: when Redis is away, or a process is killed, the last second's entries are lost
and nothing else is. Bodies, query strings, headers and keys are never taken in.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from core.correlation import correlation_id
from core.logs import redact
from core.redis import RedisUnavailable, ask

#: how often the thread writes
FLUSH_SECONDS = 1.0
#: entries held in memory at most; a flood, or a Redis that is away, drops the oldest of them
HELD = 5_000
#: entries written in one round trip
WRITTEN_TOGETHER = 500
KEPT_SECONDS = 7 * 24 * 3600
PATH_LONGEST = 200
ERROR_LONGEST = 200

_held: deque[tuple[str, bytes]] = deque(maxlen=HELD)
_starting = threading.Lock()
_thread_of: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One call: ``key`` is the key's visible ends, ``error`` the sentence of a refusal."""

    correlation_id: str
    at: datetime
    method: str
    path: str
    status: int
    milliseconds: float
    key: str
    error: str

    @property
    def failed(self) -> bool:
        """Tell whether the answer was a refusal or a fault of ours."""
        return self.status >= 400


class RequestLogMiddleware:
    """Notes each call that came with a known API key. Stands inside the correlation id's middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        key = getattr(request, "auth", None)  # DRF leaves here what it authenticated
        if key is not None and settings.REQUEST_LOG_ENTRIES:
            _note(request, response, key, time.perf_counter() - started)
        return response


def _note(request: HttpRequest, response: HttpResponse, key: Any, seconds: float) -> None:
    entry = [
        correlation_id(),
        time.time(),
        request.method,
        redact(request.path)[:PATH_LONGEST],
        response.status_code,
        round(seconds * 1000, 1),
        str(key),
        _error(response) if response.status_code >= 400 else "",
    ]
    _held.append((str(key.account_id), orjson.dumps(entry)))
    if _thread_of != os.getpid():
        _start()


def _error(response: HttpResponse) -> str:
    """Return the sentence of a refusal, in whichever dialect; what was refused is not part of it."""
    body = getattr(response, "data", None)
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        error = error.get("message")
    return redact(error)[:ERROR_LONGEST] if isinstance(error, str) else ""


def _start() -> None:
    """Start the writing thread, once per process; a forked worker starts its own."""
    global _thread_of
    with _starting:
        if _thread_of == os.getpid():
            return
        _thread_of = os.getpid()
        threading.Thread(target=_write_for_ever, name="request log", daemon=True).start()
        atexit.register(flush)


def _write_for_ever() -> None:
    while True:
        time.sleep(FLUSH_SECONDS)
        flush()


def flush() -> int:
    """Write what is held to Redis; returns how many entries. What Redis does not take is dropped."""
    written = 0
    while _held:
        lines: dict[str, list[bytes]] = {}
        for _ in range(min(WRITTEN_TOGETHER, len(_held))):
            try:
                account_id, line = _held.popleft()
            except IndexError:  # dropped by an append meanwhile
                break
            lines.setdefault(account_id, []).append(line)
        try:
            ask(lambda client, lines=lines: _write(client, lines))  # type: ignore[misc]
        except RedisUnavailable:
            return written
        written += sum(map(len, lines.values()))
    return written


def _write(client: redis.Redis, lines: dict[str, list[bytes]]) -> None:
    with client.pipeline(transaction=False) as together:
        for account_id, its in lines.items():
            name = _name(account_id)
            together.lpush(name, *its)
            together.ltrim(name, 0, settings.REQUEST_LOG_ENTRIES - 1)
            together.expire(name, KEPT_SECONDS)
        together.execute()


def _name(account_id: object) -> str:
    return f"hermod:calls:{account_id}"


def calls(account_id: object) -> list[Call]:
    """Return an account's last calls, newest first. Raises ``RedisUnavailable``."""
    lines = ask(lambda client: client.lrange(_name(account_id), 0, -1))
    found = [_call(orjson.loads(line)) for line in lines]
    return sorted(found, key=lambda call: call.at, reverse=True)  # several processes write


def _call(entry: list[Any]) -> Call:
    ident, at, *rest = entry
    return Call(ident, datetime.fromtimestamp(at, UTC), *rest)
