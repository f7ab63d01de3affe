"""``/app/webhooks``: the endpoints, what was sent to each and what they answered, replay, a test event."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.dashboard.base import DashboardView, Role, id_of, ident
from accounts.plans import LIMITS, Plan
from core.errors import Refusal
from core.ui.forms import take
from webhooks.models import EVERYTHING, Delivery, Endpoint
from webhooks.outgoing import delivery_log, endpoints
from webhooks.outgoing.catalogue import CATALOGUE

HOME = "/app/webhooks"
PAGE = 25
#: how far back "what did not arrive" reaches, in hours
REACH = [
    (1, gettext_lazy("the last hour")),
    (24, gettext_lazy("the last day")),
    (72, gettext_lazy("the last 3 days")),
    (720, gettext_lazy("the last 30 days")),
]


class EndpointForm(forms.Form):
    """Where events go and which."""

    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=2_000,
        widget=forms.TextInput(attrs={"type": "url", "placeholder": "https://example.com/webhooks"}),
    )
    description = forms.CharField(label=gettext_lazy("Description"), max_length=200, required=False)
    events = forms.MultipleChoiceField(
        label=gettext_lazy("Events"),
        initial=[EVERYTHING],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one.")},
    )
    headers = forms.CharField(
        label=gettext_lazy("Headers of your own"),
        required=False,
        max_length=8_000,
        widget=forms.Textarea(
            attrs={"rows": 2, "dir": "ltr", "spellcheck": "false", "class": "mono", "autocomplete": "off"}
        ),
        help_text=gettext_lazy(
            "One in each line: a name, a colon, a value. They are stored encrypted and never shown again."
        ),
    )
    no_headers = forms.BooleanField(
        label=gettext_lazy("Send no headers of your own any more"), required=False
    )

    def __init__(self, *args: Any, named: Sequence[str] = (), **more: Any) -> None:
        """``named`` are the headers that the endpoint has; they stay unless others, or none, are wanted."""
        super().__init__(*args, **more)
        if named:
            self.fields["headers"].help_text = _(
                "Leave this empty to keep %(names)s. Otherwise one in each line: a name, a colon, a value."
            ) % {"names": ", ".join(map(escape, named))}
        else:
            del self.fields["no_headers"]
        choices = [(EVERYTHING, _("All of them")), *((name, name) for name in CATALOGUE)]
        self.fields["events"].choices = choices  # type: ignore[attr-defined]

    def clean_headers(self) -> dict[str, str]:
        """Read one header from each line; what it may be called and hold is for the core to say."""
        found: dict[str, str] = {}
        for line in self.cleaned_data["headers"].splitlines():
            name, colon, value = (part.strip() for part in line.partition(":"))
            if not name and not value:
                continue
            if not colon:
                raise forms.ValidationError(_("Write each as a name, a colon and a value."))
            if name in found:
                raise forms.ValidationError(_("%(name)s is given more than once.") % {"name": name[:64]})
            found[name] = value
        return found

    def given(self) -> endpoints.Given:
        """Say it to the core."""
        data = self.cleaned_data
        headers = data["headers"] or ({} if data.get("no_headers") else None)
        return endpoints.Given(data["url"], data["description"], data["events"], headers)


class Webhooks(DashboardView):
    """``/app/webhooks``."""

    section = "webhooks"
    least_to_change = Role.ADMIN

    def get(self, request: HttpRequest) -> HttpResponse:
        """List the endpoints."""
        return self.show(EndpointForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Add one and show its secret, this once."""
        form = EndpointForm(request.POST)
        if not form.is_valid():
            return self.show(form, status=400)
        try:
            plan_has = LIMITS[Plan(self.account.plan)].endpoints
            made, secret = endpoints.create(self.account, form.given(), plan_has=plan_has)
        except Refusal as refusal:
            take(form, refusal)
            return self.show(form, status=400)
        audit.record(self.account, "webhook.created", target=made.url[:200], **audit.by(request))
        return self.show(EndpointForm(), made=made, secret=secret.reveal())

    def show(self, form: EndpointForm, *, status: int = 200, **context: Any) -> HttpResponse:
        """Draw the page."""
        rows = list(endpoints.of_account(self.account))
        return self.page("app/webhooks/list.html", status=status, form=form, rows=rows, **context)


