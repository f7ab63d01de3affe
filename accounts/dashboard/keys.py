"""``/app/keys``: making keys, shown once; what each may do; revoking them; the agents' ids to copy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import agents, audit, keys
from accounts.api.views import refuse_below_pro
from accounts.dashboard.base import DashboardView, Role, id_of
from accounts.models import Agent, ApiKey
from accounts.plans import LIMITS, Plan
from core.errors import FieldError, Invalid, Refusal
from core.ui.forms import take

KEYS = "/app/keys"
SK = [
    (ApiKey.Kind.SK, gettext_lazy("Live: sends for real (sk_live_…)")),
    (ApiKey.Kind.SK_TEST, gettext_lazy("Test: checks everything, sends nothing (sk_test_…)")),
]
MK = [
    (ApiKey.Kind.MK, gettext_lazy("Live for the /v1 API, with agents (mk_live_…)")),
    (ApiKey.Kind.MK_TEST, gettext_lazy("Test for the /v1 API (mk_test_…)")),
]
SCOPES = [
    ("whatsapp:send", gettext_lazy("Send texts and templates, and look up what was sent")),
    ("whatsapp:read", gettext_lazy("Look up messages, templates and agents; send nothing")),
    ("*", gettext_lazy("Everything, also the account, its keys and credentials")),
]
EXPIRY = [
    ("", gettext_lazy("Never")),
    ("7", gettext_lazy("In 7 days")),
    ("30", gettext_lazy("In 30 days")),
    ("90", gettext_lazy("In 90 days")),
    ("365", gettext_lazy("In a year")),
]
#: how often the page of revoked keys is worth scrolling
SHOWN_REVOKED = 20


class KeyForm(forms.Form):
    """What a new key is called, may do, and how long.

    ``v1``: a key for the API under /v1, preset as its document has it, else one for the API at the root.
    """

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("Where the key will be used, for example “shop, production”."),
    )
    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=SK)
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        choices=SCOPES,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": gettext_lazy("Choose at least one.")},
    )
    agent_ids = forms.MultipleChoiceField(
        label=gettext_lazy("Only for these agents"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None chosen: for all of them, also later ones."),
    )
    rate_limit_per_minute = forms.IntegerField(
        label=gettext_lazy("Requests a minute"),
        min_value=1,
        max_value=keys.MOST_PER_MINUTE,
        required=False,
        help_text=gettext_lazy("Empty: what your plan allows."),
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("Expires"), choices=EXPIRY, coerce=int, empty_value=None, required=False
    )

    def __init__(self, data: Any = None, *, agents: list[Agent], v1: bool) -> None:
        preset = {"kind": (MK if v1 else SK)[0][0], "scopes": ["whatsapp:send"] if v1 else ["*"]}
        super().__init__(data, initial=preset)
        self.fields["kind"].choices = MK if v1 else SK  # type: ignore[attr-defined]
        choices = [(str(agent.pk), agent.name) for agent in agents]
        self.fields["agent_ids"].choices = choices  # type: ignore[attr-defined]
        if len(choices) < 2:
            del self.fields["agent_ids"]


class Keys(DashboardView):
    """``/app/keys``."""

    section = "keys"
    least_to_change = Role.ADMIN

    def get(self, request: HttpRequest) -> HttpResponse:
        """List the keys; ``?for=v1`` or ``?for=root`` says which API a new one is for."""
        wanted = request.GET.get("for", "")
        return self.show(v1=wanted == "v1" if wanted else None)

    def post(self, request: HttpRequest) -> HttpResponse:
        """Make one and show it, this once: the answer is not kept by the browser, the key not by us."""
        v1 = request.POST.get("kind", "") in dict(MK)
        form = KeyForm(request.POST, agents=agents.listed(self.account), v1=v1)
        if not form.is_valid():
            return self.show(form=form, v1=v1, status=400)
        try:
            key, secret = self.make(form.cleaned_data)
        except Refusal as refusal:
            take(form, refusal)
            return self.show(form=form, v1=v1, status=400)
        audit.record(
            self.account,
            "key.created",
            target=f"{key.name} ({key})",
            kind=key.kind,
            scopes=key.scopes,
            **audit.by(request),
        )
        return self.show(made=key, secret=secret.reveal(), v1=v1)

    def make(self, given: dict[str, Any]) -> Any:
        """Ask the core for the key. Raises ``Refusal``."""
        kind = ApiKey.Kind(given["kind"])
        rate = given["rate_limit_per_minute"]
        if kind in (ApiKey.Kind.MK, ApiKey.Kind.MK_TEST):
            refuse_below_pro(self.account)
        most = LIMITS[Plan(self.account.plan)].requests_per_minute
        if rate is not None and rate > most:
            said = _("Your plan allows at most {most} requests a minute.").format(most=most)
            raise Invalid([FieldError("rate_limit_per_minute", said)])
        chosen = given.get("agent_ids") or None
        days = given["days"]
        return keys.create(
            self.account,
            name=given["name"],
            kind=kind,
            scopes=given["scopes"],
            agent_ids=[id_of(one) for one in chosen] if chosen else None,
            rate_limit_per_minute=rate,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )

    def show(self, *, v1: bool | None, status: int = 200, **context: Any) -> HttpResponse:
        """Draw the page; ``v1``: which API the form is for, None: the one that the newest key is for."""
        active = keys.active(self.account)
        if v1 is None:
            v1 = bool(active) and active[0].kind in dict(MK)
        listed = agents.listed(self.account)
        names = {str(agent.pk): agent.name for agent in listed}
        rows = [
            {"key": key, "agents": [names.get(one, one) for one in key.agent_ids or []]} for key in active
        ]
        frame = {
            "form": KeyForm(agents=listed, v1=v1),
            "v1": v1,
            "v1_in_plan": LIMITS[Plan(self.account.plan)].v1_keys,
            "rows": rows,
            "revoked": keys.revoked(self.account)[:SHOWN_REVOKED],
            "agents": listed,
        }
        return self.page("app/keys.html", status=status, **(frame | context))


class Revoke(DashboardView):
    """``POST /app/keys/<id>/revoke``: the end of a key, at once."""

    section = "keys"
    least = Role.ADMIN

    def post(self, request: HttpRequest, key_id: str) -> HttpResponse:
        """Revoke it."""
        which = id_of(key_id)
        try:
            keys.revoke(self.account, which, reason="revoked in the dashboard")
        except Refusal as refusal:
            return self.refused(refusal) if refusal.code == "not_found" else self.wrong(KEYS, refusal)
        key = self.account.api_keys.get(pk=which)
        audit.record(self.account, "key.revoked", target=f"{key.name} ({key})", **audit.by(request))
        return self.done(KEYS, _("The key was revoked. It does not work any more."))
