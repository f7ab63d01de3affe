"""The whole product on loopback: two servers, the sandbox, web, two workers, beat, and three customers."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import socket
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.chaos import history
from bench.chaos.children import ROOT, Children
from bench.chaos.meta import Meta
from bench.chaos.plan import ALWAYS, Plan
from bench.chaos.receiver import Receiver
from bench.chaos.servers import Servers
from devstack.meta import seed


@dataclass
class Stack:
    """What a run works with."""

    plan: Plan
    servers: Servers
    children: Children
    meta: Meta
    receiver: Receiver
    base_url: str
    port: int
    tenants: list[dict[str, str]]
    #: when a server was ready again after a crash
    ready_again: list[tuple[str, float]] = field(default_factory=list)

    def look_after(self) -> None:
        """Start again whatever has died."""
        for name in self.servers.revive():
            self.ready_again.append((name, time.time()))
        self.children.look()

    def start_product(self, failpoints: str = "") -> None:
        """Start web, workers and beat, and wait until web answers and a worker claims."""
        self.children.start_product(self.port, **({"FAILPOINTS": failpoints} if failpoints else {}))
        self.wait_until_ready()

    def wait_until_ready(self, seconds: float = 60.0) -> None:
        """Wait until /readyz says that everything works, a worker included."""
        ends = time.monotonic() + seconds
        while not _ready(self.base_url):
            if time.monotonic() > ends:
                raise RuntimeError(f"the product is not ready; see {self.children.folder}")
            self.look_after()
            time.sleep(0.1)


def _ready(base_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base_url}/readyz", timeout=5) as answer:
            return bool(json.load(answer)["checks"]["worker"]["ok"])
    except (OSError, ValueError, KeyError):
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment(plan: Plan, servers: Servers, port: int, meta_port: int) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "DATABASE_URL": servers.urls.database_url,
        "REDIS_URL": servers.urls.redis_url,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CREDENTIALS_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "DATA_DIR": str(servers.folder),
        "DEBUG": "1",  # failpoints and plain http are refused without it
        "LOG_FORMAT": "json",
        "PORT": str(port),
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "META_GRAPH_URL": f"http://127.0.0.1:{meta_port}",
        "WEBHOOK_ALLOW_PRIVATE": "1",
        "META_APP_SECRET": seed.APP_SECRET,
        "META_VERIFY_TOKEN": seed.VERIFY_TOKEN,
        # Set, if only to nothing: a developer's .env must not reach the run.
        "STRIPE_SECRET_KEY": "",
        "STRIPE_WEBHOOK_SECRET": "",
        "ALLOWED_HOSTS": "",
        **plan.settings(),
    }


@contextlib.contextmanager
def running(plan: Plan, *, product: bool = True) -> Iterator[Stack]:
    """Start everything, hand it over, and leave no process and no folder behind."""
    servers = Servers()
    receiver = Receiver()
    children: Children | None = None
    try:
        port, meta_port = _free_port(), _free_port()
        children = Children(_environment(plan, servers, port, meta_port), servers.folder)
        manage = str(ROOT / "manage.py")
        base_url = f"http://127.0.0.1:{port}"
        callback = f"{base_url}/webhooks/whatsapp"
        children.start("sandbox", manage, "sandbox", "--port", str(meta_port), "--callback-url", callback)
        children.run(manage, "migrate", "--noinput", "-v", "0")
        with servers.database() as connection:
            history.install(connection)
        meta = Meta(f"http://127.0.0.1:{meta_port}")
        _wait_for_sandbox(meta)
        meta.options(**ALWAYS)
        tenants = json.loads(
            children.run("-m", "bench.chaos.tenants", str(plan.tenants), receiver.url).splitlines()[-1]
        )
        stack = Stack(plan, servers, children, meta, receiver, base_url, port, tenants)
        if product:
            stack.start_product(plan.failpoints)
        yield stack
    finally:
        if children is not None:
            children.stop()
        receiver.close()
        servers.close()


def _wait_for_sandbox(meta: Meta) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            meta.state()
            return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
