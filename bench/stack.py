"""Stack of a run, started and stopped: Postgres (fsync on), Valkey, the stand-in, web, workers, beat.

Everything listens on loopback or on unix sockets, dies with this process and is stopped at the end.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg

from bench import machine
from core.server import command as web
from devstack.launcher import processes
from devstack.launcher.binaries import ServiceUser, die_with_parent, find_postgres
from devstack.launcher.embedded import Embedded
from devstack.launcher.processes import WORKERS

ROOT = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"
APP_SECRET = "5" * 32
LATENCY_SECONDS = 0.1


class Broken(RuntimeError):
    """Something that a run needs did not work; the text says what."""


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def get(port: int, path: str, headers: Mapping[str, str] | None = None, wait: float = 60.0) -> Any:
    """Return the JSON that a GET answers; raises ``OSError`` when nobody answers."""
    client = http.client.HTTPConnection(HOST, port, timeout=wait)
    try:
        client.request("GET", path, headers=dict(headers or {}))
        return json.loads(client.getresponse().read() or b"null")
    finally:
        client.close()


class Stack:
    """The servers and processes of one run."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hermod-bench-", dir="/tmp"))
        self.folder.chmod(0o711)  # started by root, the servers run as nobody
        self._embedded = Embedded(self.folder, durable=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.env: dict[str, str] = {}
        self.meta_port = self.web_port = 0
        self.meta_ready = False

    # --- the servers

    def start_servers(self) -> None:
        """Start Postgres, Valkey and the stand-in, and fill in the environment of all others."""
        urls = self._embedded.start()
        self.meta_port, self.web_port = free_port(), free_port()
        self.start_meta("meta", self.meta_port)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = {
            **kept,
            "DATABASE_URL": urls.database_url,
            "REDIS_URL": urls.redis_url,
            "SECRET_KEY": secrets.token_urlsafe(50),
            "CREDENTIALS_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "DATA_DIR": str(self.folder),
            "DEBUG": "0",
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "WARNING",
            "PORT": str(self.web_port),
            "PUBLIC_URL": f"http://{HOST}:{self.web_port}",
            "META_GRAPH_URL": f"http://{HOST}:{self.meta_port}",
            "META_APP_SECRET": APP_SECRET,
            "META_VERIFY_TOKEN": "bench",
            "STRIPE_SECRET_KEY": "",  # set, if only to nothing: a developer's .env must not reach the run
            "STRIPE_WEBHOOK_SECRET": "",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        self.run([sys.executable, "manage.py", "migrate", "--noinput", "-v", "0"])

    def start_meta(self, name: str, port: int, latency: float = LATENCY_SECONDS) -> None:
        """Start a stand-in for Meta."""
        command = [sys.executable, "-m", "bench.meta_standin", "--port", str(port), "--latency", str(latency)]
        env = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT)}
        self.start(name, command, env, lambda: get(port, "/_stats", wait=2) is not None)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """Return a connection of our own to the product's database."""
        return psycopg.connect(self.env["DATABASE_URL"], autocommit=True, **options)

    @staticmethod
    def postgres_program(name: str) -> Path | None:
        """Return one of Postgres' client programs, if the installation has it."""
        program = find_postgres(ServiceUser.needed())[0] / name
        return program if program.exists() else None

    # --- the product

    def start_web(self, name: str = "web", app: str = "config.wsgi:application", **more: str) -> int:
        """Start the web server as the product does and return its port."""
        port = self.web_port if name == "web" else free_port()
        command = web.command(HOST, port, application=app)
        self.start(name, command, self.env | more, lambda: _listens(port))
        return port

    def start_workers(self, **more: str) -> None:
        """Start the two workers and beat, and wait until one of them claims; ``more`` is environment."""
        for name in WORKERS:
            self.start(name, [sys.executable, *processes.worker(name, quiet=True)], self.env | more)
        schedule = str(self.folder / "celerybeat-schedule")
        self.start("beat", [sys.executable, *processes.beat(schedule, quiet=True)], self.env | more)
        with self.connect() as database:
            self.wait_for(
                lambda: (
                    database.execute(
                        "SELECT count(*) FROM messaging_heartbeat WHERE name = 'worker' "
                        "AND last_ok_at > now() - interval '3 seconds'"
                    ).fetchone()[0]  # type: ignore[index]
                    > 0
                ),
                "a worker",
            )

    def revive_meta(self) -> None:
        """Start the stand-in again if somebody ended it, so that one case's trouble is not all others'."""
        if self._running["meta"].poll() is not None:
            print(f"the stand-in had ended: {self.log_tail('meta')}", flush=True)
            self.start_meta("meta", self.meta_port)

    def meta(self, path: str) -> Any:
        """Ask the stand-in one of its own questions."""
        return get(self.meta_port, path)

    # --- processes

    def start(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        ready: Callable[[], bool] | None = None,
    ) -> None:
        """Start a process and wait until it is ready; its output goes into a file."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running[name] = processes.launch(command, env, output=log, cwd=ROOT)
        if ready is not None:
            self.wait_for(lambda: _quietly(ready), name)

    def run(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, wait: float = 900
    ) -> bytes:
        """Run a command to its end and return what it printed."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=dict(env if env is not None else self.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=wait,
            check=False,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()[-5:]
            raise Broken(f"{Path(command[0]).name} {' '.join(command[1:3])} failed: " + " | ".join(said))
        return done.stdout

    def wait_for(self, ready: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
        """Wait for something; raises ``Broken`` when it does not come or one of our processes has died."""
        ends = time.monotonic() + seconds
        while not ready():
            for name, process in self._running.items():
                if process.poll() is not None:
                    raise Broken(f"{name} ended with code {process.returncode}: {self.log_tail(name)}")
            if time.monotonic() > ends:
                raise Broken(f"{what}: not there after {seconds:.0f} s")
            time.sleep(0.05)

    def log_tail(self, name: str) -> str:
        """Return the last lines that a process wrote."""
        with contextlib.suppress(OSError):
            text = (self.folder / f"{name}.log").read_text(errors="replace")
            return " | ".join(text.splitlines()[-6:])
        return ""

    def pids(self) -> dict[str, int]:
        """Return the root of each tree of processes."""
        return {name: one.pid for name, one in self._running.items()} | self._embedded.pids()

    def watch(self) -> machine.Watch:
        """Watch the CPU of everything that runs now."""
        return machine.Watch(self.pids())

    def stop_one(self, *names: str) -> None:
        """End some processes and their children."""
        chosen = {name: self._running.pop(name) for name in names if name in self._running}
        for process in chosen.values():
            process.terminate()
        for process in chosen.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            processes.end_group(process)
            process.wait()

    def stop(self) -> None:
        """End everything and remove the folder."""
        self.stop_one("beat", *WORKERS)
        self.stop_one(*list(self._running))
        self._embedded.remove()
        shutil.rmtree(self.folder, ignore_errors=True)


def _listens(port: int) -> bool:
    with socket.create_connection((HOST, port), timeout=5) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        return client.recv(16).startswith(b"HTTP/1.1")


def _quietly(ready: Callable[[], bool]) -> bool:
    try:
        return ready()
    except (OSError, ValueError):
        return False
