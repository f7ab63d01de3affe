"""``/app/settings``: the account's name, how long messages are kept, closing it.

``/app/profile``: the person's own name, language and time zone.
"""

from __future__ import annotations

import zoneinfo
from typing import Any

from allauth.account.models import EmailAddress
from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from accounts import audit, closing
from accounts.dashboard.base import DashboardView, Role, seats_of
from core.errors import Refusal
from core.ui.forms import take

SETTINGS = "/app/settings"
RETENTION = [
    ("", gettext_lazy("Keep them")),
    ("7", gettext_lazy("7 days")),
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
    ("180", gettext_lazy("Half a year")),
    ("365", gettext_lazy("A year")),
    ("730", gettext_lazy("Two years")),
]


class AccountForm(forms.Form):
    """What may be changed of an account."""

    name = forms.CharField(label=gettext_lazy("Name of the account"), max_length=200)
    retention_days = forms.TypedChoiceField(
        label=gettext_lazy("Delete messages after"),
        choices=RETENTION,
        coerce=int,
        empty_value=None,
        required=False,
        help_text=gettext_lazy(
            "Counted from the day a message was made. What was deleted cannot be brought back."
        ),
    )


class CloseForm(forms.Form):
    """The name of the account, typed by whoever closes it."""

    confirmation = forms.CharField(
        label=gettext_lazy("Type the name of the account"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class Settings(DashboardView):
    """``/app/settings``."""

    section = "settings"
    least_to_change = Role.ADMIN

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what is set."""
        return self.show()

    def post(self, request: HttpRequest) -> HttpResponse:
        """Store name and retention."""
        form = AccountForm(request.POST)
        if not form.is_valid():
            return self.show(form=form, status=400)
        given = form.cleaned_data
        self.account.name = given["name"].strip()
        self.account.retention_days = given["retention_days"]
        self.account.save(update_fields=["name", "retention_days"])
        audit.record(
            self.account,
            "settings.changed",
            name=self.account.name,
            retention_days=self.account.retention_days,
            **audit.by(request),
        )
        return self.done(SETTINGS, _("Saved."))

    def show(self, *, status: int = 200, **context: Any) -> HttpResponse:
        """Draw the page."""
        days = self.account.retention_days
        initial = {"name": self.account.name, "retention_days": "" if days is None else str(days)}
        frame = {"form": AccountForm(initial=initial), "closing": CloseForm()}
        return self.page("app/settings.html", status=status, **(frame | context))


class Close(DashboardView):
    """``POST /app/settings/close``: the end of the account."""

    section = "settings"
    least = Role.OWNER

    def post(self, request: HttpRequest) -> HttpResponse:
        """Close it, if its name was typed."""
        form = CloseForm(request.POST)
        if form.is_valid():
            try:
                closing.close(
                    self.account, confirmation=form.cleaned_data["confirmation"], actor=self.user.email
                )
            except Refusal as refusal:
                take(form, refusal)
            else:
                if not seats_of(self.user):
                    logout(request)
                    return HttpResponseRedirect("/")
                return self.done("/app", _("The account is closed."))
        page = Settings()
        page.setup(request)
        page.account, page.membership, page.user, page.seats = (
            self.account,
            self.membership,
            self.user,
            self.seats,
        )
        return page.show(closing=form, status=400)


class ProfileForm(forms.Form):
    """How the dashboard speaks to a person."""

    name = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    language = forms.ChoiceField(label=gettext_lazy("Language"), required=False)
    timezone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        required=False,
        help_text=gettext_lazy("All times in the dashboard are shown in it."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        languages = [("", _("As my browser asks")), *settings.LANGUAGES]
        self.fields["language"].choices = languages  # type: ignore[attr-defined]
        zones = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone or zone == "UTC")
        zones = [zone for zone in zones if not zone.startswith(("Etc/", "posix/", "right/", "SystemV/"))]
        shown = [("", _("UTC")), *((zone, zone.replace("_", " ")) for zone in zones if zone != "UTC")]
        self.fields["timezone"].choices = shown  # type: ignore[attr-defined]


class Profile(DashboardView):
    """``/app/profile``."""

    section = "profile"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what is set."""
        initial = {
            "name": self.user.name,
            "language": self.user.language,
            "timezone": "" if self.user.timezone == "UTC" else self.user.timezone,
        }
        return self.show(ProfileForm(initial=initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Store it; the answer already speaks the new language."""
        form = ProfileForm(request.POST)
        if not form.is_valid():
            return self.show(form, status=400)
        for name in ("name", "language", "timezone"):
            setattr(self.user, name, form.cleaned_data[name])
        self.user.save(update_fields=["name", "language", "timezone"])
        with override(self.user.language or None):
            return self.done("/app/profile", _("Saved."))

    def show(self, form: ProfileForm, *, status: int = 200) -> HttpResponse:
        """Draw the page."""
        addresses = EmailAddress.objects.filter(user=self.user).order_by("-primary", "email")
        return self.page("app/profile.html", status=status, form=form, addresses=list(addresses))
