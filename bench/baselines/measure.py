"""Measures every baseline once per run, when the first case asks for it."""

from __future__ import annotations

import json
import sys
import time
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench.baselines import database
from bench.figures import ms, spread
from bench.load import Load, body, request
from bench.rows import Rows
from bench.stack import Broken, Stack, free_port

CONNECTIONS = 16
TYPICAL_KEY = "typical-key-of-the-benchmark"


class Baselines:
    """The four baselines and the stand-in's own ceiling."""

    def __init__(self, stack: Stack, load: Load, rows: Rows, *, quick: bool) -> None:
        self._stack, self._load, self._rows, self._quick = stack, load, rows, quick
        self.detail: dict[str, Any] = {}

    @cached_property
    def standin(self) -> float:
        """Answers a second of the stand-in with no latency: what it could do at most."""
        port = free_port()
        self._stack.start_meta("meta-ceiling", port, latency=0)
        posts = [
            request("POST", f"/v25.0/70000000000{n % 10}/messages", body("14155550000", "Hello, World!"))
            for n in range(100)
        ]
        result = self._load.run(port, posts, connections=64, seconds=2 if self._quick else 4)
        self._stack.stop_one("meta-ceiling")
        self.detail["standin"] = {"per_second": result.per_second}
        return result.per_second

    @cached_property
    def client(self) -> float:
        """Calls a second of the bare aiohttp loop."""
        self._stack.meta("/_reset?latency=0.1&rate=0&times=0")
        count = "6000" if self._quick else "15000"
        command = [sys.executable, "-m", "bench.baselines.client", str(self._stack.meta_port)]
        found = json.loads(self._stack.run([*command, "--count", count]))
        self.detail["client"] = found
        return float(found["per_second"])

    @cached_property
    def database(self) -> float | None:
        """Transactions a second of pgbench with an accept's rows."""
        found = database.ceiling(self._stack, self._rows, seconds=3 if self._quick else 8)
        self._rows.clear()
        self.detail["database"] = {"per_second": found}
        return found

    @cached_property
    def hello(self) -> float:
        """Answers a second of an empty view under the product's gunicorn command."""
        port = self._stack.start_web("hello", "bench.baselines.hello:application")
        posts = [request("POST", "/send-message", {"to": "14155550000", "message": "Hello, World!"})]
        self._load.run(port, posts, connections=CONNECTIONS, seconds=60, count=500)
        result = self._load.run(port, posts, connections=CONNECTIONS, seconds=3 if self._quick else 6)
        self._stack.stop_one("hello")
        self.detail["hello"] = {"per_second": result.per_second, "seconds": spread(result.took)}
        return result.per_second

    # --- the typical gateway

    @cached_property
    def _typical_env(self) -> dict[str, str]:
        """Make the typical gateway's database and return its environment."""
        with self._stack.connect() as connection:
            connection.execute("CREATE DATABASE typical")
        parts = urlsplit(self._stack.env["DATABASE_URL"])
        url = urlunsplit(parts._replace(path="/typical"))
        settings = "bench.baselines.typical.settings"
        env = self._stack.env | {"TYPICAL_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": settings}
        make = [sys.executable, "-m", "django", "migrate", "--run-syncdb", "-v", "0"]
        self._stack.run(make, env=env)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("INSERT INTO typical_apikey (key) VALUES (%s)", [TYPICAL_KEY])
        return env

    def _start_typical_worker(self) -> None:
        celery = [sys.executable, "-m", "celery", "--quiet", "-A", "bench.baselines.typical.tasks", "worker"]
        celery += ["-P", "threads", "-c", "64", "--without-gossip", "--without-mingle"]
        self._stack.start("typical-worker", [*celery, "--loglevel", "error"], self._typical_env)

    @cached_property
    def typical_sends(self) -> float:
        """Messages a second from the first task to the last row saved as sent."""
        count = 600 if self._quick else 2000
        self._stack.meta("/_reset?latency=0.1&rate=0&times=0")
        env = self._typical_env
        self._start_typical_worker()
        time.sleep(4)  # the worker starts; tasks that came earlier would count its start
        with self._stack.watch() as watch, psycopg.connect(env["TYPICAL_DATABASE_URL"]) as connection:
            connection.autocommit = True
            self._stack.run([sys.executable, "-m", "bench.baselines.typical.fill", str(count)], env=env)
            counted = "SELECT count(*) FROM typical_message WHERE status = 'sent'"
            self._stack.wait_for(
                lambda: connection.execute(counted).fetchone()[0] >= count,  # type: ignore[index]
                "the typical gateway's messages",
                300,
            )
            first, last = connection.execute(  # type: ignore[misc]
                "SELECT min(sent_at), max(sent_at) FROM typical_message"
            ).fetchone()
            connection.execute("TRUNCATE typical_message")
        self._stack.stop_one("typical-worker")
        rate = (count - 1) / (last - first).total_seconds()
        self.detail["typical sends"] = {"per_second": rate, "count": count, "cpu_ms": watch.per(count)}
        return rate

    @cached_property
    def typical_accepts(self) -> float:
        """Accepts a second with its worker stopped, so that only accepting is measured."""
        return self._typical_accepts("typical accepts", sending=False)

    @cached_property
    def typical_accepts_while_sending(self) -> float:
        """Accepts a second while its worker sends what was accepted."""
        return self._typical_accepts("typical accepts while sending", sending=True)

    def _typical_accepts(self, name: str, *, sending: bool) -> float:
        env = self._typical_env
        if sending:
            self._start_typical_worker()
            time.sleep(4)
        port = self._stack.start_web(
            "typical-web",
            "bench.baselines.typical.wsgi:application",
            TYPICAL_DATABASE_URL=env["TYPICAL_DATABASE_URL"],
            DJANGO_SETTINGS_MODULE=env["DJANGO_SETTINGS_MODULE"],
        )
        posts = [
            request(
                "POST",
                "/send-message",
                {"to": f"1415{n:07d}", "message": "Hello, World!"},
                Authorization=f"Bearer {TYPICAL_KEY}",
            )
            for n in range(1000)
        ]
        self._load.run(port, posts, connections=CONNECTIONS, seconds=60, count=500)
        result = self._load.run(port, posts, connections=CONNECTIONS, seconds=3 if self._quick else 8)
        self._stack.stop_one("typical-web", "typical-worker")
        if result.statuses != {202}:
            raise Broken(f"the typical gateway answered {result.statuses}")
        self.detail[name] = {"per_second": result.per_second, "seconds": spread(result.took)}
        self.detail[name]["p99_ms"] = ms(spread(result.took)["p99"])
        with self._stack.connect() as connection:
            connection.execute("CHECKPOINT")
        self._forget_tasks()
        return result.per_second

    def _forget_tasks(self) -> None:
        """Drop what the typical gateway has queued, and its rows."""
        import redis

        client = redis.Redis.from_url(self._stack.env["REDIS_URL"].replace("db=0", "db=1"))
        client.flushdb()
        client.close()
        with psycopg.connect(self._typical_env["TYPICAL_DATABASE_URL"], autocommit=True) as connection:
            connection.execute("TRUNCATE typical_message")
