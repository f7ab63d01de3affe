"""New accounts: by API, by command; always with a default agent and a first key."""

from __future__ import annotations

from dataclasses import dataclass

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import keys
from accounts.models import Account, Agent, ApiKey, Membership, User
from core.errors import Invalid, Refusal, invalid
from core.secret import Secret


@dataclass(frozen=True, slots=True)
class Registered:
    """A new account and the only copy of its first key."""

    account: Account
    agent: Agent
    api_key: Secret


def check_email(email: str) -> None:
    """Raise ``Invalid`` unless ``email`` is an address that mail can be sent to and a person can read."""
    try:
        validate_email(email)
        # The validator takes invisible and right-to-left characters in a domain.
        if not email.isprintable():
            raise ValidationError("not printable")
    except ValidationError:
        raise invalid("email", "Must be an e-mail address.") from None


def register(
    *, name: str, email: str, password: str | None = None, plan: str = "free", proven: bool = False
) -> Registered:
    """Create an account with its default agent, owner and first ``sk_live_`` key.

    ``proven`` says that the address is known to be the owner's (an operator vouches for it). Otherwise
    the account waits for whoever proves the address in the dashboard (``accounts.ownership``).

    Raises ``Invalid`` for an address that is none and for a weak password; ``Refusal`` (``conflict``)
    when the address has an account: handing out another key for it would give the account to whoever
    knows the address (W2).
    """
    check_email(email)
    if password is not None:
        try:
            validate_password(password, User(email=email, name=name))
        except ValidationError as error:
            raise invalid("password", " ".join(error.messages)) from None
    try:
        with transaction.atomic():
            account, agent = create_account(name=name, email=email, plan=plan, claimed=proven)
            user = User.objects.filter(email__iexact=email).first()
            if user is None:
                user = User.objects.create_user(email, password, name=name)
            elif password is not None:
                User().set_password(password)  # as long as for an address that is new: nothing is kept
            if proven:
                prove(user, email)
            Membership.objects.create(account=account, user=user, role=Membership.Role.OWNER)
            _, secret = keys.issue(account, kind=ApiKey.Kind.SK, name="Default")
    except IntegrityError:
        raise Refusal(
            "conflict",
            "An account with this e-mail address exists. Use its key, or register another address.",
        ) from None
    return Registered(account, agent, secret)


def create_account(
    *, name: str, email: str, plan: str = "free", claimed: bool = False
) -> tuple[Account, Agent]:
    """Make the rows of an account that nobody belongs to yet. Raises ``IntegrityError``: address taken."""
    account = Account.objects.create(
        name=name, email=email, plan=plan, claimed_at=timezone.now() if claimed else None
    )
    return account, Agent.objects.create(account=account, name=name, is_default=True)


def prove(user: User, email: str) -> None:
    """Note that an address is a person's for sure, so that signing in does not ask them to prove it."""
    EmailAddress.objects.get_or_create(
        user=user, email=email.lower(), defaults={"verified": True, "primary": True}
    )


__all__ = ["Invalid", "Registered", "register"]
