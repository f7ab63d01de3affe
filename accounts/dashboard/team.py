"""``/app/team``: members, roles, invitations, the audit log; ``/app/join``: taking an invitation."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View

from accounts import audit, mails, team
from accounts.dashboard.base import CHOSEN, DashboardView, Role, id_of
from accounts.models import Membership, User
from core.errors import Refusal
from core.http import ratelimits
from core.ui.forms import take

TEAM = "/app/team"
INVITATIONS_PER_MINUTE = 10


class InviteForm(forms.Form):
    """Whom to invite, as what."""

    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    role = forms.ChoiceField(label=gettext_lazy("Role"), initial=Role.MEMBER)

    def __init__(self, *args: Any, owner: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        roles = [role for role in Role if owner or role != Role.OWNER]
        self.fields["role"].choices = [(role.value, role.label) for role in roles]  # type: ignore[attr-defined]


class Team(DashboardView):
    """``/app/team``."""

    section = "team"
    least_to_change = Role.ADMIN

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show who belongs here."""
        return self.show()

    def post(self, request: HttpRequest) -> HttpResponse:
        """Invite somebody by mail; the link is shown too, for a mail that does not arrive."""
        form = InviteForm(request.POST, owner=self.may(Role.OWNER))
        if not ratelimits.hit(f"invite:{self.account.pk}", limit=INVITATIONS_PER_MINUTE).admitted:
            # Each of them is a mail to somebody who may never have asked for one.
            form.add_error(None, _("That was a lot of invitations. Wait a minute before the next one."))
        if form.is_valid():
            try:
                given = form.cleaned_data
                made, secret = team.invite(
                    self.account, email=given["email"], role=given["role"], by=self.user
                )
            except Refusal as refusal:
                take(form, refusal)
            else:
                audit.record(
                    self.account, "member.invited", target=made.email, role=made.role, **audit.by(request)
                )
                mailed = mails.invite(made, secret)
                return self.show(invited=made, link=mails.join_url(secret), mailed=mailed)
        return self.show(form=form, status=400)

    def show(self, *, status: int = 200, **context: Any) -> HttpResponse:
        """Draw the page."""
        admin = self.may(Role.ADMIN)
        frame = {
            "form": InviteForm(owner=self.may(Role.OWNER)),
            "members": team.members(self.account),
            "invitations": team.open_invitations(self.account) if admin else [],
            "events": audit.seen(self.account)[:50] if admin else [],
            "roles": [(role.value, role.label) for role in Role],
        }
        return self.page("app/team.html", status=status, **(frame | context))


class Member(DashboardView):
    """``POST /app/team/<id>``: another role, or the end of a membership; one may always leave."""

    section = "team"

    def post(self, request: HttpRequest, membership_id: int) -> HttpResponse:
        """Change or remove."""
        leaving = membership_id == self.membership.pk and request.POST.get("do") == "remove"
        if not leaving and not self.may(Role.ADMIN):
            return self.page("app/forbidden.html", status=403, wanted=Role.ADMIN.label)
        try:
            if request.POST.get("do") == "remove":
                gone = team.remove(self.account, membership_id, by=self.membership)
                audit.record(self.account, "member.removed", target=gone.user.email, **audit.by(request))
                if leaving:
                    return HttpResponseRedirect("/app")
                return self.done(TEAM, _("Removed from the account."))
            role = request.POST.get("role", "")
            if role not in Role.values:
                return self.wrong(TEAM, Refusal("invalid_request", _("There is no such role.")))
            changed = team.change_role(self.account, membership_id, role, by=self.membership)
        except Refusal as refusal:
            return self.wrong(TEAM, refusal) if refusal.code != "not_found" else self.refused(refusal)
        audit.record(self.account, "member.role", target=changed.user.email, role=role, **audit.by(request))
        return self.done(TEAM, _("The role was changed."))


class Withdraw(DashboardView):
    """``POST /app/team/invitations/<id>``: take an invitation back."""

    section = "team"
    least = Role.ADMIN

    def post(self, request: HttpRequest, invitation_id: str) -> HttpResponse:
        """End it; its link stops working."""
        gone = team.withdraw(self.account, id_of(invitation_id))
        audit.record(self.account, "member.uninvited", target=gone.email, **audit.by(request))
        return self.done(TEAM, _("The invitation was withdrawn."))


class Join(LoginRequiredMixin, View):
    """``/app/join/<secret>``: take an invitation with the address it was sent to."""

    def get(self, request: HttpRequest, secret: str) -> HttpResponse:
        """Show who invites and to what."""
        return self._show(request, secret)

    def post(self, request: HttpRequest, secret: str) -> HttpResponse:
        """Join."""
        assert isinstance(request.user, User)
        try:
            joined: Membership = team.accept(request.user, team.invitation_of(secret).pk)
        except Refusal as refusal:
            return self._show(request, secret, refusal=refusal, status=403)
        request.session[CHOSEN] = str(joined.account_id)
        messages.success(request, _("Welcome to {account}.").format(account=joined.account.name))
        return HttpResponseRedirect("/app")

    def _show(self, request: HttpRequest, secret: str, *, status: int = 200, **more: Any) -> HttpResponse:
        try:
            context = {"invitation": team.invitation_of(secret)}
        except Refusal as refusal:
            context, status = {"refusal": refusal}, 404  # type: ignore[dict-item]
        return render(request, "app/join.html", context | more, status=status)
