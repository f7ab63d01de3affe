"""Retry schedule: when a delivery is tried again, and what an answer means for it (pure).

The published schedule: at once, then after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, each a
tenth shorter or longer by chance, so that what failed together does not come back together.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: seconds from a failed attempt to the next: 75 h 35 min in all
DELAYS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
#: the first attempt and one after each delay
ATTEMPTS = len(DELAYS) + 1
#: each delay is changed by at most this part
JITTER = 0.1
#: the longest wait that an endpoint may ask for
LONGEST_WAIT = 86_400.0
#: an endpoint that says it is too busy is left alone as a whole, but not longer than this
LONGEST_PAUSE = 3_600.0
_BUSY = (429, 503)
_GONE = 410


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt means.

    ``retry_in``: seconds until the next attempt; None: there is none, the event arrived or is given up.
    ``pause``: seconds for which the endpoint wants to be left alone. ``gone``: it never wants to be called
    again.
    """

    arrived: bool
    retry_in: float | None = None
    pause: float = 0.0
    gone: bool = False


def judge(status: int | None, *, tried: int, retry_after: str = "", now: datetime | None = None) -> Verdict:
    """Judge attempt number ``tried`` (from 1) by its HTTP status; None: there was no answer.

    Any 2xx counts as received. ``retry_after`` is the header of that name: seconds or a date.
    """
    if status is not None and 200 <= status < 300:
        return Verdict(arrived=True)
    if status == _GONE:
        return Verdict(arrived=False, gone=True)
    asked = seconds_of(retry_after, now or datetime.now(UTC))
    pause = min(asked, LONGEST_PAUSE) if status in _BUSY else 0.0
    if tried >= ATTEMPTS:
        return Verdict(arrived=False, pause=pause)
    delay = DELAYS[tried - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - chance, not secrecy
    return Verdict(arrived=False, retry_in=max(delay, min(asked, LONGEST_WAIT)), pause=pause)


def seconds_of(retry_after: str, now: datetime) -> float:
    """Read ``Retry-After`` (seconds or an HTTP date); 0 when it is missing, past or not readable."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), LONGEST_WAIT)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), LONGEST_WAIT)
