"""What the pages about a number share: its form of credentials, its callback address."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models import Connection
from core.secret import Secret

_TOKEN = re.compile(r"[!-~]{20,2000}")
_META_ID = re.compile(r"[0-9]{5,20}")
_APP_SECRET = re.compile(r"[!-~]{8,200}")

PHONE_HELP = _("With the country code, for example +1 415 555 2671.")


def callback_url(number: Connection) -> str:
    """Return a number's own callback address, to give to Meta."""
    return f"{settings.PUBLIC_URL}/webhooks/whatsapp/{number.callback_key}"


class CredentialsForm(forms.Form):
    """Meta's four values. What was saved is never filled in again; ``seen`` shows what is typed."""

    access_token = forms.CharField(
        label=_("Access token"),
        max_length=2_000,
        strip=True,
        help_text=_("Begins with EAA. Stored encrypted and never shown again."),
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}, render_value=True),
    )
    phone_number_id = forms.CharField(
        label=_("Phone number ID"),
        max_length=20,
        help_text=_("5 to 20 digits; not the phone number itself."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    waba_id = forms.CharField(
        label=_("WhatsApp Business Account ID"),
        max_length=20,
        required=False,
        help_text=_(
            "Needed for templates and for reports. We try to find it ourselves when you leave it empty."
        ),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    app_secret = forms.CharField(
        label=_("App Secret"),
        max_length=200,
        required=False,
        help_text=_("Proves that delivery reports come from Meta. Stored encrypted."),
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}, render_value=True),
    )

    def __init__(self, *args: Any, seen: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("access_token", "app_secret"):
            if seen:  # the sandbox's values are no secrets
                self.fields[name].widget = forms.TextInput(attrs={"autocomplete": "off"})
            elif self.is_bound:
                self.fields[name].widget.render_value = False

    def clean_access_token(self) -> str:
        """Refuse what cannot be a token."""
        return _matching(self.cleaned_data["access_token"], _TOKEN, _("This is no Meta access token."))

    def clean_phone_number_id(self) -> str:
        """Refuse a phone number in the place of its id."""
        said = _("Must be the Phone number ID from Meta (5 to 20 digits), not the phone number.")
        return _matching(self.cleaned_data["phone_number_id"], _META_ID, said)

    def clean_waba_id(self) -> str:
        """Refuse what is no id."""
        return _matching(self.cleaned_data["waba_id"], _META_ID, _("Must be 5 to 20 digits."))

    def clean_app_secret(self) -> str:
        """Refuse what cannot be a secret of an app."""
        said = _("Must be the App Secret of your Meta app.")
        return _matching(self.cleaned_data["app_secret"], _APP_SECRET, said)

    def credentials(self) -> dict[str, Any]:
        """Return what the cores take; an empty optional part keeps what was saved."""
        given = self.cleaned_data
        return {
            "access_token": Secret(given["access_token"]),
            "phone_number_id": given["phone_number_id"],
            "waba_id": given["waba_id"] or None,
            "app_secret": Secret(given["app_secret"]) if given["app_secret"] else None,
        }


def _matching(value: str, pattern: re.Pattern[str], said: Any) -> str:
    if value and not pattern.fullmatch(value):
        raise forms.ValidationError(said)
    return value
