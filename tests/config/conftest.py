"""An operator, signed in."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.support import operators


@pytest.fixture
def operator(db: None, client: Client) -> Client:
    """Return a browser in which a superuser has signed in."""
    return operators.operator(client)
