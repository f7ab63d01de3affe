"""Ways into the dashboard: beginning, changing the account that is looked at, addresses that do not exist."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views import View

from accounts import ownership, team
from accounts.dashboard.base import CHOSEN, DashboardView, seats_of
from accounts.models import User
from core.errors import Refusal
from core.ui.forms import take


class ClaimForm(forms.Form):
    """The proof that an account registered by API is one's own."""

    key = forms.CharField(
        label=_("One of its API keys"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "sk_live_…"}),
    )


class Start(LoginRequiredMixin, View):
    """``/app/start``: whoever has no account yet gets one, claims one or joins one."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Offer what waits for this person; open an account when nothing does."""
        user = _person(request)
        claims, invitations = ownership.unclaimed(user), team.invitations_for(user)
        if not claims and not invitations:
            if not seats_of(user):
                return self._open(request, user)
            return HttpResponseRedirect("/app")
        return self._show(request, user)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Claim, release, join or open, as the button says."""
        user = _person(request)
        what = request.POST.get("do", "")
        if what == "open":
            return self._open(request, user)
        try:
            which = uuid.UUID(request.POST.get("id", ""))
        except ValueError:
            return self._show(request, user, status=400)
        try:
            if what == "claim":
                form = ClaimForm(request.POST)
                if not form.is_valid():
                    return self._show(request, user, form=form, claiming=which, status=400)
                try:
                    account = ownership.claim(user, which, form.cleaned_data["key"])
                except Refusal as refusal:
                    take(form, refusal)
                    return self._show(request, user, form=form, claiming=which, status=400)
                request.session[CHOSEN] = str(account.pk)
            elif what == "release":
                ownership.release(user, which)
                return HttpResponseRedirect("/app/start")
            elif what == "join":
                request.session[CHOSEN] = str(team.accept(user, which).account_id)
        except Refusal:
            return HttpResponseRedirect("/app/start")
        return HttpResponseRedirect("/app")

    def _open(self, request: HttpRequest, user: User) -> HttpResponse:
        try:
            account = ownership.open_account(user)
        except Refusal as refusal:
            return self._show(request, user, refusal=refusal, status=409)
        request.session[CHOSEN] = str(account.pk)
        return HttpResponseRedirect("/app/setup")

    def _show(self, request: HttpRequest, user: User, *, status: int = 200, **more: Any) -> HttpResponse:
        context = {
            "claims": ownership.unclaimed(user),
            "invitations": team.invitations_for(user),
            "seats": seats_of(user),
            "form": ClaimForm(),
        }
        return render(request, "app/start.html", context | more, status=status)


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):  # the mixin lets nobody else through
        raise Http404
    return request.user


class Switch(DashboardView):
    """``POST /app/switch``: look at another account of one's own."""

    def post(self, request: HttpRequest) -> HttpResponse:
        """Remember the account for this session; one that is not theirs changes nothing."""
        wanted = request.POST.get("account", "")
        if any(str(seat.account_id) == wanted for seat in self.seats):
            request.session[CHOSEN] = wanted
        return HttpResponseRedirect("/app")


class NotFound(DashboardView):
    """Every other address under ``/app``."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer every verb alike."""
        self.get = self.post = self.nothing
        return super().dispatch(request, *args, **kwargs)

    def nothing(self, request: HttpRequest) -> HttpResponse:
        """Say that there is no such page."""
        raise Http404
