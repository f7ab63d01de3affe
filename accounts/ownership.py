"""Ownership of an account: opened by people who proved their address, or claimed from the API by its key.

Registering by API proves no address: anybody could have registered yours and kept the key. So an
account made that way belongs to nobody in the dashboard until the person who proved the address shows
its key as well. Without the key they may release the address: the account is then closed, its keys end,
and they begin with a fresh one. Nothing that a stranger put into the first one reaches them.
"""

from __future__ import annotations

import uuid

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import audit, keys
from accounts.models import Account, Membership, User
from accounts.registration import create_account
from core.errors import Refusal, invalid


def unclaimed(user: User) -> list[Account]:
    """Return the accounts that were registered by API with this person's address and not claimed."""
    found = Membership.objects.filter(user=user, account__claimed_at=None, account__is_active=True)
    return [one.account for one in found.select_related("account").order_by("pk")]


@transaction.atomic
def claim(user: User, account_id: uuid.UUID, key: str) -> Account:
    """Make the account that was registered by API this person's; ``key`` proves that they registered it.

    Raises ``Refusal`` (``not_found``) and ``Invalid`` for a key that is not a working one of the account.
    """
    account = _held(user, account_id)
    try:
        shown = keys.authenticate(key.strip())
    except Refusal:
        shown = None
    if shown is None or shown.account_id != account.pk:
        raise invalid("key", "This is not a working key of that account.")
    account.claimed_at = timezone.now()
    account.save(update_fields=["claimed_at"])
    audit.record(account, "account.claimed", actor=user.email, target=str(shown))
    return account


@transaction.atomic
def release(user: User, account_id: uuid.UUID) -> None:
    """Give up an account registered by API: it is closed, its keys end, its address is free again.

    Raises ``Refusal`` (``not_found``).
    """
    account = _held(user, account_id)
    now = timezone.now()
    account.api_keys.filter(revoked_at=None).update(revoked_at=now, revoked_reason="address released")
    audit.record(account, "account.released", actor=user.email)
    account.is_active = False
    account.email = f"released-{account.pk}@invalid"
    account.save(update_fields=["is_active", "email"])
    account.memberships.filter(user=user).delete()


def open_account(user: User, name: str = "") -> Account:
    """Open an account for a person whose address is proven. Raises ``Refusal`` (``conflict``)."""
    named = (name or user.name or user.email.partition("@")[0])[:200]
    try:
        with transaction.atomic():
            account, _ = create_account(name=named, email=user.email, claimed=True)
            Membership.objects.create(account=account, user=user, role=Membership.Role.OWNER)
            audit.record(account, "account.opened", actor=user.email)
    except IntegrityError:
        raise Refusal("conflict", "Another account uses this e-mail address.") from None
    return account


def _held(user: User, account_id: uuid.UUID) -> Account:
    account = (
        Account.objects.select_for_update(of=("self",))
        .filter(pk=account_id, claimed_at=None, is_active=True, memberships__user=user)
        .first()
    )
    if account is None:
        raise Refusal("not_found", "There is no such account to claim.")
    return account
