"""Supervisor: starts all of Hermod in order, stops it in reverse: servers, migrations, web, worker, beat.

``python -m devstack.launcher.supervisor`` is what ``make run`` and ``manage.py up`` execute.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import os
import secrets
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from core.server import command as web
from devstack.launcher import demo, processes
from devstack.launcher.embedded import Embedded, EmbeddedError
from devstack.launcher.processes import ChildFailed, Processes, Stopped

BASE_DIR = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
WORKER_STOP_SECONDS = 25.0


class SetupError(Exception):
    """A setting or the machine does not allow a start; the text says which and what to do."""


def read_env_file(path: Path) -> dict[str, str]:
    """Return the ``NAME=value`` lines of a ``.env`` file; a missing file has none."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if sign and not name.lstrip().startswith("#"):
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            found[name.strip()] = value
    return found


def secrets_of(data_dir: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Return SECRET_KEY and CREDENTIALS_KEYS, making the missing ones once in ``secrets.env``."""
    path = data_dir / "secrets.env"
    kept = read_env_file(path)
    made = {
        "SECRET_KEY": lambda: secrets.token_urlsafe(50),
        "CREDENTIALS_KEYS": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    result = {name: given.get(name) or kept.get(name) or make() for name, make in made.items()}
    missing = [name for name in made if not given.get(name) and name not in kept]
    if missing:
        # One line each, appended: a key that encrypted something is never overwritten.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
            file.writelines(f"{name}={result[name]}\n" for name in missing)
    return result


def port_of(env: Mapping[str, str], name: str, default: int) -> int:
    """Return the port a variable names, checked to be free."""
    text = env.get(name) or str(default)
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise SetupError(f"{name}={text} is not a port: give a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, int(text)))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise SetupError(
                    f"Port {text} needs root: choose one above 1023, for example {name}=8080."
                ) from None
            free = int(text) + 1 if int(text) < 65535 else default
            raise SetupError(
                f"Port {text} is in use: stop what listens there, or choose another, for example "
                f"{name}={free} make run."
            ) from None
    return int(text)


def check_servers(env: Mapping[str, str]) -> None:
    """Ask the servers the user named for a sign of life, so that a typing error is one sentence."""
    if env.get("DATABASE_URL"):
        import psycopg

        if not env["DATABASE_URL"].startswith(("postgres://", "postgresql://")):
            raise SetupError("DATABASE_URL must begin with postgres:// (Hermod runs on Postgres only).")
        try:
            psycopg.connect(env["DATABASE_URL"], connect_timeout=10).close()
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            raise SetupError(f"The database in DATABASE_URL cannot be reached: {reason}") from None
    if env.get("REDIS_URL"):
        import redis

        try:
            client = redis.Redis.from_url(env["REDIS_URL"], socket_timeout=10, socket_connect_timeout=10)
            client.ping()
            client.close()
        except (redis.RedisError, ValueError) as error:
            raise SetupError(f"The Redis in REDIS_URL cannot be reached: {error}") from None


def answers(url: str) -> bool:
    """Tell whether a GET of ``url`` answers with success."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  (our own http address)
            return bool(200 <= response.status < 300)
    except OSError:
        return False


class Supervisor:
    """One start of the whole product."""

    def __init__(self, environ: Mapping[str, str], *, base_dir: Path = BASE_DIR) -> None:
        self.env = {**read_env_file(base_dir / ".env"), **environ}
        self.base_dir = base_dir
        self.data_dir = base_dir / (self.env.get("DATA_DIR") or ".local")
        self.processes = Processes()
        self.embedded: Embedded | None = None
        self.base_url = ""
        self.sandbox_url = ""
        self.stripe_url = ""

    def run(self) -> int:
        """Start everything, stay until asked to stop, stop everything; returns the exit code."""
        self.processes.catch_signals()
        try:
            self._start()
            self.processes.starting = False
            while not self.processes.stop_asked:
                self.processes.pump()
                self._revive_servers()
        except Stopped:
            pass
        finally:
            self._stop()
        return 0

    # --- start

    def _start(self) -> None:
        began = time.monotonic()
        wanted = {"postgres": not self.env.get("DATABASE_URL"), "valkey": not self.env.get("REDIS_URL")}
        embedded = Embedded(self.data_dir, **wanted)
        # First of all, and also with servers of your own: it keeps a second start out of this folder.
        embedded.claim()
        self.embedded = embedded
        port = port_of(self.env, "PORT", 8000)
        with_sandbox = not self.env.get("META_GRAPH_URL")
        sandbox_port = port_of(self.env, "SANDBOX_PORT", 9000) if with_sandbox else 0
        if port == sandbox_port:
            raise SetupError(f"PORT and SANDBOX_PORT are both {port}: give them different numbers.")
        # With a Meta or a Stripe of one's own, no pretended money.
        with_stripe = with_sandbox and not self.env.get("STRIPE_SECRET_KEY")
        stripe_port = self._stripe_port(sandbox_port, {port, sandbox_port}) if with_stripe else 0
        self.base_url = f"http://{HOST}:{port}"
        check_servers(self.env)
        self._start_servers()
        self._complete_env(port, sandbox_port, stripe_port)
        self._manage("migrate", "--noinput", "-v", "0")
        if with_sandbox:
            self.processes.start("sandbox", self._command("sandbox", "--port", str(sandbox_port)), self.env)
        if with_stripe:
            # Its state is kept: to forget who pays would end every plan at the next comparison.
            state = str(self.data_dir / "stripe.json")
            command = self._command("stripe_sandbox", "--port", str(stripe_port), "--state", state)
            self.processes.start("stripe", command, self.env)
        self._start_product(port)
        shown = self._make_demo() if with_sandbox else None
        self._wait_until_ready()
        if shown is not None and not demo.key_works(self.base_url, shown):
            (self.data_dir / "demo.json").unlink(missing_ok=True)  # it belonged to another database
            shown = self._make_demo()
        self.processes.say(f"everything answers after {time.monotonic() - began:.1f} s")
        print(f"READY {self.base_url}", flush=True)  # noqa: T201
        if shown is not None:
            print(demo.text(shown, self.base_url, self.sandbox_url, self.stripe_url), flush=True)  # noqa: T201
        else:
            self.processes.say("META_GRAPH_URL is set: no sandbox, no demo account; see create_account")

    def _start_servers(self) -> None:
        assert self.embedded is not None
        urls = self.embedded.start()
        started = {"DATABASE_URL": urls.database_url, "REDIS_URL": urls.redis_url}
        started = {name: url for name, url in started.items() if url}
        self.env.update(started)
        if started:
            # `manage.py` typed in another terminal finds the servers here.
            self._services_file.write_text("".join(f"{name}={url}\n" for name, url in started.items()))
            self.processes.say(f"{' and '.join(self.embedded.pids())} started, data in {self.data_dir}")

    @property
    def _services_file(self) -> Path:
        return self.data_dir / "services.env"

    def _stripe_port(self, sandbox_port: int, taken: set[int]) -> int:
        """Return the port named for the stand-in for Stripe, else one beside the sandbox, else any free one.

        Nobody has to know this variable to start two Hermods on one machine.
        """
        if self.env.get("STRIPE_SANDBOX_PORT"):
            port = port_of(self.env, "STRIPE_SANDBOX_PORT", 9001)
            if port in taken:
                raise SetupError(
                    f"STRIPE_SANDBOX_PORT is {port}, as another port is: give them different ones."
                )
            return port
        for wanted in (sandbox_port + 1, 0):
            if wanted in taken or wanted > 65535:
                continue
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((HOST, wanted))
                return int(probe.getsockname()[1])
        raise SetupError("No port is free for the stand-in for Stripe: name one in STRIPE_SANDBOX_PORT.")

    def _complete_env(self, port: int, sandbox_port: int, stripe_port: int) -> None:
        """Add what the user left open; a variable that is set keeps its value."""
        self.env.update(secrets_of(self.data_dir, self.env))
        defaults = {
            "DATA_DIR": str(self.data_dir),
            "PORT": str(port),
            "PUBLIC_URL": self.base_url,
            "DEBUG": "1",
            "LOG_FORMAT": "console",
        }
        if sandbox_port:
            from devstack.meta import seed

            self.sandbox_url = f"http://{HOST}:{sandbox_port}"
            defaults |= {
                "SANDBOX_PORT": str(sandbox_port),
                "META_GRAPH_URL": self.sandbox_url,
                "META_APP_SECRET": str(seed.APP_SECRET),
                "META_VERIFY_TOKEN": str(seed.VERIFY_TOKEN),
            }
        if stripe_port:
            from devstack.stripe import seed as stripe

            self.stripe_url = f"http://{HOST}:{stripe_port}"
            defaults |= {**stripe.SETTINGS, "STRIPE_API_BASE": self.stripe_url}
            defaults["STRIPE_SANDBOX_PORT"] = str(stripe_port)
        for name, value in defaults.items():
            self.env[name] = self.env.get(name) or value
        self.env["DATA_DIR"] = str(self.data_dir)
        if self.env["DEBUG"].lower() in ("1", "true", "on", "yes"):
            # Only while debugging: the system checks refuse it otherwise.
            self.env["WEBHOOK_ALLOW_PRIVATE"] = self.env.get("WEBHOOK_ALLOW_PRIVATE") or "1"
        self.env["PYTHONUNBUFFERED"] = "1"
        if os.geteuid() == 0:
            # The queue carries JSON only; what Celery warns of as root is unpickling.
            self.env.setdefault("PYTHONWARNINGS", "ignore:You're running the worker with superuser")
        self.env["PYTHONPATH"] = str(self.base_dir)

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.base_dir / "manage.py"), *arguments]

    def _manage(self, *arguments: str) -> str:
        return self.processes.run(f"manage.py {arguments[0]}", self._command(*arguments), self.env)

    def _start_product(self, port: int) -> None:
        start, python = self.processes.start, sys.executable
        try:
            serving = web.command(HOST, port, server=self.env.get("HTTP_SERVER", ""))
        except web.UnknownServer as error:
            raise SetupError(str(error)) from None
        start("web", serving, self.env, stage=1)
        for name in processes.WORKERS:
            command = [python, *processes.worker(name, quiet=True)]
            start(name, command, self.env, stage=2, stop_seconds=WORKER_STOP_SECONDS)
        schedule = str(self.data_dir / "celerybeat-schedule")
        start("beat", [python, *processes.beat(schedule, quiet=True)], self.env, stage=3)

    def _make_demo(self) -> demo.Demo:
        known = demo.load(self.data_dir)
        if known is not None:
            return known
        self.processes.wait_for(lambda: answers(f"{self.sandbox_url}/"), "the sandbox")
        command = [sys.executable, "-m", "devstack.launcher.demo"]
        printed = self.processes.run("making the demo account", command, self.env)
        made: demo.Demo = json.loads(printed.splitlines()[-1])
        demo.save(self.data_dir, made)
        return made

    def _wait_until_ready(self) -> None:
        if self.sandbox_url:
            self.processes.wait_for(lambda: answers(f"{self.sandbox_url}/"), "the sandbox")
        if self.stripe_url:
            self.processes.wait_for(lambda: answers(f"{self.stripe_url}/"), "the stand-in for Stripe")
        try:
            self.processes.wait_for(self._ready, "the web server and a worker", 90)
        except ChildFailed as error:
            raise ChildFailed(f"{error}; /readyz says: {self._unready()}") from None

    def _ready(self) -> bool:
        """Tell whether web, database and broker answer and a worker looks for work."""
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=5) as response:  # noqa: S310
                return bool(json.load(response)["checks"]["worker"]["ok"])
        except (OSError, ValueError, KeyError):
            return False

    def _unready(self) -> str:
        try:
            with urllib.request.urlopen(f"{self.base_url}/readyz", timeout=5) as response:  # noqa: S310
                return str(response.read(500).decode(errors="replace"))
        except urllib.error.HTTPError as error:
            return str(error.read(500).decode(errors="replace"))
        except OSError as error:
            return str(error)

    # --- later

    def _revive_servers(self) -> None:
        if self.embedded is not None:
            for name in self.embedded.revive():
                self.processes.say(f"{name} had ended and was started again")

    def _stop(self) -> None:
        if self.embedded is None:
            return
        if self.processes.running():
            self.processes.say("stopping")
        self.processes.stop()
        self._services_file.unlink(missing_ok=True)
        self.embedded.stop()
        self.processes.say("stopped")


def main() -> int:
    """Run until asked to stop; expected trouble is one sentence and exit code 1."""
    try:
        return Supervisor(os.environ).run()
    except (SetupError, EmbeddedError, ChildFailed) as error:
        sys.stderr.write(f"hermod: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
