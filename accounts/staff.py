"""Operators' second factor: who has one, who has none, whether a session showed it."""

from __future__ import annotations

from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import checks
from django.db import DatabaseError
from django.http import HttpRequest

from accounts.models import User

#: recovery codes alone are no factor: they come with one of these
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def has_factor(user: User) -> bool:
    """Tell whether a person has an authenticator app or a passkey."""
    return Authenticator.objects.filter(user=user, type__in=FACTORS).exists()


def showed_factor(request: HttpRequest, user: User) -> bool:
    """Tell whether this session showed a second factor; one that began before there was any did not."""
    return any(one.get("method") == "mfa" for one in get_authentication_records(request, user))


def may_enter(request: HttpRequest) -> bool:
    """Tell whether the session may see the operators' pages as far as its second factor goes."""
    user = request.user
    if not settings.ADMIN_SECOND_FACTOR:
        return True
    return isinstance(user, User) and showed_factor(request, user) and has_factor(user)


def without_factor() -> list[str]:
    """Return the addresses of the staff who have no second factor."""
    staff = User.objects.filter(is_staff=True, is_active=True)
    bare = staff.exclude(pk__in=Authenticator.objects.filter(type__in=FACTORS).values("user"))
    return list(bare.order_by("email").values_list("email", flat=True))


@checks.register("hermod", deploy=True)
def staff_has_second_factors(**_: Any) -> list[checks.CheckMessage]:
    """W010: who of the staff has no second factor, and therefore stays outside ``/admin/``."""
    try:
        bare = without_factor()
    except DatabaseError:
        return []  # judged without its database, or before it was migrated
    if not bare:
        return []
    return [
        checks.Warning(
            f"Staff without a second factor: {', '.join(bare)}.",
            hint="They cannot open /admin/ until they add one under /accounts/2fa/.",
            id="hermod.W010",
        )
    ]
