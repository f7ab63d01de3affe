"""Every fixture that more than one folder uses; loaded once, by tests/conftest.py.

A folder that means something else by one of these names says so in its own conftest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import Account, Number
from billing import stripe_api
from core.jobs import shutdown
from devstack.meta import seed
from devstack.meta.server import SandboxThread
from devstack.meta.world import World
from devstack.stripe.server import StandInThread
from devstack.stripe.world import World as StripeWorld
from tests import factories
from tests.support import v1
from tests.support.browser import Visit, launched
from tests.support.meta import Meta
from tests.support.receiver import Receiver
from tests.support.stripe import Stripe

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# --- customers


@pytest.fixture
def alice(db: None) -> Account:
    """A customer."""
    return factories.make_account("pro", name="Alice")


@pytest.fixture
def charlie(db: None) -> Account:
    """Another customer, a stranger to the first."""
    return factories.make_account("pro", name="Charlie")


@pytest.fixture
def number(alice: Account, request: pytest.FixtureRequest) -> Number:
    """Alice's number; the sandbox's own when the test has one."""
    if "meta" in request.fixturenames:
        return request.getfixturevalue("meta").connect(alice)
    return factories.connect(alice, waba_id="102290129340398")


@pytest.fixture
def ready() -> Account:
    """A paying customer with credentials."""
    account = factories.make_account("pro")
    factories.connect(account)
    return account


@pytest.fixture
def org(db: None) -> v1.Customer:
    """A customer of the ``/v1`` API on the Professional plan."""
    return v1.make_customer()


# --- Meta


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


# --- Stripe


@pytest.fixture(scope="session")
def stand_in() -> Iterator[StandInThread]:
    """Run one stand-in for all tests."""
    with StandInThread(StripeWorld()) as running:
        yield running


@pytest.fixture
def stripe(stand_in: StandInThread, settings: Any, monkeypatch: Any) -> Stripe:
    """Give Stripe to the service: an empty stand-in, and the settings that lead to it."""
    made = Stripe(stand_in)
    made.begin(settings)
    # What Stripe refuses is not worth the half second before a second try.
    monkeypatch.setattr(stripe_api, "RETRIES", 0)
    return made


# --- a customer's receiver


@pytest.fixture(scope="module")
def receiver_server() -> Iterator[Receiver]:
    """Run one receiver for the tests of a module."""
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def receiver(receiver_server: Receiver, settings: Any) -> Receiver:
    """Give a customer's receiver on this machine that has seen nothing yet."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    receiver_server.forget()
    return receiver_server


# --- a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the Chromium that CHROMIUM_PATH names, or the one on the path."""
    with pytest.MonkeyPatch.context() as patch:
        # Playwright leaves an event loop running in this thread, and Django then refuses its own database.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with launched() as started:
            yield started


@pytest.fixture
def visit(browser: Browser, live_server) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a tab: ``visit(width=360, scheme="dark")``."""
    contexts = []

    def start(*, width: int = 1280, scheme: str = "light") -> Visit:
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        context.set_default_timeout(15_000)
        contexts.append(context)
        return Visit(context.new_page(), live_server.url)

    yield start
    for context in contexts:
        context.close()
