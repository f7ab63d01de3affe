"""People who are signed in, for the pages of the dashboard."""

from __future__ import annotations

from django.test import Client

from accounts.models import Account, Membership, User
from accounts.registration import prove
from tests import factories

PASSWORD = "a long enough passphrase"


def make_person(email: str, *, name: str = "") -> User:
    """Create somebody whose address is proven."""
    user = User.objects.create_user(email, PASSWORD, name=name)
    prove(user, email)
    return user


def make_owned(name: str, plan: str = "pro") -> Account:
    """Create an account with an owner who may sign in (``account.owner``)."""
    account = factories.make_account(plan, name=name)
    owner = account.memberships.select_related("user").get().user
    owner.set_password(PASSWORD)
    owner.save()
    prove(owner, owner.email)
    from django.utils import timezone

    account.claimed_at = timezone.now()
    account.save()
    return account


def join(account: Account, role: str, email: str) -> User:
    """Let a person join an account."""
    user = make_person(email)
    Membership.objects.create(account=account, user=user, role=role)
    return user


def signed_in(who: Account | User) -> Client:
    """Return a browser without scripts, signed in as a person or as an account's owner."""
    if isinstance(who, Account):
        who = who.memberships.select_related("user").filter(role="owner").order_by("pk")[0].user
    client = Client(enforce_csrf_checks=False, raise_request_exception=True)
    client.force_login(who, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client
