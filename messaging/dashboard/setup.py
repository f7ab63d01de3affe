"""The guided set-up: credentials, diagnosis, callback, a first message to one's own phone, what comes next.

Where a person stands is read from what is there, not from notes: they may leave anywhere and come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.connections import callback_url, default_number
from accounts.credentials import Credentials
from accounts.dashboard.base import DashboardView, Role, id_of
from accounts.models import Account, Number
from accounts.vault import CannotOpen
from core.errors import Refusal, invalid
from core.jobs.wakeup import wake
from core.ui.forms import take
from messaging.compose.drafts import HELLO_WORLD, Draft
from messaging.dashboard.base import PhoneField
from messaging.models import Message
from messaging.numbers import doctor, proofs
from messaging.numbers.credentials_form import PHONE_HELP, CredentialsForm
from messaging.numbers.examine import examine, in_sandbox, spare_number
from messaging.queue import accept

#: where the session keeps the id of the test message
TEST_MESSAGE = "set_up_message"
SANDBOX_PHONE = "14155552671"
#: nothing more comes after these, as far as this page waits
SETTLED = ("delivered", "read", "failed", "canceled")


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the set-up."""

    name: str
    title: Any
    href: str
    done: bool


def steps_of(account: Account, number: Number | None, *, tested: bool) -> list[Step]:
    """Return the steps and which of them are done, read from what is there."""
    verified = number is not None and number.status == Number.Status.ACTIVE
    lines = {line.get("check"): line.get("ok") for line in (number.checks if number else [])}
    hears = verified and lines.get("webhook") is True and lines.get("callback", True) is not False
    return [
        Step("connect", gettext_lazy("Connect"), "/app/setup/connect", number is not None),
        Step("check", gettext_lazy("Check"), "/app/setup/check", verified),
        Step("callback", gettext_lazy("Reports"), "/app/setup/callback", hears),
        Step("test", gettext_lazy("First message"), "/app/setup/test", tested or account.messages_sent > 0),
        Step("next", gettext_lazy("Next steps"), "/app/setup/next", account.set_up_at is not None),
    ]