class EndpointPage(DashboardView):
    """``/app/webhooks/<id>``: one endpoint and its log."""

    section = "webhooks"
    least_to_change = Role.ADMIN

    def get(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        """Draw it."""
        return self.show(endpoints.find(self.account, id_of(endpoint_id)))

    def post(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        """Change its address, description, events or headers."""
        endpoint = endpoints.find(self.account, id_of(endpoint_id))
        form = EndpointForm(request.POST, named=endpoints.header_names(endpoint))
        if not form.is_valid():
            return self.show(endpoint, form=form, status=400)
        try:
            endpoints.change(self.account, endpoint.pk, form.given())
        except Refusal as refusal:
            take(form, refusal)
            return self.show(endpoint, form=form, status=400)
        audit.record(self.account, "webhook.changed", target=endpoint.url[:200], **audit.by(request))
        return self.done(f"{HOME}/{endpoint.pk}", _("The endpoint is changed."))

    def show(
        self, endpoint: Endpoint, *, form: EndpointForm | None = None, status: int = 200, **context: Any
    ) -> HttpResponse:
        """Draw the page with the newest deliveries, or those behind one."""
        query = self.request.GET
        only = query.get("status", "")
        only = only if only in Delivery.Status.values else ""
        found = delivery_log.of_endpoint(
            endpoint, status=only or None, before=ident(query.get("before")), limit=PAGE + 1
        )
        start = {"url": endpoint.url, "description": endpoint.description, "events": endpoint.events}
        named = endpoints.header_names(endpoint)
        return self.page(
            "app/webhooks/one.html",
            status=status,
            endpoint=endpoint,
            form=form or EndpointForm(initial=start, named=named),
            header_names=named,
            rows=found[:PAGE],
            older=found[PAGE - 1].pk if len(found) > PAGE else "",
            only=only,
            statuses=Delivery.Status.values,
            is_later=bool(query.get("before")),
            reach=REACH,
            **context,
        )


class _Change(EndpointPage, ABC):
    """A button of the endpoint's page."""

    def get(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        """Show the page that has the button."""
        return self.done(f"{HOME}/{id_of(endpoint_id)}")

    def post(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        """Do it, note it, and go back."""
        endpoint = endpoints.find(self.account, id_of(endpoint_id))
        back = f"{HOME}/{endpoint.pk}"
        try:
            action, said = self.change(endpoint)
        except Refusal as refusal:
            return self.wrong(back, refusal)
        audit.record(self.account, action, target=endpoint.url[:200], **audit.by(request))
        return self.done(HOME if action == "webhook.removed" else back, said)

    @abstractmethod
    def change(self, endpoint: Endpoint) -> tuple[str, str]:
        """Do what the button says; return the audit's word and the sentence for the person."""


class Switch(_Change):
    """``/app/webhooks/<id>/switch``: on or off."""

    def change(self, endpoint: Endpoint) -> tuple[str, str]:
        """Enable a disabled endpoint, disable an enabled one."""
        endpoints.change(self.account, endpoint.pk, endpoints.Given(enabled=not endpoint.enabled))
        if endpoint.enabled:
            return "webhook.disabled", _("Nothing is sent there any more.")
        return "webhook.enabled", _("Events are sent there again. What it missed can be replayed below.")


class Remove(_Change):
    """``/app/webhooks/<id>/remove``."""

    def change(self, endpoint: Endpoint) -> tuple[str, str]:
        """Remove it."""
        endpoints.remove(self.account, endpoint.pk)
        return "webhook.removed", _("The endpoint is removed.")


class Rotate(EndpointPage):
    """``/app/webhooks/<id>/rotate``: a new secret, shown this once."""

    def post(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        """Make it."""
        endpoint, secret = endpoints.rotate_secret(self.account, id_of(endpoint_id))
        audit.record(self.account, "webhook.secret_rotated", target=endpoint.url[:200], **audit.by(request))
        return self.show(endpoint, secret=secret.reveal())


class Test(DashboardView):
    """``/app/webhooks/<id>/test``: send a test event."""

    section = "webhooks"

    def post(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        """Send it and go to its delivery, where the answer appears."""
        ident = id_of(endpoint_id)
        try:
            delivery = delivery_log.send_test(self.account, ident)
        except Refusal as refusal:
            if refusal.code == "not_found":
                raise
            return self.wrong(f"{HOME}/{ident}", refusal)
        return self.done(f"{HOME}/{ident}/{delivery.pk}")


class ReplayMissed(DashboardView):
    """``/app/webhooks/<id>/replay``: deliver again what did not arrive in some time."""

    section = "webhooks"

    def post(self, request: HttpRequest, endpoint_id: str) -> HttpResponse:
        """Start it."""
        ident = id_of(endpoint_id)
        hours = next((one for one, _label in REACH if str(one) == request.POST.get("hours")), REACH[0][0])
        until: datetime = timezone.now()
        try:
            count = delivery_log.replay_range(
                self.account, ident, since=until - timedelta(hours=hours), until=until, everything=False
            )
        except Refusal as refusal:
            if refusal.code == "not_found":
                raise
            return self.wrong(f"{HOME}/{ident}", refusal)
        return self.done(f"{HOME}/{ident}", _("%(count)s events are delivered again.") % {"count": count})


class DeliveryPage(DashboardView):
    """``/app/webhooks/<id>/<delivery>``: one event for one endpoint, with every attempt."""

    section = "webhooks"

    def get(self, request: HttpRequest, endpoint_id: str, delivery_id: str) -> HttpResponse:
        """Draw it; the open page asks again while it is on its way."""
        endpoint = endpoints.find(self.account, id_of(endpoint_id))
        delivery = delivery_log.find(endpoint, id_of(delivery_id))
        partial = request.headers.get("HX-Target") == "delivery-now"
        return self.page(
            "app/webhooks/delivery_now.html" if partial else "app/webhooks/delivery.html",
            endpoint=endpoint,
            delivery=delivery,
            attempts=sorted(delivery.log.all(), key=lambda attempt: -attempt.number),
            seconds=2 if delivery.status == Delivery.Status.PENDING else None,
        )


class Replay(DashboardView):
    """``/app/webhooks/<id>/<delivery>/replay``."""

    section = "webhooks"

    def post(self, request: HttpRequest, endpoint_id: str, delivery_id: str) -> HttpResponse:
        """Deliver the event once more."""
        ident, which = id_of(endpoint_id), id_of(delivery_id)
        back = f"{HOME}/{ident}/{which}"
        try:
            delivery_log.replay(self.account, ident, which)
        except Refusal as refusal:
            if refusal.code == "not_found":
                raise
            return self.wrong(back, refusal)
        return self.done(back, _("The event is delivered again."))
