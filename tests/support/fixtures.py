"""Fixtures of everything that talks to Meta: the sandbox of the session, and an account connected to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.models import Account, Connection
from core.jobs import shutdown
from devstack.meta import seed
from devstack.meta.server import SandboxThread
from devstack.meta.world import World
from tests import factories
from tests.support.meta import Meta


@pytest.fixture(scope="session")
def sandbox() -> Iterator[SandboxThread]:
    """Run one sandbox for all tests; each begins with the seeded state (``meta``)."""
    with SandboxThread(World.default()) as running:
        yield running


@pytest.fixture
def meta(transactional_db: None, live_server, sandbox: SandboxThread, settings) -> Iterator[Meta]:
    """Give Meta to the engine, with callbacks to this process's own server."""
    settings.META_GRAPH_URL = sandbox.url
    settings.META_APP_SECRET = seed.APP_SECRET
    settings.META_VERIFY_TOKEN = seed.VERIFY_TOKEN
    made = Meta(sandbox)
    made.begin(f"{live_server.url}/webhooks/whatsapp")
    yield made
    shutdown.asked.clear()
    made.end()


@pytest.fixture
def app_secret(settings) -> str:
    """Let callbacks signed with the service's own secret be believed."""
    settings.META_APP_SECRET = seed.APP_SECRET
    return seed.APP_SECRET


@pytest.fixture
def alice(db: None) -> Account:
    """A customer."""
    return factories.make_account("pro", name="Alice")


@pytest.fixture
def charlie(db: None) -> Account:
    """Another customer, a stranger to the first."""
    return factories.make_account("pro", name="Charlie")


@pytest.fixture
def number(alice: Account, request: pytest.FixtureRequest) -> Connection:
    """Alice's number; the sandbox's own when the test has one."""
    if "meta" in request.fixturenames:
        return request.getfixturevalue("meta").connect(alice)
    return factories.connect(alice, waba_id="102290129340398")