class SetUpView(DashboardView):
    """Base of the steps; owners and admins set an account up, members may look."""

    section = "setup"
    least_to_change = Role.ADMIN
    step = ""

    def steps(self, number: Number | None) -> list[Step]:
        """Return the steps as they stand."""
        return steps_of(self.account, number, tested=self.sent() is not None)

    def sent(self) -> Message | None:
        """Return the test message that was sent in this session."""
        noted = self.request.session.get(TEST_MESSAGE)
        return Message.objects.filter(account=self.account, pk=noted).first() if noted else None

    def show(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        """Draw a step with the trail above it."""
        number = context.pop("number", None) or default_number(self.account)
        frame = {
            "steps": self.steps(number),
            "step": self.step,
            "number": number,
            "sandbox": settings.META_GRAPH_URL if in_sandbox() else "",
        }
        return self.page(template, status=status, **(frame | context))


class SetUp(SetUpView):
    """``/app/setup``: on to the first step that is not done."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Resume."""
        steps = self.steps(default_number(self.account))
        return HttpResponseRedirect(next((one.href for one in steps if not one.done), "/app/setup/next"))


class Connect(SetUpView):
    """``/app/setup/connect``: the credentials, and where each of them stands in Meta."""

    step = "connect"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask for them; in the sandbox a spare number is filled in."""
        number = default_number(self.account)
        initial: dict[str, str] = {}
        if number is not None:
            initial = {"phone_number_id": number.phone_number_id, "waba_id": number.waba_id}
        else:
            initial = spare_number()
        form = CredentialsForm(initial=initial, seen=in_sandbox())
        return self.show("app/setup/connect.html", form=form, spare=number is None and bool(initial))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Save them and look at once whether they work."""
        form = CredentialsForm(request.POST, seen=in_sandbox())
        if form.is_valid():
            try:
                number = proofs.save(self.account, Credentials(**form.credentials()))
                audit.record(
                    self.account, "number.connected", target=number.phone_number_id, **audit.by(request)
                )
                return HttpResponseRedirect("/app/setup/check?look=1")
            except Refusal as refusal:
                take(form, refusal)
        return self.show("app/setup/connect.html", status=400, form=form)


class Check(SetUpView):
    """``/app/setup/check``: the connection doctor."""

    step = "check"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the last diagnosis; right after saving, make the first one."""
        number = default_number(self.account)
        if number is None:
            return HttpResponseRedirect("/app/setup/connect")
        fresh = "look" in request.GET and not number.checks and self.may(Role.ADMIN)
        return self.show("app/setup/check.html", look=fresh)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Ask Meta about everything."""
        number = default_number(self.account)
        if number is None:
            return HttpResponseRedirect("/app/setup/connect")
        examine(number)
        template = "app/setup/lines.html" if request.headers.get("HX-Request") else "app/setup/check.html"
        return self.show(template, number=number)


class Callback(SetUpView):
    """``/app/setup/callback``: how Meta reports to us; by a button, or by hand."""

    step = "callback"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show what to paste, and what Meta has."""
        number = default_number(self.account)
        if number is None:
            return HttpResponseRedirect("/app/setup/connect")
        lines = [line for line in number.checks if line.get("check") in ("webhook", "callback", "app_secret")]
        return self.show("app/setup/callback.html", url=callback_url(number), lines=lines)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Let Meta's API do it, then look whether it did."""
        number = default_number(self.account)
        if number is None:
            return HttpResponseRedirect("/app/setup/connect")
        try:
            done = doctor.repair(number)
        except CannotOpen:
            return self.wrong("/app/setup/connect", Refusal("conflict", _("The saved token cannot be read.")))
        examine(number)
        if not done.mended:
            return self.wrong("/app/setup/callback", Refusal("conflict", done.message))
        audit.record(self.account, "number.subscribed", target=number.phone_number_id, **audit.by(request))
        return self.done("/app/setup/callback", done.message)


class TestForm(forms.Form):
    """Whom to send the first message to."""

    to = PhoneField(
        label=gettext_lazy("Your own WhatsApp number"),
        max_length=40,
        help_text=PHONE_HELP,
        widget=forms.TextInput(attrs={"inputmode": "tel", "autocomplete": "tel"}),
    )


def facts(sent: Message | None) -> dict[str, Any]:
    """Return what a test message's timeline shows."""
    events = list(sent.events.order_by("sequence")) if sent else []
    return {"sent": sent, "events": events, "moving": bool(sent and sent.status not in SETTLED)}


class Test(SetUpView):
    """``/app/setup/test``: hello_world to oneself, and its timeline as it happens."""

    step = "test"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Ask for the number, or show what became of the last test."""
        initial = {"to": f"+{SANDBOX_PHONE}"} if in_sandbox() else {}
        sent = None if "again" in request.GET else self.sent()
        return self.show("app/setup/test.html", form=TestForm(initial=initial), **facts(sent))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Queue it."""
        form = TestForm(request.POST)
        number = default_number(self.account)
        if form.is_valid():
            try:
                if number is None or number.status != Number.Status.ACTIVE:
                    raise invalid("to", _("Connect and check your number first."))
                draft = Draft(to=form.cleaned_data["to"], what=HELLO_WORLD)
                origin = accept.Origin(Message.Source.DASHBOARD, self.account)
                queued = accept.queue(origin, draft)
                request.session[TEST_MESSAGE] = str(queued.id)
                wake("messages")
                return HttpResponseRedirect("/app/setup/test")
            except Refusal as refusal:
                take(form, refusal)
        return self.show("app/setup/test.html", status=400, form=form, **facts(None))


class TestTimeline(SetUpView):
    """``/app/setup/test/<id>``: the timeline alone, for the page that watches it."""

    step = "test"

    def get(self, request: HttpRequest, message_id: str) -> HttpResponse:
        """Answer with the timeline; one that moves no more does not ask again."""
        found = Message.objects.filter(account=self.account, pk=id_of(message_id)).first()
        if found is None:
            raise Refusal("not_found", _("No message found with this id."))
        return self.page("app/setup/timeline.html", **facts(found))


class Next(SetUpView):
    """``/app/setup/next``: the first key and where to go from here."""

    step = "next"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the ways on."""
        return self.show("app/setup/next.html", public_url=settings.PUBLIC_URL)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Put the set-up aside."""
        Account.objects.filter(pk=self.account.pk, set_up_at=None).update(set_up_at=timezone.now())
        return HttpResponseRedirect("/app")
