"""The dashboard's templates: what Meta has approved, how each looks, and reading them anew."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts.dashboard.base import DashboardView, id_of
from core.errors import Refusal
from messaging.compose.approved import read
from messaging.dashboard.base import clean, ident
from messaging.dashboard.send_form import sample
from messaging.message_templates import listing as template_list
from messaging.message_templates import manage as template_management
from messaging.message_templates import store as template_store
from messaging.meta.graph import GraphError, GraphUnreachable
from messaging.models import Template

LISTED = 12


class Templates(DashboardView):
    """``/app/templates``."""

    section = "templates"

    def get(self, request: HttpRequest) -> HttpResponse:
        """Draw the list with a preview of each."""
        name, status = clean(request.GET.get("q")), clean(request.GET.get("status"), 30)
        wanted = template_list.Wanted(name=name or None, status=status.upper() or None)
        rows, following = template_list.page(
            self.account, wanted, limit=LISTED, after=ident(request.GET.get("after"))
        )
        return self.page(
            "app/templates/list.html",
            rows=[(row, sample(row)) for row in rows],
            search=name,
            chosen=status,
            following=following or "",
            is_later=bool(request.GET.get("after")),
            number=self.account.connections.filter(removed_at=None).exclude(waba_id="").first(),
        )


class TemplatePage(DashboardView):
    """``/app/templates/<id>``."""

    section = "templates"

    def get(self, request: HttpRequest, template_id: str) -> HttpResponse:
        """Draw one template: how it looks, what it asks for, what happened to it."""
        row = Template.objects.filter(account=self.account, pk=id_of(template_id)).first()
        if row is None:
            raise Http404
        context: dict[str, Any] = {
            "one": row,
            "preview": sample(row),
            "can_change": row.status in template_management.EDITABLE,
            "parts": read(row.components, row.parameter_format),
            "events": row.events.order_by("-pk")[:20],
        }
        return self.page("app/templates/one.html", **context)


class Sync(DashboardView):
    """``/app/templates/sync``: ask Meta for the list now."""

    section = "templates"

    def post(self, request: HttpRequest) -> HttpResponse:
        """Copy the templates of each WhatsApp account that the account's numbers belong to."""
        numbers = self.account.connections.filter(removed_at=None).exclude(waba_id="").order_by("-is_default")
        count = 0
        for number in {one.waba_id: one for one in reversed(numbers)}.values():
            try:
                count += template_store.sync(number)
            except (GraphError, GraphUnreachable, ValueError) as error:
                said = _("Meta did not give the list: %(why)s") % {"why": str(error)}
                return self.wrong("/app/templates", Refusal("upstream_unavailable", said))
        said = _("%(count)s templates were read from Meta.") % {"count": count}
        return self.done("/app/templates", said)
