"""Settling: the faults are over; wait until nothing is left to do, but not for ever."""

from __future__ import annotations

import time
from typing import Any

import psycopg

from bench.chaos.plan import CALM
from bench.chaos.stack import Stack

_LEFT = """
SELECT (SELECT count(*) FROM messaging_message WHERE due_at IS NOT NULL),
       (SELECT count(*) FROM webhooks_inboundevent WHERE due_at IS NOT NULL),
       (SELECT count(*) FROM messaging_orphanstatus),
       (SELECT count(*) FROM webhooks_delivery WHERE due_at IS NOT NULL)
"""


def settle(stack: Stack, *, at_most: float) -> tuple[float, dict[str, int]]:
    """Return the seconds it took and what was left (all 0, unless the time was up)."""
    stack.meta.options(**CALM)
    began = time.monotonic()
    quiet = 0
    left: dict[str, int] = {"unasked": 1}
    while time.monotonic() - began < at_most:
        stack.look_after()
        time.sleep(0.5)
        try:
            left = _left(stack)
        except (psycopg.Error, OSError):
            continue
        # Twice in a row: a callback may be between Meta's timetable and our inbox.
        quiet = quiet + 1 if not any(left.values()) else 0
        if quiet >= 3:
            break
    return time.monotonic() - began, left


def _left(stack: Stack) -> dict[str, int]:
    state: dict[str, Any] = stack.meta.state()
    with stack.servers.database() as connection:
        row = connection.execute(_LEFT).fetchone()
    assert row is not None
    return {
        "messages": int(row[0]),
        "callbacks": int(row[1]),
        "orphans": int(row[2]),
        "deliveries": int(row[3]),
        "at_meta": int(state["callbacks_waiting"]) + int(state["planned"]),
    }
