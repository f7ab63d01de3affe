"""The dashboard's way to send: one message with a live preview, checked by the same core as the API's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.dashboard.base import DashboardView
from core.errors import Invalid, Refusal
from core.ui.forms import take
from core.ui.refusal_texts import translated
from messaging.compose.drafts import TEXT_LONGEST, Draft, Text, What
from messaging.compose.written_numbers import looked_for
from messaging.dashboard.base import OncePerForm, PhoneField, clean, new_token
from messaging.dashboard.send_form import Chosen, SendForm, Shown, choose, field_of, filled, shown
from messaging.inbound import contacts, conversations
from messaging.message_templates import form as template_form
from messaging.message_templates.named_values import fill_all
from messaging.models import Message
from messaging.queue import accept
from messaging.queue.accept import Origin


class ComposeForm(SendForm):
    """One message to one person; the template's own fields are added as it asks for them."""

    to = PhoneField(
        label=gettext_lazy("To"), max_length=40, widget=forms.TextInput(attrs={"inputmode": "tel"})
    )
    text = forms.CharField(
        label=gettext_lazy("Text"),
        strip=False,
        max_length=TEXT_LONGEST,
        widget=forms.Textarea(attrs={"rows": 5, "dir": "auto"}),
    )
    field_order = ("to", "text")

    def __init__(self, chosen: Chosen, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.chosen = chosen
        self.values = [ask.key for ask in chosen.asks]
        if not chosen.is_text:
            del self.fields["text"]
        for ask in chosen.asks:
            self.fields[ask.key] = field_of(ask)

    @property
    def value_fields(self) -> list[forms.BoundField]:
        """The fields of the template's values, for the page."""
        return [self[key] for key in self.values]

    def given(self) -> dict[str, str]:
        """Return the template's values as they stand in the form, valid or not."""
        return {key: str(self.data.get(key, ""))[:2_048] for key in self.values}


class Compose(DashboardView):
    """``/app/compose``."""

    section = "compose"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Draw the form for the number and template that the address names."""
        chosen = choose(self.account, request.GET)
        to = clean(request.GET.get("to"), 40)
        found = looked_for(to)
        start = {"to": f"+{found}" if found else to, "token": new_token()}
        return self.draw(ComposeForm(chosen, initial=start), shown(chosen, {}, ""))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Queue the message."""
        chosen = choose(self.account, request.POST)
        form = ComposeForm(chosen, request.POST)
        seen = shown(chosen, form.given(), request.POST.get("text", ""))
        form.full_clean()
        if self.checked(form, seen):
            try:
                sent = self.send(form, chosen)
            except Refusal as refusal:
                _take(form, chosen, refusal)
            else:
                return HttpResponseRedirect(f"/app/messages/{sent['id']}")
        return self.draw(form, seen, status=400)

    def checked(self, form: ComposeForm, seen: Shown) -> bool:
        """Put what the check found at the fields it speaks of; tells whether the message may go."""
        chosen = form.chosen
        if not chosen.is_text and chosen.template is None:
            form.add_error(None, _("Choose a template, or write a text."))
        elif chosen.needs_code:
            form.add_error(None, _("This template takes what only a program can give. Send it with the API."))
        elif chosen.is_text and not form.cleaned_data.get("text", "x").strip():
            form.add_error("text", _("Write something."))
        for finding in seen.findings:
            if finding.is_error:
                key = template_form.key_of(finding.param, filled(chosen, form.given()))
                if key not in form.errors:  # an empty field has said so itself
                    form.add_error(key if key in form.fields else None, translated(finding.message))
        return not form.errors

    def send(self, form: ComposeForm, chosen: Chosen) -> Any:
        """Queue it once for this form; what the template still lacks is fetched before."""
        data = form.cleaned_data
        what: What = Text(data["text"]) if chosen.is_text else filled(chosen, form.given())
        draft = Draft(to=data["to"], what=what, send_at=data["send_at"], dry_run=data["dry_run"])
        body = {"to": draft.to, "what": repr(what), "at": str(draft.send_at), "dry_run": draft.dry_run}
        once = OncePerForm(self.account, data["token"], body)
        if (earlier := once.given()) is not None:
            return earlier.data
        origin = Origin(Message.Source.DASHBOARD, self.account, number=chosen.number)
        (draft,) = fill_all(origin, [draft])
        with once.first() as sending:
            if sending.is_first:
                sending.respond(200, {"id": str(accept.queue(origin, draft).id)})
        return sending.answer.data

    def draw(self, form: ComposeForm, seen: Shown, status: int = 200) -> HttpResponse:
        """Draw the page, or for htmx the part that depends on what was chosen."""
        return self.page(
            "app/compose/one.html", status=status, form=form, chosen=form.chosen, seen=seen, window=None
        )


class Preview(DashboardView):
    """``/app/compose/preview``: the phone beside the form, drawn anew while somebody types."""

    section = "compose"

    def post(self, request: HttpRequest) -> HttpResponse:
        """Draw the phone."""
        chosen = choose(self.account, request.POST)
        form = ComposeForm(chosen, request.POST)
        seen = shown(chosen, form.given(), request.POST.get("text", "")[:TEXT_LONGEST])
        given = any(form.given().values())
        return self.page(
            "app/compose/preview.html",
            chosen=chosen,
            seen=seen,
            findings=[one for one in seen.findings if given or not one.is_error],
            window=self.window(chosen, request.POST),
        )

    def window(self, chosen: Chosen, data: Mapping[str, Any]) -> conversations.Window | None:
        """Look up whether free text would get through to this person; None when that does not matter."""
        to = looked_for(clean(data.get("to"), 40))
        if not chosen.is_text or chosen.number is None or not to:
            return None
        contact = contacts.find(chosen.number, to)
        if contact is None:
            return conversations.Window(None, is_open=False)
        return conversations.window_of(contact, timezone.now())


def _take(form: ComposeForm, chosen: Chosen, refusal: Refusal) -> None:
    """Show a refusal of the core at the field it speaks of."""
    param = str(refusal.extra.get("param") or (refusal.fields[0].field if refusal.fields else ""))
    key = template_form.key_of(param, filled(chosen, form.given())) if chosen.template else ""
    if key in form.fields:
        said = refusal.message if not isinstance(refusal, Invalid) else refusal.fields[0].message
        form.add_error(key, translated(said))
    else:
        take(form, refusal)
