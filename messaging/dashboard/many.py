"""The dashboard's way to send to many: a table is read, checked row by row, estimated, then sent as a batch.

Nothing is kept between the check and the sending: the page carries the table back in a field, and it is
checked again, so two tabs or a changed template cannot send what nobody saw.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit, plans
from accounts.dashboard.base import DashboardView
from core import csvfile
from core.errors import Refusal
from core.ui.forms import take
from messaging.compose.drafts import Draft
from messaging.dashboard import sheets
from messaging.dashboard.base import OncePerForm, new_token
from messaging.dashboard.send_form import Chosen, SendForm, choose
from messaging.message_templates.named_values import fill_all
from messaging.models import Message
from messaging.queue import accept
from messaging.queue.accept import Origin
from messaging.reports import overview

#: faulty rows that the report lists; the others are counted
LISTED = 50
#: good rows that are shown as the phone will show them
SHOWN = 3


class ManyForm(SendForm):
    """A table of recipients: as a file, or pasted."""

    file = forms.FileField(label=gettext_lazy("CSV file"), required=False)
    sheet = forms.CharField(
        label=gettext_lazy("Or paste the table"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "class": "mono"}),
    )
    skip = forms.BooleanField(label=gettext_lazy("Leave the faulty rows out"), required=False)

    def text(self) -> str:
        """Return the table. Raises ``Invalid``."""
        upload = self.files.get("file")
        if upload is not None:
            return sheets.decoded(upload.read(sheets.BYTES_MOST + 1))
        return str(self.data.get("sheet", ""))


class Many(DashboardView):
    """``/app/compose/many``."""

    section = "compose"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Draw the first step: number, template, table."""
        return self.draw(choose(self.account, request.GET), ManyForm())

    def post(self, request: HttpRequest) -> HttpResponse:
        """Check the table; with ``go`` and nothing faulty left in it, send it."""
        chosen = choose(self.account, request.POST)
        form = ManyForm(request.POST, request.FILES)
        most = plans.bulk_limit(self.account.plan)
        if not form.is_valid():
            return self.draw(chosen, form, status=400)
        try:
            self.check(chosen, most)
            text = form.text()
            report = sheets.check(sheets.read(text, most=most), chosen.template, chosen.parts)
            going = request.POST.get("go") == "1"
            if going and report.good and (not report.faulty or form.cleaned_data["skip"]):
                sent = self.send(form, chosen, report)
                return HttpResponseRedirect(f"/app/batches/{sent['batch']}")
        except Refusal as refusal:
            take(form, refusal)
            return self.draw(chosen, form, status=400)
        return self.report(chosen, form, report, text)

    def check(self, chosen: Chosen, most: int) -> None:
        """Refuse what no table could mend. Raises ``Refusal``."""
        if not most:
            raise Refusal("plan_not_eligible", _("Sending to many is part of the Basic plan and above."))
        if chosen.number is None:
            raise Refusal("conflict", _("Connect a number first."))
        if not chosen.is_text and chosen.template is None:
            raise Refusal("invalid", _("Choose a template, or texts of your own."))
        if chosen.needs_code:
            raise Refusal(
                "invalid", _("This template takes what only a program can give. Send it with the API.")
            )

    def send(self, form: ManyForm, chosen: Chosen, report: sheets.Report) -> Any:
        """Queue the good rows as one batch, once for this form."""
        data = form.cleaned_data
        drafts = [
            Draft(to=line.to, what=line.what, send_at=data["send_at"], dry_run=data["dry_run"])
            for line in report.good
            if line.what is not None
        ]
        once = OncePerForm(self.account, data["token"], {"drafts": repr(drafts)})
        if (earlier := once.given()) is not None:
            return earlier.data
        origin = Origin(Message.Source.DASHBOARD, self.account, number=chosen.number)
        drafts = fill_all(origin, drafts)
        with once.first() as sending:
            if sending.is_first:
                batch, _queued = accept.queue_batch(origin, drafts)
                audit.record(self.account, "batch.sent", target=str(batch.pk), **audit.by(self.request))
                sending.respond(200, {"batch": str(batch.pk)})
        return sending.answer.data

    def report(self, chosen: Chosen, form: ManyForm, report: sheets.Report, text: str) -> HttpResponse:
        """Draw the second step: what is wrong, what it will look like, how long it takes."""
        assert chosen.number is not None
        count = len(report.good)
        return self.page(
            "app/compose/report.html",
            chosen=chosen,
            form=form,
            report=report,
            faulty=report.faulty[:LISTED],
            doubtful=report.doubtful[:LISTED],
            examples=report.good[:SHOWN],
            count=count,
            estimate=overview.estimate(chosen.number, count),
            sheet=text,
            token=form.cleaned_data["token"] or new_token(),
        )

    def draw(self, chosen: Chosen, form: ManyForm, status: int = 200) -> HttpResponse:
        """Draw the first step."""
        return self.page(
            "app/compose/many.html",
            status=status,
            chosen=chosen,
            form=form,
            most=plans.bulk_limit(self.account.plan),
            columns=_columns(chosen),
        )


def _columns(chosen: Chosen) -> list[str]:
    if chosen.is_text or chosen.template is None:
        return ["to", "message"]
    return ["to", *(ask.column for ask in chosen.asks)]


class Sample(DashboardView):
    """``/app/compose/sample.csv``: a table to fill, with the columns that the template asks for."""

    section = "compose"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Write the headings and one row of examples."""
        chosen = choose(self.account, request.GET)
        row = ["14155552671", *(ask.example or ask.name for ask in chosen.asks)]
        if chosen.is_text or chosen.template is None:
            row.append("Hello!")
        out = io.StringIO()
        out.write(csvfile.MARK)
        writer = csv.writer(out)
        writer.writerow(_columns(chosen))
        writer.writerow([csvfile.safe(cell) for cell in row])
        response = HttpResponse(out.getvalue(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = 'attachment; filename="recipients.csv"'
        return response
