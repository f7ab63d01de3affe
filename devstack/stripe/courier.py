"""Carries signed events to the service and tries again for a while, as Stripe does for days."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import aiohttp

from .wire import Object, signature
from .world import World

#: seconds before the next try of an event; the last one repeats
WAITS = (0.5, 2, 5, 15, 60)
MOST_TRIES = 60
TIMEOUT_SECONDS = 10


class Courier:
    """Delivers what the world tells, one task per event: order is not promised, as at Stripe's."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Begin to listen to the world."""
        self._loop = asyncio.get_running_loop()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        self._world.on_event = self._send

    async def stop(self) -> None:
        """Drop what is under way."""
        self._world.on_event = lambda event: None
        for task in self._tasks:
            task.cancel()
        if self._session is not None:
            await self._session.close()

    def _send(self, event: Object) -> None:
        if not self._world.webhook_url or self._loop is None:
            return
        task = self._loop.create_task(self._deliver(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: Object) -> None:
        assert self._session is not None
        raw = json.dumps(event).encode()
        for number in range(MOST_TRIES):
            # The signature's time is the real one, whatever the stand-in's clock says: the service checks it.
            headers = {
                "Stripe-Signature": signature(raw, self._world.webhook_secrets, int(time.time())),
                "Content-Type": "application/json; charset=utf-8",
                "User-Agent": "Stripe/1.0 (stand-in)",
            }
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.post(self._world.webhook_url, data=raw, headers=headers) as answer:
                    if 200 <= answer.status < 300:
                        event["pending_webhooks"] = 0
                        return
            await asyncio.sleep(WAITS[min(number, len(WAITS) - 1)])
