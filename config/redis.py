"""The one Redis client of the process: short timeouts, and a breaker so that a dead Redis costs nothing."""

from __future__ import annotations

import threading
import time
from functools import cache

import redis
from django.conf import settings

# A hanging Redis must not hold up an accept: one such wait, then none for BREAK_SECONDS.
TIMEOUT_SECONDS = 0.05
BREAK_SECONDS = 5.0

_lock = threading.Lock()
_broken_until = 0.0


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


def publish(channel: str) -> int:
    """Ring on ``channel`` and return how many listeners heard it; raises ``RedisUnavailable``."""
    global _broken_until
    if time.monotonic() < _broken_until:
        raise RedisUnavailable
    try:
        return int(client().publish(channel, b"1"))
    except redis.RedisError as error:
        with _lock:
            _broken_until = time.monotonic() + BREAK_SECONDS
        raise RedisUnavailable from error
