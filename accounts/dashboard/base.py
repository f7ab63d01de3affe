"""Base of every dashboard page: who is signed in, for which account, with which role."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import View

from accounts.models import Account, Membership, User
from core.errors import Refusal
from core.ui.refusal_texts import translated

Role = Membership.Role
#: which role includes which
RANK = {Role.MEMBER: 1, Role.ADMIN: 2, Role.OWNER: 3}
#: where the session keeps the account that is looked at
CHOSEN = "account"


def seats_of(user: User) -> list[Membership]:
    """Return a person's memberships in accounts that are theirs for sure, the oldest first."""
    found = Membership.objects.filter(user=user).exclude(account__claimed_at=None)
    return list(found.select_related("account").order_by("pk"))


class DashboardView(View):
    """Base of every page under ``/app``: signed in, for one account, with the role that the page asks for.

    ``section`` names the entry of the sidebar; ``least`` the role that may see the page, ``least_to_change``
    the role that may post to it (None: the same). Inside, ``self.account``, ``self.membership`` and
    ``self.user`` are set. A ``Refusal`` that leaves a page becomes a page of its own; ``not_found`` and
    ``Http404`` are the same 404, whether a thing never existed or belongs to somebody else.
    """

    section = ""
    least: str = Role.MEMBER
    least_to_change: str | None = None

    account: Account
    membership: Membership
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Let the right people in, and turn refusals into pages."""
        if not isinstance(request.user, User):
            return _to_sign_in(request)
        self.user = request.user
        self.seats = seats_of(self.user)
        chosen = request.session.get(CHOSEN)
        seat = next((one for one in self.seats if str(one.account_id) == chosen), None)
        seat = seat or next(iter(self.seats), None)
        if seat is None:
            return HttpResponseRedirect("/app/start")
        self.membership, self.account = seat, seat.account
        if not self.account.is_active:
            return self.page("app/closed.html", status=403)
        least = self.least if request.method in ("GET", "HEAD") else self.least_to_change or self.least
        if not self.may(least):
            return self.page("app/forbidden.html", status=403, wanted=Role(least).label)
        try:
            return super().dispatch(request, *args, **kwargs)
        except Http404:
            return self.page("app/not_found.html", status=404)
        except Refusal as refusal:
            return self.refused(refusal)

    def may(self, least: str) -> bool:
        """Tell whether the person's role includes ``least``."""
        return RANK[Role(self.membership.role)] >= RANK[Role(least)]

    def refused(self, refusal: Refusal) -> HttpResponse:
        """Show a refusal that no form took."""
        if refusal.code == "not_found":
            return self.page("app/not_found.html", status=404)
        return self.page("app/refused.html", status=400, refusal=refusal)

    def page(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        """Draw a page (or, for htmx, a part of one) with what the frame around it needs."""
        frame = {
            "section": self.section,
            "account": self.account,
            "membership": self.membership,
            "seats": self.seats,
            "may_admin": self.may(Role.ADMIN),
            "may_own": self.may(Role.OWNER),
        }
        return render(self.request, template, frame | context, status=status)

    def done(self, to: str, message: str = "") -> HttpResponseRedirect:
        """Go on to another page after something was changed, with a sentence that says what."""
        if message:
            messages.success(self.request, message)
        return HttpResponseRedirect(to)

    def wrong(self, to: str, refusal: Refusal) -> HttpResponseRedirect:
        """Go back with the refusal's sentence, for buttons that have no form to show it in."""
        messages.error(self.request, translated(refusal.message))
        return HttpResponseRedirect(to)


def ident(text: str | None) -> uuid.UUID | None:
    """Read an id from the query string; None when it is none."""
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None


def id_of(text: str) -> uuid.UUID:
    """Read an id of an address; a malformed one is as unknown as a foreign one. Raises ``Http404``."""
    found = ident(text)
    if found is None:
        raise Http404(_("Not found."))
    return found


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    if request.headers.get("HX-Request"):
        # htmx would put the sign-in page into the middle of this one.
        return HttpResponse(status=401, headers={"HX-Redirect": "/accounts/login/"})
    return redirect_to_login(request.get_full_path(), "/accounts/login/")
