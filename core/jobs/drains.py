"""Drains: one per process and queue, started by wake-ups, ended by idleness, time or a stop.

A drain is a long Celery task. It works while there is work, lingers a little so that the next message
finds it awake, and ends after ``DRAIN_SECONDS`` so that deploys never wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator

import redis
import redis.asyncio
import structlog
from django.conf import settings
from redis.exceptions import RedisError

from core.jobs import shutdown
from core.jobs.wakeup import COVERS_SECONDS

log = structlog.get_logger(__name__)

#: how long an idle drain stays awake; longer than beat's period, so that one is nearly always up
LINGER_SECONDS = 2.0
#: how often an idle drain looks by itself; covers every lost wake-up and every row that becomes due
POLL_SECONDS = 0.25
#: who was woken looks at once, and once more when everything that the wake-up stands for has come
_AGAIN_SECONDS = 2 * COVERS_SECONDS


class _Listener:
    """Knows whether it was woken just now: then it is less patient, and looks once more soon."""

    _woken = False

    def _patience(self, seconds: float) -> float:
        return min(seconds, _AGAIN_SECONDS) if self._woken else seconds


class Wakeup(_Listener):
    """What an idle drain waits on: a wake-up through Redis, one from this process, or the next look."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def notify(self) -> None:
        """Wake the drain, from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody needs waking
            self._loop.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> bool:
        """Wait for a wake-up at most ``seconds``, shorter after one; tells whether there was one."""
        try:
            async with asyncio.timeout(self._patience(seconds)):
                await self._event.wait()
        except TimeoutError:
            self._woken = False
        else:
            self._event.clear()
            self._woken = True
        return self._woken


class Lifetime:
    """Decides whether a drain goes on: not when stopping, not after its time, not when long idle."""

    def __init__(self, *, seconds: float | None = None, linger: float | None = None) -> None:
        self._ends = time.monotonic() + (settings.DRAIN_SECONDS if seconds is None else seconds)
        self._linger = LINGER_SECONDS if linger is None else linger
        self._busy = time.monotonic()

    def worked(self) -> None:
        """Note that there was work just now."""
        self._busy = time.monotonic()

    @property
    def poll_seconds(self) -> float:
        """How long an idle drain may sleep: it looks once more before it ends, for what was just recorded."""
        return min(POLL_SECONDS, self._linger / 2)

    def time_is_up(self) -> bool:
        """Tell whether the drain ended although it was busy."""
        return time.monotonic() >= self._ends

    def end(self) -> None:
        """Let the drain end at its next look."""
        self._ends = time.monotonic()

    def goes_on(self) -> bool:
        """Tell whether to look for more work."""
        now = time.monotonic()
        return not shutdown.asked.is_set() and now < self._ends and now - self._busy <= self._linger


_running: dict[str, Wakeup] = {}
_lock = threading.Lock()


@contextlib.asynccontextmanager
async def awake(channel: str) -> AsyncIterator[Wakeup | None]:
    """Be the process's drain for ``channel`` inside the block, with what wakes it.

    Yields None when the process already has one; that one has been woken instead.
    """
    wakeup = Wakeup(asyncio.get_running_loop())
    with _lock:
        running = _running.setdefault(channel, wakeup)
    if running is not wakeup:
        running.notify()
        yield None
        return
    listener = asyncio.create_task(_listen(channel, wakeup))
    try:
        yield wakeup
    finally:
        with _lock:
            del _running[channel]
        listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listener


async def _listen(channel: str, wakeup: Wakeup) -> None:
    """Pass on every wake-up of the Redis channel; without Redis the polling has to do."""
    while True:
        client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=1.0
        )
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as subscription:
                await subscription.subscribe(channel)
                async for _ in subscription.listen():
                    wakeup.notify()
        except (RedisError, OSError):
            await asyncio.sleep(1.0)
        finally:
            with contextlib.suppress(RedisError, OSError):
                await client.aclose()


class PlainDrain(_Listener):
    """A plain (not asyncio) drain: whether it goes on, and its sleep until somebody wakes it."""

    def __init__(self, channel: str) -> None:
        self._life = Lifetime()
        self._client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=1.0, socket_connect_timeout=1.0, retry=None
        )
        self._subscription = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            self._subscription.subscribe(channel)
            self._listening = True
        except RedisError:
            self._listening = False

    def goes_on(self) -> bool:
        """Tell whether to look for more work."""
        return self._life.goes_on()

    def worked(self) -> None:
        """Note that there was work just now."""
        self._life.worked()

    def wait(self) -> None:
        """Sleep until woken, at most until the next look, which comes soon after a wake-up."""
        seconds, self._woken = self._patience(POLL_SECONDS), False
        if self._listening:
            try:
                self._woken = self._subscription.get_message(timeout=seconds) is not None
                return
            except (RedisError, OSError, ValueError):
                self._listening = False
        time.sleep(seconds)

    def forget(self) -> None:
        """Forget the wake-ups that came meanwhile: the look that follows answers all of them."""
        if not self._listening:
            return
        try:
            while self._subscription.get_message(timeout=0) is not None:
                self._woken = True
        except (RedisError, OSError, ValueError):
            self._listening = False

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(RedisError, OSError):
            self._subscription.close()
            self._client.close()


_plain: set[str] = set()


@contextlib.contextmanager
def plain_drain(channel: str) -> Iterator[PlainDrain | None]:
    """Be the process's plain drain for ``channel`` inside the block; None when it already has one.

    The one that runs hears the same wake-ups through Redis, or looks by itself within ``POLL_SECONDS``.
    """
    with _lock:
        if channel in _plain:
            taken = True
        else:
            taken = False
            _plain.add(channel)
    if taken:
        yield None
        return
    drain = PlainDrain(channel)
    try:
        yield drain
    finally:
        drain.close()
        with _lock:
            _plain.discard(channel)
