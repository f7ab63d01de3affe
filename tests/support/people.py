"""People who are signed in, for the pages of the dashboard."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Membership, User
from accounts.registration import prove
from tests import factories

PASSWORD = "a long enough passphrase"


def make_person(email: str, *, name: str = "") -> User:
    """Create somebody whose address is proven and who has no password (hashing one takes long)."""
    user = User.objects.create_user(email, None, name=name)
    prove(user, email)
    return user


def make_owned(name: str, plan: str = "pro", *, password: str | None = None) -> Account:
    """Create an account with an owner who may sign in."""
    account = factories.make_account(plan, name=name)
    owner = account.memberships.select_related("user").get().user
    if password:
        owner.set_password(password)
        owner.save()
    prove(owner, owner.email)
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
    request = HttpRequest()  # as if the password had just been typed again
    request.session = client.session
    record_authentication(request, who, "password", reauthenticated=True)
    request.session.save()
    return client
