"""The billing row of an account: made at the first touch, and the lock of everything slow about billing."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import connection

from billing.models import Customer

# What the account has before billing touches it was given by an operator, and is what it falls back to.
_ENSURE = """
INSERT INTO billing_customer (
    account_id, generation, open_session, granted_plan, override_plan, override_reason,
    fetches, applied_fetch, created_at)
SELECT id, 0, '', plan, '', '', 0, 0, now() FROM accounts_account WHERE id = %s
ON CONFLICT (account_id) DO NOTHING
"""


def ensure(account_id: uuid.UUID) -> Customer:
    """Return the account's billing row, made if it was missing."""
    with connection.cursor() as cursor:
        cursor.execute(_ENSURE, [account_id])
    return Customer.objects.select_related("account").get(pk=account_id)


def money_page() -> str:
    """Return the address that leads to the portal and the checkout, and that Stripe leads back to."""
    return f"{settings.PUBLIC_URL}/billing/return"


def locked(account_id: uuid.UUID) -> Customer:
    """Return the row locked until the transaction ends, with the account as it is now."""
    customers = Customer.objects.select_for_update(no_key=True, of=("self",)).select_related("account")
    found = customers.filter(pk=account_id).first()
    if found is None:
        ensure(account_id)
        found = customers.get(pk=account_id)
    return found
