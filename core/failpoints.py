"""Named places at which a test may kill, stop, delay or break the process; they cost nothing when unset.

``FAILPOINTS`` lists them: ``send.after_mark=kill@0.01,accept.before_commit=raise``. Actions are
``kill`` (SIGKILL to itself), ``stop:SECONDS`` (frozen that long), ``sleep:SECONDS`` and ``raise``; a last
``@PART`` makes it happen only for that part of the passages (``kill@0.01``).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable

#: every place there is; `make chaos` kills at each of them
NAMES = (
    "accept.before_commit",
    "accept.after_commit",
    "accept.before_response",
    "send.after_claim",
    "send.before_mark",
    "send.after_mark",
    "send.before_post",
    "send.after_write",
    "send.after_response",
    "send.before_record",
    "send.after_record",
    "hook.before_commit",
    "hook.after_commit",
    "hook.before_response",
    "inbox.after_claim",
    "inbox.before_commit",
    "inbox.after_commit",
    "out.after_claim",
    "out.before_post",
    "out.after_post",
    "out.before_record",
    "out.after_record",
)


class FailpointError(Exception):
    """What the action ``raise`` raises."""


def _parse(text: str) -> dict[str, tuple[str, float, float]]:
    points: dict[str, tuple[str, float, float]] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, what = item.partition("=")
        what, _, part = what.partition("@")
        action, _, seconds = what.partition(":")
        if name not in NAMES or action not in ("kill", "stop", "sleep", "raise"):
            raise ValueError(f"FAILPOINTS: {item!r} names no place or action")
        points[name] = (action, float(seconds or 0), float(part or 1))
    return points


def _act(points: dict[str, tuple[str, float, float]], name: str) -> None:
    action, seconds, part = points.get(name, ("", 0.0, 0.0))
    if not action or random.random() >= part:  # noqa: S311 - chance, not secrecy
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        # Somebody else must wake us: a stopped process cannot.
        subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)
    elif action == "sleep":
        time.sleep(seconds)
    else:
        raise FailpointError(name)


def _reader(text: str) -> Callable[[str], None]:
    if not text:
        return lambda name: None
    points = _parse(text)
    return lambda name: _act(points, name)


ACTIVE = bool(os.environ.get("FAILPOINTS"))
failpoint: Callable[[str], None] = _reader(os.environ.get("FAILPOINTS", ""))
