"""The dashboard's form for a template, new or to be changed, beside its preview; then Meta reviews it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.dashboard.base import DashboardView, Role, id_of
from core.errors import Refusal
from core.ui.forms import take
from messaging.compose.approved import read
from messaging.compose.drafts import FilledTemplate
from messaging.dashboard.send_form import choose
from messaging.message_templates import manage as management
from messaging.message_templates import writing as template_writing
from messaging.message_templates.previews import example_values, preview
from messaging.message_templates.store import APPROVED
from messaging.models import Template

#: Meta's limits
HEADER_LONGEST, BODY_LONGEST, FOOTER_LONGEST, LABEL_LONGEST = 60, 1024, 60, 25
EXAMPLE_LONGEST = 1_024


class NewForm(forms.Form):
    """A template of words and buttons. One-time passwords and media are made by API or at Meta."""

    name = forms.RegexField(
        r"^[a-z0-9_]+$",
        label=gettext_lazy("Name"),
        max_length=512,
        help_text=gettext_lazy("Lower-case letters, digits and underscores."),
        error_messages={"invalid": gettext_lazy("Use lower-case letters, digits and underscores only.")},
        widget=forms.TextInput(attrs={"placeholder": "order_shipped", "autocomplete": "off"}),
    )
    language = forms.CharField(
        label=gettext_lazy("Language"),
        max_length=10,
        initial="en",
        help_text=gettext_lazy("Meta’s code: en, en_US, ar, pt_BR …"),
    )
    category = forms.ChoiceField(
        label=gettext_lazy("Category"),
        choices=[("UTILITY", gettext_lazy("Utility")), ("MARKETING", gettext_lazy("Marketing"))],
        help_text=gettext_lazy("Utility: about something the person asked for or bought. Meta checks."),
    )
    header = forms.CharField(label=gettext_lazy("Header"), max_length=HEADER_LONGEST, required=False)
    body = forms.CharField(
        label=gettext_lazy("Body"),
        max_length=BODY_LONGEST,
        help_text=gettext_lazy("Write {{name}} where each message gets its own value."),
        widget=forms.Textarea(attrs={"rows": 6, "dir": "auto"}),
    )
    footer = forms.CharField(label=gettext_lazy("Footer"), max_length=FOOTER_LONGEST, required=False)

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        for place in range(template_writing.BUTTONS):
            label = _("Button %(number)s") % {"number": place + 1}
            self.fields[f"label_{place}"] = forms.CharField(
                label=label, max_length=LABEL_LONGEST, required=False
            )
            self.fields[f"address_{place}"] = forms.CharField(
                label=_("Its link"),
                max_length=2_000,
                required=False,
                widget=forms.TextInput(attrs={"placeholder": "https://example.com/track/{{1}}"}),
            )

    @property
    def button_fields(self) -> list[tuple[forms.BoundField, forms.BoundField]]:
        """The fields of the buttons in pairs, for the page."""
        return [
            (self[f"label_{place}"], self[f"address_{place}"]) for place in range(template_writing.BUTTONS)
        ]

    def written(self) -> template_writing.Written:
        """Return what stands in the form, valid or not."""

        typed = self.data if self.is_bound else self.initial

        def text(name: str, longest: int) -> str:
            return str(typed.get(name, "")).strip()[:longest]

        pairs = [
            (text(f"label_{place}", LABEL_LONGEST), text(f"address_{place}", 2_000))
            for place in range(template_writing.BUTTONS)
        ]
        return template_writing.Written(
            body=text("body", BODY_LONGEST),
            header=text("header", HEADER_LONGEST),
            footer=text("footer", FOOTER_LONGEST),
            buttons=[(label, address) for label, address in pairs if label],
        )

    def examples(self) -> dict[str, str]:
        """Return the examples that stand in the form, by placeholder or button."""
        begin, typed = "example.", self.data if self.is_bound else self.initial
        return {
            name.removeprefix(begin): str(typed[name]).strip()[:EXAMPLE_LONGEST]
            for name in typed
            if name.startswith(begin)
        }

    def components(self) -> list[dict[str, Any]]:
        """Return a valid form's components for Meta; none, and a fault, when an example is missing."""
        written, examples = self.written(), self.examples()
        missing = [name for name in written.gaps if not examples.get(name)]
        missing += [f"button.{place}" for place in written.link_gaps if not examples.get(f"button.{place}")]
        if missing:
            self.add_error(None, _("Give an example of every gap; Meta’s reviewers look at them."))
            return []
        return template_writing.components(written, examples)


