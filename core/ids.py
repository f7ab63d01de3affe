"""Identifiers that sort by time: UUIDv7 for rows, ULID for correlation ids."""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import datetime

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


_lock = threading.Lock()
_last = (0, 0)  # millisecond and counter of the last id


def _next_moment() -> tuple[int, int]:
    """Return a millisecond and a 12-bit counter, each pair later than the one before it."""
    global _last
    with _lock:
        now = time.time_ns() // 1_000_000
        millis, counter = _last
        if now > millis:
            # Starting low leaves room for a bulk of thousands within one millisecond.
            _last = (now, int.from_bytes(os.urandom(1), "big"))
        elif counter < 0xFFF:
            _last = (millis, counter + 1)
        else:
            _last = (millis + 1, 0)
        return _last


def uuid7() -> uuid.UUID:
    """Return a version 7 UUID (RFC 9562): 48 bits of milliseconds, 12 of a counter, 62 random ones.

    New rows land at the right-hand edge of the primary key's index, and ``ORDER BY id`` is the order in
    which this process made them.
    """
    millis, counter = _next_moment()
    value = (millis & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76
    value |= counter << 64
    value |= 0b10 << 62
    value |= int.from_bytes(os.urandom(8), "big") & 0x3FFF_FFFF_FFFF_FFFF
    return uuid.UUID(int=value)


def first_at(moment: datetime) -> uuid.UUID:
    """Return an id below all that ``uuid7`` makes from ``moment`` on: its ids begin with the time."""
    return uuid.UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)


def ulid() -> str:
    """Return a ULID: 26 characters of Crockford's base 32, 48 bits of milliseconds and 80 random bits."""
    value = ((time.time_ns() // 1_000_000) << 80) | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))
