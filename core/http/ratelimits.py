"""Requests a minute: fixed windows of accounts, keys, addresses, counted atomically in one trip to Redis.

Without Redis the limiter lets everything through and says so loudly: refusing paying customers because
a counter is gone would be the worse failure.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
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
local window = tonumber(ARGV[1])
local reset = (math.floor(now / window) + 1) * window
local answer = {1, reset, now}
for i, name in ipairs(KEYS) do
    answer[i + 3] = tonumber(redis.call('GET', name .. ':' .. reset) or '0')
    if answer[i + 3] >= tonumber(ARGV[i + 1]) then answer[1] = 0 end
end
if answer[1] == 0 then return answer end
for i, name in ipairs(KEYS) do
    answer[i + 3] = redis.call('INCR', name .. ':' .. reset)
    if answer[i + 3] == 1 then redis.call('EXPIREAT', name .. ':' .. reset, reset + 1) end
end
return answer
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
    return hit_all([(name, limit)], window=window)


def hit_all(counted: Sequence[tuple[str, int]], *, window: int = WINDOW_SECONDS) -> Verdict:
    """Count one request in several windows, each a name and its limit: in all of them or, refused, in none.

    The verdict is that of the window with the fewest requests left.
    """
    limits = [limit for _, limit in counted]
    try:
        answer = our_redis.evaluate(_HIT, [f"hermod:rate:{name}" for name, _ in counted], [window, *limits])
    except our_redis.RedisUnavailable:
        if _tell():
            log.error("rate limits are off: Redis does not answer")
        now = int(time.time())
        reset = (now // window + 1) * window
        return Verdict(True, min(limits), min(limits), reset, reset - now)
    admitted, reset, now, *used = (int(part) for part in answer)
    left, limit = min((max(0, most - one), most) for most, one in zip(limits, used, strict=True))
    return Verdict(bool(admitted), limit, left, reset, max(1, reset - now))


def exceeded(verdict: Verdict) -> Refusal:
    """Return the refusal of a request that was not admitted."""
    return Refusal(
        "rate_limit_exceeded",
        f"Rate limit of {verdict.limit} requests a minute reached. "
        f"Try again in {verdict.retry_after} seconds.",
        retry_after=verdict.retry_after,
    )
