"""django-allauth's adapters: whose address counts, what a sign-up asks, how TOTP secrets are kept."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import vault
from accounts.models import User
from core.http.clientip import bucket, client_ip
from core.secret import Secret
from core.ui.people import zone_of

#: where the session keeps the code that a mail would carry; written by development servers alone
CODE = "development_code"
#: the place that sealed second factors are bound to
CONTEXT = "mfa"
_ABSOLUTE = re.compile(r"https?://[^/]*(?=/)")


class Adapter(DefaultAccountAdapter):
    """The account part of allauth."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """Count tries by the address that our own proxies name."""
        return client_ip(request)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count wrong passwords by who guesses and at what; a stranger's guesses lock nobody else out.

        allauth counts them for the account alone (five from anywhere shut it for everybody) and under the
        request's Host (another port begins anew).
        """
        login = str(credentials.get("email") or credentials.get("username") or "").lower()
        return f"{bucket(client_ip(request))}:{login}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail; on a development server the page shows the code too, since its mails go nowhere.

        Its links lead to PUBLIC_URL, whatever Host the request named: who asks for somebody else's mail
        chooses that header.
        """
        request = self.request
        context = {"current_site": _HOUSE, **context}
        for name, value in context.items():
            if isinstance(value, str) and _ABSOLUTE.match(value):
                context[name] = settings.PUBLIC_URL + _ABSOLUTE.sub("", value)
        if settings.DEVELOPMENT and "code" in context and request is not None:
            request.session[CODE] = str(context["code"])
        super().send_mail(template_prefix, email, context)


class _House:
    """What mails call this service (allauth asks a site for both)."""

    name = "Hermod"

    @property
    def domain(self) -> str:
        """Return the host that people know."""
        return urlsplit(settings.PUBLIC_URL).netloc


_HOUSE = _House()


class SignUpForm(forms.Form):
    """What a sign-up asks besides the address and the password."""

    name = forms.CharField(
        label=_("Your name or company"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    zone = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput(attrs={"data-zone": ""}))
    field_order = ["name", "email", "password1"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """Keep what was asked."""
        user.name = self.cleaned_data["name"]
        zone = self.cleaned_data["zone"]
        user.timezone = zone if zone_of(zone) else ""
        user.save(update_fields=["name", "timezone"])


class MFAAdapter(DefaultMFAAdapter):
    """The second factor: its secrets are sealed like all others."""

    def encrypt(self, text: str) -> str:
        """Seal a TOTP secret or the seed of the recovery codes."""
        return vault.seal(Secret(text), context=CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        """Open what ``encrypt`` sealed. Raises ``vault.CannotOpen``."""
        return vault.unseal(encrypted_text, context=CONTEXT).reveal()
