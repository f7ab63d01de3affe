"""Runs ``invariants.sql``: every query returns how many rows break what must always hold.

``broken(cursor)`` takes any cursor (psycopg's or Django's), so that a test may call it after itself.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("invariants.sql")
_HEAD = re.compile(r"^-- (I[0-9]+[a-z]?): (.+)$", re.MULTILINE)


@cache
def queries() -> tuple[tuple[str, str, str], ...]:
    """Return (name, promise, statement) of every invariant in the file."""
    text = _FILE.read_text()
    heads = list(_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return tuple(
        (head[1], head[2], text[head.end() : end].strip()) for head, end in zip(heads, ends, strict=True)
    )


def broken(cursor: Any, *, lease: float = 30.0, unknown_wait: float = 600.0) -> dict[str, int]:
    """Return the broken invariants as ``"I2: promise"`` → number of rows; empty when all hold."""
    cursor.execute(
        "SELECT set_config('hermod.lease_seconds', %s, false), "
        "set_config('hermod.unknown_wait_seconds', %s, false)",
        [str(lease), str(unknown_wait)],
    )
    found: dict[str, int] = {}
    for name, promise, statement in queries():
        cursor.execute(statement)
        count = cursor.fetchone()[0]
        if count:
            found[f"{name}: {promise}"] = count
    return found
