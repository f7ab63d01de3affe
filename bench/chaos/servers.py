"""A Postgres (with fsync) and a Valkey of the run's own, and the three ways in which each is made to fail."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import redis

from devstack.launcher.embedded import Embedded, Urls


class Servers:
    """Both servers in one temporary folder; ``close`` leaves nothing behind."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hermod-chaos-", dir="/tmp"))
        self.folder.chmod(0o711)  # started by root, the servers run as nobody
        self._embedded = Embedded(self.folder, durable=True)
        self.urls: Urls = self._embedded.start()

    def pid(self, name: str) -> int | None:
        """Return the process id of ``postgres`` or ``valkey``, None when it does not run."""
        return self._embedded.pids().get(name)

    def crash(self, name: str) -> None:
        """End a server without a clean stop: Postgres by its immediate shutdown, Valkey by SIGKILL."""
        pid = self.pid(name)
        if pid is None:
            return
        os.kill(pid, signal.SIGQUIT if name == "postgres" else signal.SIGKILL)
        ends = time.monotonic() + 10
        while self.pid(name) is not None and time.monotonic() < ends:
            time.sleep(0.01)

    def revive(self) -> list[str]:
        """Start what has died (Postgres replays its log first) and return the names."""
        return self._embedded.revive()

    def freeze(self, name: str) -> None:
        """Stop a server so that it neither answers nor refuses."""
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, signum: signal.Signals) -> None:
        pid = self.pid(name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)

    def flush(self) -> None:
        """Let Valkey forget everything."""
        client = redis.Redis.from_url(self.urls.redis_url, socket_timeout=2, socket_connect_timeout=2)
        with contextlib.suppress(redis.RedisError, OSError):
            client.flushall()
        client.close()

    @contextlib.contextmanager
    def database(self) -> Iterator[psycopg.Connection[Any]]:
        """Connect to the product's database; every statement is its own transaction."""
        with psycopg.connect(self.urls.database_url, connect_timeout=5, autocommit=True) as connection:
            yield connection

    def close(self) -> None:
        """Stop both servers and delete the folder."""
        for name in ("postgres", "valkey"):
            self.thaw(name)
        self._embedded.remove()
        shutil.rmtree(self.folder, ignore_errors=True)
