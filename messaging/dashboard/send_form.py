"""Form of the pages that send: the chosen number and template, the form of its values, the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.dashboard.base import ident
from accounts.models import Account, Number
from messaging.compose.approved import Approved, read
from messaging.compose.drafts import FURTHEST, FilledTemplate
from messaging.message_templates import form as template_form
from messaging.message_templates.lint import Finding, lint_rows, state_findings
from messaging.message_templates.previews import Preview, example_values, preview
from messaging.models import Template

#: templates that the choice lists; an account with more writes by API
LISTED = 500


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a send starts from: the number it leaves from and, unless it is a text, the template."""

    numbers: list[Number]
    number: Number | None
    templates: list[Template]
    template: Template | None
    parts: Approved | None
    is_text: bool

    @property
    def asks(self) -> list[template_form.Ask]:
        """Return what the template asks for."""
        if self.template is None or self.parts is None:
            return []
        return template_form.asks(self.parts, example_values(self.template.components))

    @property
    def needs_code(self) -> bool:
        """Tell whether only the API can send this template."""
        return self.parts is not None and template_form.needs_code(self.parts)


def choose(account: Account, data: Mapping[str, Any]) -> Chosen:
    """Read which number and template an address or a form names; foreign ids choose nothing."""
    numbers = list(account.connections.filter(removed_at=None).order_by("-is_default", "created_at"))
    wanted = ident(data.get("number"))
    number = next((one for one in numbers if one.pk == wanted), numbers[0] if numbers else None)
    templates: list[Template] = []
    if number is not None and number.waba_id:
        rows = Template.objects.filter(account=account, waba_id=number.waba_id, status="APPROVED")
        templates = list(rows.order_by("name", "language")[:LISTED])
    template_id = ident(data.get("template"))
    template = next((one for one in templates if one.pk == template_id), None)
    is_text = data.get("kind") == "text"
    if is_text:
        template = None
    parts = read(template.components, template.parameter_format) if template else None
    return Chosen(numbers, number, templates, template, parts, is_text)


class SendForm(forms.Form):
    """What every send takes: when, and whether only to try it."""

    send_at = forms.DateTimeField(
        label=gettext_lazy("Send at"),
        required=False,
        help_text=gettext_lazy("In your time zone. Empty: now."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    dry_run = forms.BooleanField(
        label=gettext_lazy("Dry run"),
        required=False,
        help_text=gettext_lazy(
            "Goes through everything, but nothing reaches WhatsApp and nothing is charged."
        ),
    )
    token = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def clean_send_at(self) -> datetime | None:
        """Check that the moment is to come. Raises ``ValidationError``."""
        at: datetime | None = self.cleaned_data["send_at"]
        now = timezone.now()
        if at is not None and at <= now:
            raise forms.ValidationError(_("This moment has passed."))
        if at is not None and at > now + FURTHEST:
            raise forms.ValidationError(_("At most a year ahead."))
        return at


PARTS = {
    "header": gettext_lazy("Header"),
    "media": gettext_lazy("Header file (https address)"),
    "body": gettext_lazy("Value"),
    "offer": gettext_lazy("The offer ends at (UTC)"),
    "url_suffix": gettext_lazy("End of the link behind"),
    "otp_code": gettext_lazy("One-time password"),
    "coupon_code": gettext_lazy("Coupon code"),
    "quick_reply_payload": gettext_lazy("Payload of the button"),
}


def field_of(ask: template_form.Ask) -> forms.Field:
    """Return the form field for one value of a template. Empty ones are the check's to refuse."""
    label = str(PARTS[ask.part])
    if ask.part == "body" and not ask.name.isdigit():
        label = ask.name
    elif ask.part in ("header", "body", "url_suffix"):
        label = f"{label} {ask.name}"
    elif ask.part == "quick_reply_payload":
        label = f"{label} “{ask.name}”"
    hint = ask.example
    if ask.before:
        hint = f"{ask.before}…"
    kind = "datetime-local" if ask.part == "offer" else "url" if ask.part == "media" else "text"
    widget = forms.TextInput(attrs={"type": kind, "placeholder": hint, "dir": "auto", "autocomplete": "off"})
    field = forms.CharField(label=label, required=ask.required, max_length=2_048, strip=False, widget=widget)
    if ask.part == "media" and not ask.required:
        field.help_text = _("Empty: the file that was approved with the template.")
    return field


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the phone will show it, and what is wrong with it."""

    preview: Preview | None
    text: str
    findings: list[Finding]


def shown(chosen: Chosen, values: Mapping[str, str], text: str) -> Shown:
    """Render what stands in the form so far, with every finding of the template check."""
    if chosen.template is None or chosen.parts is None:
        return Shown(None, text, [])
    what = filled(chosen, values)
    is_authentication = chosen.template.category == "AUTHENTICATION"
    (row,) = lint_rows(chosen.parts, [what], is_authentication=is_authentication)
    findings = [*state_findings(chosen.template.status), *row.findings]
    return Shown(row.preview, "", findings)


def filled(chosen: Chosen, values: Mapping[str, str]) -> FilledTemplate:
    """Return the template with a form's values. Only for a chosen template."""
    assert chosen.template is not None and chosen.parts is not None
    return template_form.filled(chosen.template, chosen.parts, values)


def sample(template: Template) -> Preview:
    """Render a template with the values that it was handed in with."""
    parts = read(template.components, template.parameter_format)
    return preview(parts, example_values(template.components))
