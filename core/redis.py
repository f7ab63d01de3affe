"""The one Redis client of the process: short timeouts, and a breaker so that a dead Redis costs nothing."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import redis
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)
T = TypeVar("T")

# A hanging Redis must not hold up accepts: a few such waits, then none for BREAK_SECONDS. One alone may
# be a busy machine's.
TIMEOUT_SECONDS = 0.1
FAILURES_TO_BREAK = 3
BREAK_SECONDS = 5.0
#: what goes without Redis says so this often while it is away
TELL_EVERY_SECONDS = 10.0

_lock = threading.Lock()
_broken_until = 0.0
_failures = 0


class RedisUnavailable(Exception):
    """Redis did not answer now, or did not moments ago."""


@cache
def client() -> redis.Redis:
    """Return the process's client; callers treat every ``redis.RedisError`` as "not there"."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=None,
        single_connection_client=False,
    )


@cache
def _script(text: str) -> redis.commands.core.Script:
    return client().register_script(text)


class Rarely:
    """Tells whether it is time to say something again, for what would otherwise fill the log."""

    def __init__(self, every: float = TELL_EVERY_SECONDS) -> None:
        self._every = every
        self._last = -math.inf

    def __call__(self) -> bool:
        """Return True at first, and then at most once in so many seconds."""
        now = time.monotonic()
        if now - self._last < self._every:
            return False
        self._last = now
        return True


def guarded(call: Callable[[], T]) -> T:
    """Return what a call to Redis gives; raises ``RedisUnavailable``, at once while the breaker is open."""
    global _broken_until, _failures
    if time.monotonic() < _broken_until:
        raise RedisUnavailable
    try:
        answer = call()
    except redis.RedisError as error:
        with _lock:
            _failures += 1
            if _failures >= FAILURES_TO_BREAK:
                _failures = 0
                _broken_until = time.monotonic() + BREAK_SECONDS
        log.warning("Redis does not answer", error=repr(error))
        raise RedisUnavailable from error
    _failures = 0
    return answer


def publish(channel: str) -> int:
    """Ring on ``channel`` and return how many listeners heard it; raises ``RedisUnavailable``."""
    return int(guarded(lambda: client().publish(channel, b"1")))


def evaluate(script: str, keys: Sequence[str], values: Sequence[Any]) -> list[Any]:
    """Run a Lua script in one round trip; raises ``RedisUnavailable``."""
    return list(guarded(lambda: _script(script)(keys=list(keys), args=list(values))))


def ask(call: Callable[[redis.Redis], T]) -> T:
    """Do something else with the client, a pipeline for instance; raises ``RedisUnavailable``."""
    return guarded(lambda: call(client()))
