"""Credentials form of the pages about a number."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts import credentials
from core.secret import Secret
from core.ui.refusal_texts import translated

PHONE_HELP = _("With the country code, for example +1 415 555 2671.")


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

    def clean(self) -> dict[str, Any]:
        """Say at each field what is wrong with it."""
        given = {name: value or None for name, value in self.cleaned_data.items() if name in self.base_fields}
        for fault in credentials.faults(given):
            self.add_error(fault.field, translated(fault.message))
        return self.cleaned_data

    def credentials(self) -> dict[str, Any]:
        """Return what the cores take; an empty optional part keeps what was saved."""
        given = self.cleaned_data
        return {
            "access_token": Secret(given["access_token"]),
            "phone_number_id": given["phone_number_id"],
            "waba_id": given["waba_id"] or None,
            "app_secret": Secret(given["app_secret"]) if given["app_secret"] else None,
        }
