"""Requests a minute: a fixed window per key or address, counted atomically in one round trip to Redis.

Without Redis the limiter lets everything through and says so loudly: refusing paying customers because
a counter is gone would be the worse failure.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog

from core import redis as our_redis
from core.errors import Refusal

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60

# The clock is Redis's own, so that all web processes agree on where a window begins. A refused request
# is not counted: the counter never runs away from the limit.
_HIT = """
local now = tonumber(redis.call('TIME')[1])
local window = tonumber(ARGV[2])
local reset = (math.floor(now / window) + 1) * window
local key = KEYS[1] .. ':' .. reset
local used = tonumber(redis.call('GET', key) or '0')
local limit = tonumber(ARGV[1])
if used >= limit then return {0, used, reset, now} end
used = redis.call('INCR', key)
if used == 1 then redis.call('EXPIREAT', key, reset + 1) end
return {1, used, reset, now}
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass, and what its headers say."""

    admitted: bool
    limit: int
    remaining: int
    reset: int  # Unix time at which the window ends
    retry_after: int  # seconds until then, at least 1

    def headers(self) -> dict[str, str]:
        """Return the headers of contract 1.7."""
        found = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }
        if not self.admitted:
            found["Retry-After"] = str(self.retry_after)
        return found


_tell = our_redis.Rarely()


def hit(name: str, *, limit: int, window: int = WINDOW_SECONDS) -> Verdict:
    """Count one request of ``name`` against ``limit`` per ``window`` seconds."""
    try:
        answer = our_redis.evaluate(_HIT, [f"hermod:rate:{name}"], [limit, window])
    except our_redis.RedisUnavailable:
        if _tell():
            log.error("rate limits are off: Redis does not answer")
        now = int(time.time())
        reset = (now // window + 1) * window
        return Verdict(True, limit, limit, reset, reset - now)
    admitted, used, reset, now = (int(part) for part in answer)
    return Verdict(bool(admitted), limit, max(0, limit - used), reset, max(1, reset - now))


def exceeded(verdict: Verdict) -> Refusal:
    """Return the refusal of a request that was not admitted."""
    return Refusal(
        "rate_limit_exceeded",
        f"Rate limit of {verdict.limit} requests a minute reached. "
        f"Try again in {verdict.retry_after} seconds.",
        retry_after=verdict.retry_after,
    )
