"""The fixtures of tests/billing: a customer, and the plan that the customer has now."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import Account
from tests.factories import make_account


@pytest.fixture
def account(db: None) -> Account:
    """A customer on the free plan."""
    return make_account("free", name="Alice")


def plan_of(account: Account) -> str:
    """Return the plan that the account has now."""
    return Account.objects.values_list("plan", flat=True).get(pk=account.pk)


@pytest.fixture(name="plan_of")
def _plan_of() -> Any:
    return plan_of