class ChangeForm(NewForm):
    """The same for a template that Meta has: name and language stay, and an approved one's category."""

    def __init__(self, row: Template, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        del self.fields["name"], self.fields["language"]
        if row.status == APPROVED:
            del self.fields["category"]


def typed(row: Template) -> dict[str, str] | None:
    """Return what stands in the form for a template; None when the form has no field for a part of it."""
    found = template_writing.read_back(row.components)
    if found is None:
        return None
    written, examples = found
    start = {
        "header": written.header,
        "body": written.body,
        "footer": written.footer,
        "category": row.category,
    }
    for place, (label, address) in enumerate(written.buttons):
        start |= {f"label_{place}": label, f"address_{place}": address}
    return start | {f"example.{name}": value for name, value in examples.items()}


class NewTemplate(DashboardView):
    """``/app/templates/new``."""

    section = "templates"
    least = Role.ADMIN

    def get(self, request: HttpRequest) -> HttpResponse:
        """Draw the form."""
        return self.draw(NewForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Hand the template in."""
        form = NewForm(request.POST)
        chosen = choose(self.account, request.POST)
        written = form.written()
        components = form.components() if form.is_valid() else []
        if components:
            if chosen.number is None:
                form.add_error(None, _("Connect a number first."))
            else:
                try:
                    made = management.create(
                        chosen.number,
                        name=form.cleaned_data["name"],
                        language=form.cleaned_data["language"],
                        category=form.cleaned_data["category"],
                        components=components,
                        parameter_format=written.format if written.gaps else None,
                    )
                except Refusal as refusal:
                    take(form, refusal)
                else:
                    audit.record(
                        self.account, "template.created", target=str(made)[:200], **audit.by(request)
                    )
                    said = _("The template is with Meta for review. This page follows what they say.")
                    return self.done(f"/app/templates/{made.pk}", said)
        return self.draw(form, status=400)

    def draw(self, form: NewForm, status: int = 200) -> HttpResponse:
        """Draw the page."""
        chosen = choose(self.account, form.data)
        return self.page("app/templates/new.html", status=status, form=form, chosen=chosen, **_shown(form))


class NewPreview(DashboardView):
    """``/app/templates/new/preview``: the phone and the examples, drawn anew while somebody types."""

    section = "templates"
    least = Role.ADMIN

    def post(self, request: HttpRequest) -> HttpResponse:
        """Draw them."""
        form = NewForm(request.POST)
        return self.page(
            "app/templates/new_preview.html", chosen=choose(self.account, request.POST), **_shown(form)
        )


def _shown(form: NewForm) -> dict[str, Any]:
    written, examples = form.written(), form.examples()
    made = template_writing.components(written, examples)
    found = example_values(made)
    given = FilledTemplate(
        "",
        "",
        parameters={name: value for name, value in found.parameters.items() if value},
        header_parameters={name: value for name, value in found.header_parameters.items() if value},
    )
    gaps = [(name, _("Example of %(gap)s") % {"gap": f"{{{{{name}}}}}"}) for name in written.gaps]
    for place in written.link_gaps:
        gaps.append(
            (f"button.{place}", _("End of the link behind %(label)s") % {"label": written.buttons[place][0]})
        )
    return {
        "preview": preview(read(made), given) if written.body or written.header else None,
        "gaps": [(name, label, examples.get(name, "")) for name, label in gaps],
    }


class ChangeTemplate(DashboardView):
    """``/app/templates/<id>/change``."""

    section = "templates"
    least = Role.ADMIN

    def get(self, request: HttpRequest, template_id: str) -> HttpResponse:
        """Draw the form with what the template says now."""
        row = self.row(template_id)
        return self.draw(row, ChangeForm(row, initial=typed(row) or {}))

    def post(self, request: HttpRequest, template_id: str) -> HttpResponse:
        """Hand the change in."""
        row = self.row(template_id)
        form = ChangeForm(row, request.POST)
        components = form.components() if form.is_valid() else []
        if components and typed(row) is not None:
            try:
                management.edit(
                    management.find(self.account, row.meta_id)[1],
                    row,
                    components=components,
                    category=form.cleaned_data.get("category") or None,
                )
            except Refusal as refusal:
                take(form, refusal)
            else:
                audit.record(self.account, "template.changed", target=str(row)[:200], **audit.by(request))
                said = _("The change is with Meta for review. This page follows what they say.")
                return self.done(f"/app/templates/{row.pk}", said)
        return self.draw(row, form, status=400)

    def row(self, template_id: str) -> Template:
        """Find the template. Raises ``Refusal`` (``not_found``)."""
        row = Template.objects.filter(account=self.account, pk=id_of(template_id)).first()
        if row is None:
            raise Refusal("not_found", "No template found with this id.")
        return row

    def draw(self, row: Template, form: ChangeForm, status: int = 200) -> HttpResponse:
        """Draw the page; without the form when it could not hold the template."""
        holds = row.status in management.EDITABLE and typed(row) is not None
        number = self.account.connections.filter(removed_at=None, waba_id=row.waba_id).first()
        chosen = choose(self.account, {"number": str(number.pk) if number else ""})
        return self.page(
            "app/templates/change.html",
            status=status,
            one=row,
            id=str(row.pk),
            form=form,
            holds=holds,
            chosen=chosen,
            **_shown(form),
        )


class DeleteTemplate(DashboardView):
    """``/app/templates/<id>/delete``."""

    section = "templates"
    least = Role.ADMIN

    def post(self, request: HttpRequest, template_id: str) -> HttpResponse:
        """Delete one language of a template at Meta."""
        row = Template.objects.filter(account=self.account, pk=id_of(template_id)).first()
        if row is None:
            raise Refusal("not_found", "No template found with this id.")
        try:
            management.delete(management.find(self.account, row.meta_id)[1], row)
        except Refusal as refusal:
            return self.wrong(f"/app/templates/{row.pk}", refusal)
        audit.record(self.account, "template.deleted", target=str(row)[:200], **audit.by(request))
        return self.done("/app/templates", _("The template is deleted."))
