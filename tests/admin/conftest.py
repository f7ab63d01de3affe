"""An operator, signed in."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User


@pytest.fixture
def operator(db: None, client: Client) -> Client:
    """Return a browser in which a superuser has signed in."""
    client.force_login(User.objects.create_superuser("operator@example.com"))
    return client
