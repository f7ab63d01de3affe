"""The whole way: the service as a live server, the sandbox as Meta, and somebody who works the queues."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from devstack.meta import seed
from devstack.meta.options import Options
from devstack.meta.server import SandboxThread
from devstack.meta.world import World
from messaging.send import worker as send_worker
from messaging.tasks import apply_meta
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

#: a person's phone answers within a moment and does not read
QUICK = {"sent_delay": 0.02, "delivered_delay": 0.05, "read_delay": None}


def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Return the first true value of ``condition``."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@dataclass
class Service:
    """What a customer has: an address. What the house has: workers."""

    url: str
    sandbox: SandboxThread

    def call(self, method: str, path: str, *, key: str | None = None, **more: Any) -> requests.Response:
        """Call the service over HTTP as a customer's program does."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return requests.request(method, self.url + path, headers=headers, timeout=20, **more)

    @staticmethod
    def send_what_is_due() -> None:
        """Do the messages worker's work once."""
        send_worker.drain(linger=0.3)

    @staticmethod
    def apply_callbacks() -> None:
        """Do the inbox worker's work once."""
        inbox.drain(source=InboundEvent.Source.META, apply=apply_meta)


@pytest.fixture
def sandbox() -> Iterator[SandboxThread]:
    """A Meta of its own for each test."""
    with SandboxThread(World.default("", Options(**QUICK))) as running:
        yield running


@pytest.fixture
def service(live_server: Any, settings: Any, sandbox: SandboxThread) -> Service:
    """The service, connected with the sandbox both ways."""
    settings.META_GRAPH_URL = sandbox.url
    settings.META_APP_SECRET = seed.APP_SECRET
    settings.PUBLIC_URL = live_server.url
    callback = f"{live_server.url}/webhooks/whatsapp"
    sandbox.run(setattr, sandbox.world, "callback_url", callback)
    return Service(live_server.url, sandbox)
