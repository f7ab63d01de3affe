"""The whole way: the service as a live server, the sandbox as Meta, and somebody who works the queues."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from devstack.meta import seed
from devstack.meta.options import Options
from devstack.meta.server import SandboxThread
from devstack.meta.world import World
from tests.support.service import Service

#: a person's phone answers within a moment and does not read
QUICK = {"sent_delay": 0.02, "delivered_delay": 0.05, "read_delay": None}


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
