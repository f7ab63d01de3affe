"""An operator of the service, signed in with a second factor as /admin/ wants it."""

from __future__ import annotations

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.http import HttpRequest
from django.test import Client

from accounts.models import User


def give_factor(user: User) -> str:
    """Give a person an authenticator app; returns its secret."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def code_of(secret: str) -> str:
    """Return what the app shows at this moment."""
    return format_hotp_value(hotp_value(secret, next(yield_hotp_counters_from_time())))


def enter(client: Client, user: User) -> Client:
    """Sign a person in who shows a second factor."""
    give_factor(user)
    client.force_login(user)
    request = HttpRequest()
    request.session, request.user = client.session, user
    record_authentication(request, user, "mfa", type="totp")
    request.session.save()
    return client


def operator(client: Client, email: str = "operator@example.com") -> Client:
    """Sign a new superuser in."""
    return enter(client, User.objects.create_superuser(email))
