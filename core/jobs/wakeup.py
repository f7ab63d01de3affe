"""Wake-ups: a running worker is notified through Redis, or Celery starts one. No wake-up carries data.

Every queue's task is looked up in ``settings.WORKERS``: what stands here knows no app.
"""

from __future__ import annotations

import math
import time
from typing import Any

import structlog
from celery import current_app
from django.conf import settings

from core.redis import RedisUnavailable, publish

log = structlog.get_logger(__name__)

# A wake-up that nobody took within a few seconds is worthless: the next one is already on its way.
EXPIRES_SECONDS = 5
#: a web process asks for a worker at most this often; beat asks every second anyway
START_AT_MOST_EVERY_SECONDS = 0.1
_asked: dict[str, float] = {}
#: a wake-up that was heard stands for what comes within this time as well, and is not repeated
COVERS_SECONDS = 0.01
#: when this process last woke somebody who heard it, by queue
_heard: dict[str, float] = {}


def channel(queue: str) -> str:
    """Name the Redis channel on which a running worker of ``queue`` listens."""
    return f"hermod:wake:{queue}"


def _may_start(queue: str) -> bool:
    now = time.monotonic()
    if now - _asked.get(queue, 0.0) < START_AT_MOST_EVERY_SECONDS:
        return False
    _asked[queue] = now
    return True


def wake(queue: str) -> None:
    """Wake the workers of ``queue``: one that runs hears it at once, else a task starts one.

    Never raises and never waits long. A lost wake-up costs at most a second, until beat's next one. One
    that was heard moments ago is not repeated: who heard it will look once more.
    """
    now = time.monotonic()
    if now - _heard.get(queue, -math.inf) < COVERS_SECONDS:
        return
    try:
        if publish(channel(queue)):
            _heard[queue] = now
        elif _may_start(queue):
            worker: dict[str, Any] = settings.WORKERS[queue]
            current_app.send_task(
                worker["task"], queue=worker.get("queue", queue), expires=EXPIRES_SECONDS, retry=False
            )
    except RedisUnavailable:
        pass
    except Exception as error:
        log.warning("wake-up failed", queue=queue, error=repr(error))
