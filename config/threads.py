"""A thread with a database connection of its own, for one stage of an asyncio pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection

T = TypeVar("T")


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

    async def close(self) -> None:
        """Close the thread's connection and end it."""
        await asyncio.get_running_loop().run_in_executor(
            self._pool,
            lambda: connection.close(),  # looked up in the thread: each has its own
        )
        self._pool.shutdown(wait=False)
