"""A live service with one rich customer: the schema is asked of it, and then believed or not."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from accounts.models import Account, Number
from messaging.models import Message
from tests import factories


@pytest.fixture
def pro(db: None) -> Account:
    """A customer on a plan that may do everything."""
    return factories.make_account("pro")


@pytest.fixture
def key(pro: Account) -> str:
    """A live key that no rate limit stops."""
    return factories.make_key(pro, rate_limit_per_minute=factories.PLENTY)[1]


@pytest.fixture
def number(pro: Account) -> Number:
    """A connected number; nobody listens at Meta's address."""
    return factories.connect(pro)


@pytest.fixture
def message(pro: Account) -> Message:
    """A message that was stored and waits."""
    return factories.make_message(pro)


@pytest.fixture
def document(live_server: Any) -> dict[str, Any]:
    """The OpenAPI document as it is served."""
    answer = requests.get(f"{live_server.url}/openapi.json", timeout=20)
    assert answer.status_code == 200
    return answer.json()
