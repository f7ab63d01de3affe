"""The whole product as real processes: started by its own supervisor, watched, hurt and asked over HTTP."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
import redis

from devstack.launcher.supervisor import read_env_file
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
#: everything that the product reads; set to nothing, so that a developer's .env does not fill it in
OURS = [
    *("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "CREDENTIALS_KEYS", "PUBLIC_URL", "PORT", "SANDBOX_PORT"),
    *("DATA_DIR", "META_GRAPH_URL", "META_APP_SECRET", "META_VERIFY_TOKEN", "DEBUG", "LOG_FORMAT"),
    *("WEBHOOK_ALLOW_PRIVATE", "EMAIL_URL", "ALLOWED_HOSTS", "FAILPOINTS", "STRIPE_SANDBOX_PORT"),
    *("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_PRICE_BASIC", "STRIPE_PRICE_PRO"),
    "STRIPE_API_BASE",
]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Tell whether somebody takes connections on a port."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended (or waits only for its parent to notice)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def below(pid: int) -> list[int]:
    """Return every process that a process started, and theirs."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        parents.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def command_line(pid: int) -> str:
    """Return how a process was started; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


class Answer:
    """What an HTTP request brought."""

    def __init__(self, status: int, raw: bytes, url: str) -> None:
        self.status, self.raw, self.url = status, raw, url

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.raw)


class Browser:
    """Asks over HTTP and keeps cookies."""

    def __init__(self) -> None:
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def ask(
        self,
        url: str,
        body: Any = None,
        *,
        key: str = "",
        form: dict[str, str] | None = None,
        method: str | None = None,
        timeout: float = 15,
    ) -> Answer:
        """Make one request; ``body`` goes out as JSON, ``form`` as a form."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        data = None
        if form is not None:
            data = urllib.parse.urlencode(form).encode()
            headers["Referer"] = url
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=timeout) as answer:
                return Answer(answer.status, answer.read(), answer.url)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read(), url)


class System:
    """Hermod with everything it needs, in a folder of its own on free ports."""

    def __init__(self, **more: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hermod-e2e-", dir="/tmp"))
        self.folder.chmod(0o711)  # started by root, the servers run as nobody
        self.data = self.folder / "data"
        port, sandbox_port = free_port(), free_port()
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        self.env = {
            **kept,
            **dict.fromkeys(OURS, ""),
            "EMAIL_URL": "consolemail://",
            "DATA_DIR": str(self.data),
            "PORT": str(port),
            "SANDBOX_PORT": str(sandbox_port),
            **more,
        }
        self.url = f"http://127.0.0.1:{port}"
        self.sandbox = f"http://127.0.0.1:{sandbox_port}"
        self.output: list[str] = []
        self.browser = Browser()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "devstack.launcher.supervisor"],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, name="output", daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))

    @property
    def printed(self) -> str:
        """Everything that all processes have printed."""
        return "\n".join(self.output)

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Wait until everything answers and the demo account has been shown."""

        def ready() -> bool:
            assert self.process.poll() is None, self.printed
            return "READY " in self.printed and "quickstart" in self.printed

        eventually(ready, seconds)
        self.demo: dict[str, str] = json.loads((self.data / "demo.json").read_text())
        # The receiver is looked at every quarter of a minute; before the first look Meta's silence
        # says nothing, and an unknown outcome would wait a minute longer than a test can.
        self.query(
            "INSERT INTO messaging_heartbeat (name, ok_since, last_ok_at) "
            "VALUES ('receiver', now() - interval '1 hour', now()) ON CONFLICT (name) "
            "DO UPDATE SET ok_since = excluded.ok_since RETURNING name"
        )

    def family(self) -> list[int]:
        """Return every process below the supervisor."""
        return below(self.process.pid)

    def pids(self, *words: str) -> list[int]:
        """Return the processes whose command line has all these words."""
        return [pid for pid in self.family() if all(word in command_line(pid) for word in words)]

    # --- the product

    def api(self, path: str, body: Any = None, **more: Any) -> Answer:
        """Call the product's API as the demo account."""
        return self.browser.ask(self.url + path, body, key=self.demo["api_key"], **more)

    def control(self, path: str, body: Any = None, *, method: str | None = None) -> Any:
        """Call the sandbox's control API."""
        return self.browser.ask(f"{self.sandbox}/_sandbox/{path}", body, method=method).json()

    def options(self, **values: Any) -> None:
        """Change how the sandbox behaves."""
        self.control("options", values, method="PUT")

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the product's database."""
        with psycopg.connect(self.service("DATABASE_URL"), autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()

    def service(self, name: str) -> str:
        """Return the address of a server that the supervisor started."""
        return read_env_file(self.data / "services.env")[name]

    def statuses(self, ids: Iterable[str]) -> dict[str, int]:
        """Count messages by status."""
        rows = self.query(
            "SELECT status, count(*) FROM messaging_message WHERE id = ANY(%s::uuid[]) GROUP BY 1", list(ids)
        )
        return dict(rows)

    def failures(self, ids: Iterable[str]) -> list[tuple[Any, ...]]:
        """Return what is known of the messages that failed, for an assertion's message."""
        return self.query(
            "SELECT id::text, failure, attempts, crashes, lease_token, wamid, error_code "
            "FROM messaging_message WHERE id = ANY(%s::uuid[]) AND status = 'failed'",
            list(ids),
        )

    def accepted(self) -> dict[str, int]:
        """Return how often the sandbox accepted each message, by our reference."""
        found: dict[str, int] = {}
        after = 0
        while page := self.control(f"messages?limit=1000&after={after}")["messages"]:
            after += len(page)
            for line in page:
                ref = line["biz_opaque_callback_data"]
                found[ref] = found.get(ref, 0) + 1
        return found

    def dump(self) -> Iterable[tuple[str, bytes]]:
        """Return every table of the database as text, by name."""
        with psycopg.connect(self.service("DATABASE_URL")) as connection:
            tables = connection.execute(
                "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for (table,) in tables:
                with connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
                    yield table, b"".join(bytes(part) for part in copy)

    def redis_dump(self) -> Iterable[tuple[str, bytes]]:
        """Return every key of Valkey with what ``DUMP`` and the plain reads say of it."""
        client = redis.Redis.from_url(self.service("REDIS_URL"))
        readers = {
            b"string": client.get,
            b"list": lambda key: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"hash": client.hgetall,
            b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        }
        for key in client.scan_iter():
            # DUMP may compress long values, so the plain value is looked at too.
            plain = readers.get(client.type(key), lambda _key: b"")(key)
            yield repr(key), key + (client.dump(key) or b"") + repr(plain).encode()
        client.close()

    # --- the end

    def stop(self, signum: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Ask the supervisor to stop and wait for it; returns its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.process.wait(seconds)

    def remove(self) -> None:
        """Leave nothing behind, whatever happened."""
        family = self.family() if self.process.poll() is None else []
        for pid in family:
            # What a test froze could not end.
            if not is_gone(pid):
                os.kill(pid, signal.SIGCONT)
        try:
            self.stop(seconds=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
        for pid in family:
            if not is_gone(pid) and str(self.folder) in _environment(pid):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def _environment(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""


def csrf_of(page: Answer) -> str:
    """Return the token in a page's form."""
    found = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', page.raw)
    assert found, page.raw[:500]
    return found[1].decode()
