"""``/app/numbers``: agents and the numbers they send from; a page for each number with its doctor."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import agents, audit, connections
from accounts.credentials import Credentials
from accounts.dashboard.base import DashboardView, Role, id_of
from accounts.models import Agent
from accounts.vault import CannotOpen
from billing.overview import room_for_agent
from core.errors import Refusal
from core.ui.forms import take
from messaging.message_templates import listing
from messaging.numbers import doctor, proofs
from messaging.numbers.credentials_form import CredentialsForm
from messaging.numbers.examine import examine, in_sandbox, spare_number

NUMBERS = "/app/numbers"
#: how many of a number's templates its page shows
TEMPLATES = 50


class AgentForm(forms.Form):
    """The name of an agent."""

    name = forms.CharField(label=gettext_lazy("Name of the agent"), max_length=200)


class NumberForm(CredentialsForm):
    """Credentials, and whose number it is."""

    agent = forms.ChoiceField(label=gettext_lazy("Agent"))
    field_order = ["agent"]

    def __init__(self, *args: Any, agents: list[Agent], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(agent.pk), agent.name) for agent in agents]
        self.fields["agent"].choices = choices  # type: ignore[attr-defined]


class Numbers(DashboardView):
    """``/app/numbers``."""

    section = "numbers"
    least_to_change = Role.ADMIN

    def get(self, request: HttpRequest) -> HttpResponse:
        """List the agents with their numbers."""
        return self.show(AgentForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Add an agent."""
        form = AgentForm(request.POST)
        if form.is_valid():
            try:
                with room_for_agent(self.account):
                    made = agents.create(self.account, form.cleaned_data["name"])
            except Refusal as refusal:
                if refusal.code == "plan_not_eligible":
                    said = _("Your plan has no room for another agent. Upgrade it under Billing.")
                    refusal = Refusal(refusal.code, said)
                take(form, refusal)
            else:
                audit.record(self.account, "agent.created", target=made.name, **audit.by(request))
                return self.done(NUMBERS, _("The agent was added."))
        return self.show(form, status=400)

    def show(self, form: AgentForm, *, status: int = 200) -> HttpResponse:
        """Draw the page."""
        return self.page("app/numbers.html", status=status, form=form, agents=agents.listed(self.account))


class RenameAgent(DashboardView):
    """``POST /app/agents/<id>``: another name."""

    section = "numbers"
    least = Role.ADMIN

    def post(self, request: HttpRequest, agent_id: str) -> HttpResponse:
        """Rename it."""
        try:
            named = agents.rename(self.account, id_of(agent_id), request.POST.get("name", ""))
        except Refusal as refusal:
            if refusal.code == "agent_not_found":
                return self.refused(Refusal("not_found", refusal.message))
            said = refusal.fields[0].message if refusal.fields else refusal.message
            return self.wrong(NUMBERS, Refusal(refusal.code, said))
        audit.record(self.account, "agent.renamed", target=named.name, **audit.by(request))
        return self.done(NUMBERS, _("Saved."))


class AddNumber(DashboardView):
    """``/app/numbers/new``: one more number, or new credentials for one."""

    section = "numbers"
    least = Role.ADMIN

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask for its credentials; in the sandbox a spare number is filled in."""
        spare = spare_number()
        initial = spare | {"agent": request.GET.get("agent", "")}
        listed = agents.listed(self.account)
        form = NumberForm(initial=initial, agents=listed, seen=in_sandbox())
        return self.page("app/number_new.html", form=form, spare=bool(spare))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Connect it and let the doctor look."""
        form = NumberForm(request.POST, agents=agents.listed(self.account), seen=in_sandbox())
        if form.is_valid():
            try:
                given = Credentials(**form.credentials())
                agent = agents.find(self.account, id_of(form.cleaned_data["agent"]))
                number = proofs.add(self.account, agent, given)
            except Refusal as refusal:
                take(form, refusal)
            else:
                audit.record(
                    self.account, "number.connected", target=number.phone_number_id, **audit.by(request)
                )
                examine(number)
                return self.done(f"{NUMBERS}/{number.pk}", _("The number is connected."))
        return self.page("app/number_new.html", status=400, form=form)


class NumberDetail(DashboardView):
    """``/app/numbers/<id>``: everything about a number, and what can be done with it."""

    section = "numbers"
    least_to_change = Role.ADMIN

    def get(self, request: HttpRequest, number_id: str) -> HttpResponse:
        number = connections.find_number(self.account, id_of(number_id))
        wanted = listing.Wanted(waba_id=number.waba_id)
        templates, following = (
            listing.page(self.account, wanted, limit=TEMPLATES) if number.waba_id else ([], None)
        )
        return self.page(
            "app/number.html",
            number=number,
            url=connections.callback_url(number),
            agents=agents.listed(self.account),
            templates=templates,
            more_templates=following is not None,
        )

    def post(self, request: HttpRequest, number_id: str) -> HttpResponse:
        """Do what the button says."""
        number = connections.find_number(self.account, id_of(number_id))
        here, what = f"{NUMBERS}/{number.pk}", request.POST.get("do", "")
        if what == "check":
            examine(number)
            if request.headers.get("HX-Request"):
                return self.page("app/setup/lines.html", number=number)
            return self.done(here)
        done = {
            "default": self.make_default,
            "active": self.activate,
            "inactive": self.deactivate,
            "assign": self.assign,
            "subscribe": self.subscribe,
            "remove": self.remove,
        }.get(what)
        if done is None:
            return self.wrong(here, Refusal("invalid_request", _("There is no such button.")))
        try:
            said = done(number)
        except Refusal as refusal:
            if refusal.code in ("not_found", "agent_not_found"):
                return self.refused(Refusal("not_found", refusal.message))
            return self.wrong(here, refusal)
        audit.record(self.account, f"number.{what}", target=str(number), **audit.by(request))
        return self.done(NUMBERS if what == "remove" else here, said)

    def make_default(self, number: Any) -> str:
        """Send from it unless another is named."""
        connections.make_default(self.account, number.pk)
        return _("This is the default number now.")

    def activate(self, number: Any) -> str:
        """Let it take new messages under /v1."""
        agents.switch(self.account, number.pk, active=True)
        return _("The number takes new messages.")

    def deactivate(self, number: Any) -> str:
        """Let it take none under /v1."""
        agents.switch(self.account, number.pk, active=False)
        return _("The number takes no new messages under /v1. What waits still goes out.")

    def assign(self, number: Any) -> str:
        """Give it to another agent."""
        agents.assign(self.account, number.pk, id_of(self.request.POST.get("agent", "")))
        return _("The number belongs to another agent now.")

    def subscribe(self, number: Any) -> str:
        """Let Meta report here."""
        try:
            done = doctor.repair(number)
        except CannotOpen:
            raise Refusal("conflict", _("The saved token cannot be read.")) from None
        if not done.mended:
            raise Refusal("conflict", done.message)
        examine(number)
        return done.message

    def remove(self, number: Any) -> str:
        """Forget its credentials."""
        connections.remove_number(self.account, number.pk)
        return _("The number was removed and its credentials forgotten.")
