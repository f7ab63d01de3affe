"""Database thread: one with a connection of its own, for one stage of an asyncio pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from core.failpoints import failpoint

log = structlog.get_logger(__name__)
T = TypeVar("T")

#: pause after the database went away, before asking again
DATABASE_RETRY_SECONDS = 0.5


class DatabaseThread:
    """Runs a stage's statements one after the other, so that they stay in order and stages overlap.

    Django's connections belong to threads; a lost one is dropped, so that the next call makes a new one.
    """

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """Run ``work`` in the thread; what it raises comes out here."""

        def guarded() -> T:
            try:
                close_old_connections()
                return work()
            except (OperationalError, InterfaceError):
                connection.close()
                raise

        return await asyncio.get_running_loop().run_in_executor(self._pool, guarded)

    async def keep(self, store: Callable[[Sequence[T]], object], batch: Sequence[T], *, place: str) -> None:
        """Store what was learnt from others until the database takes it: it is too dear to drop.

        What cannot be stored for any other reason is logged, and must not cost the rest of its batch theirs.
        ``place`` names the failpoints before and after.
        """
        failpoint(f"{place}.before_record")
        while True:
            try:
                await self.run(partial(store, batch))
                failpoint(f"{place}.after_record")
                return
            except (OperationalError, InterfaceError) as error:
                log.warning("record failed; the database is asked again", place=place, error=repr(error))
                await asyncio.sleep(DATABASE_RETRY_SECONDS)
            except Exception:
                log.exception("outcomes could not be recorded", place=place, count=len(batch))
                if len(batch) > 1:
                    for one in batch:
                        await self.keep(store, [one], place=place)
                return

    async def close(self) -> None:
        """Close the thread's connection and end it."""
        await asyncio.get_running_loop().run_in_executor(
            self._pool,
            lambda: connection.close(),  # looked up in the thread: each has its own
        )
        self._pool.shutdown(wait=False)
