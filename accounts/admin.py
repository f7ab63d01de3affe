"""Django admin of how people sign in: which second factors and sessions they have, never what opens them.

django-allauth registers pages of its own for these tables. They show the stored secrets of second factors,
let an operator declare any address proven, and fail on a search; these take their place.
"""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from core.ui.admin_base import Ledger

admin.site.unregister([Authenticator, EmailAddress, UserSession])
# Otherwise the first page has two parts called "Accounts".
apps.get_app_config("account").verbose_name = "Addresses of people"


@admin.register(Authenticator)
class AuthenticatorAdmin(Ledger):
    """Second factors. Deleting one lets somebody in again who has lost theirs."""

    list_display = ["user", "type", "created_at", "last_used_at"]
    list_filter = ["type"]
    list_select_related = ["user"]
    search_fields = ["user__email"]
    ordering = ["-id"]
    exclude = ["data"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """After an operator has made sure who asks."""
        return request.user.has_perm("mfa.delete_authenticator")


@admin.register(EmailAddress)
class EmailAddressAdmin(Ledger):
    """Addresses; only a code that was mailed there proves one."""

    list_display = ["email", "user", "primary", "verified"]
    list_filter = ["primary", "verified"]
    list_select_related = ["user"]
    search_fields = ["email", "user__email"]
    ordering = ["-id"]


@admin.register(UserSession)
class UserSessionAdmin(Ledger):
    """Where people are signed in."""

    list_display = ["user", "created_at", "last_seen_at", "ip", "user_agent"]
    list_select_related = ["user"]
    search_fields = ["user__email", "=ip"]
    ordering = ["-id"]
    exclude = ["session_key", "data"]
    actions = ["sign_out"]

    @admin.action(description="Sign out", permissions=["operate"])
    def sign_out(self, request: HttpRequest, sessions: QuerySet[UserSession]) -> None:
        """End these sessions at once."""
        for session in sessions:
            session.end()
