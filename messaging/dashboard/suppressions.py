"""The dashboard's suppression list: whom the account must not write to, why, and taking somebody off."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.dashboard.base import DashboardView
from messaging import suppressions
from messaging.compose.written_numbers import looked_for
from messaging.dashboard.base import PAGE, PhoneField, clean
from messaging.models import Suppression

ADDRESS = "/app/suppressions"


class AddForm(forms.Form):
    """Put a number on the list by hand."""

    to = PhoneField(label=gettext_lazy("Number"), max_length=40)
    note = forms.CharField(label=gettext_lazy("Note"), max_length=200, required=False)
    marketing_only = forms.BooleanField(label=gettext_lazy("Marketing only"), required=False)


class Suppressions(DashboardView):
    """``/app/suppressions``."""

    section = "suppressions"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Draw the list, newest first."""
        return self.draw(AddForm())

    def draw(self, form: AddForm, status: int = 200) -> HttpResponse:
        """Draw the page with a form."""
        wanted = clean(self.request.GET.get("q"))
        wanted = looked_for(wanted) or wanted
        found = suppressions.page(
            self.account, limit=PAGE, phone=wanted, before=_whole(self.request.GET.get("before"))
        )
        return self.page(
            "app/suppressions.html",
            status=status,
            form=form,
            rows=found[:PAGE],
            search=wanted,
            older=found[PAGE - 1].pk if len(found) > PAGE else "",
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        """Add a number."""
        form = AddForm(request.POST)
        if not form.is_valid():
            return self.draw(form, status=400)
        suppressions.suppress(
            self.account.pk,
            form.cleaned_data["to"],
            reason=Suppression.Reason.MANUAL,
            marketing_only=form.cleaned_data["marketing_only"],
            note=form.cleaned_data["note"],
        )
        audit.record(self.account, "suppression.added", target=form.cleaned_data["to"], **audit.by(request))
        return self.done(ADDRESS, _("The number is on the list; nothing is sent to it any more."))


class Lift(DashboardView):
    """``/app/suppressions/remove``."""

    section = "suppressions"

    def post(self, request: HttpRequest) -> HttpResponse:
        """Take a number off the list."""
        phone = looked_for(clean(request.POST.get("to")))
        lifted = suppressions.lift(self.account.pk, phone)
        if lifted:
            audit.record(self.account, "suppression.removed", target=phone, **audit.by(request))
        said = _("The number is off the list.") if lifted else _("The number was not on the list.")
        return self.done(ADDRESS, said)


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
