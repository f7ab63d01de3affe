"""``/app/billing``: the plan, what of it is used, what else there is, and the ways to Stripe and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from accounts import audit
from accounts.dashboard.base import DashboardView, Role
from accounts.plans import ADD_ONS, LIMITS, ORDER, SELF_SERVICE, Plan, monthly_messages
from billing import checkout, overview, stripe_api
from core.errors import Refusal

BILLING = "/app/billing"
#: a bar turns amber from here on
NEARLY = 80


@dataclass(frozen=True, slots=True)
class Bar:
    """How much of something is used."""

    name: str
    used: int
    limit: int | None

    @property
    def percent(self) -> int:
        """Return how full it is, at most 100; 0 when there is no limit."""
        return min(100, self.used * 100 // self.limit) if self.limit else 0

    @property
    def tone(self) -> str:
        """Return how it is drawn."""
        return "bad" if self.percent >= 100 else "warn" if self.percent >= NEARLY else ""


class Billing(DashboardView):
    """``/app/billing``; everybody may look, owners buy."""

    section = "billing"
    least_to_change = Role.OWNER

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show plan and use."""
        found = overview.overview(self.account)
        bars = [
            Bar(_("Messages in this period"), found.usage.used, found.usage.limit),
            Bar(_("Agents"), found.agents_used, found.agents_limit),
        ]
        return self.page(
            "app/billing.html",
            found=found,
            bars=bars,
            plans=[self.plan(plan) for plan in ORDER],
            add_ons=self.add_ons(),
            ready=stripe_api.configured(),
            sales=settings.SALES_CONTACT,
        )

    def post(self, request: HttpRequest) -> HttpResponse:
        """Go to Stripe: to buy a plan or something extra, or to the portal."""
        what, wanted = request.POST.get("do", ""), request.POST.get("what", "")
        try:
            if what == "plan":
                page = checkout.begin_plan(self.account, wanted)
            elif what == "add_on":
                page = checkout.begin_add_on(self.account, wanted)
            elif what == "portal":
                page, wanted = checkout.portal(self.account), ""
            else:
                return self.wrong(BILLING, Refusal("invalid_request", _("There is no such button.")))
        except Refusal as refusal:
            said = refusal.fields[0].message if refusal.fields else refusal.message
            return self.wrong(BILLING, Refusal("conflict", said))
        if urlsplit(page.url).scheme not in ("https", "http"):
            return self.wrong(BILLING, Refusal("conflict", _("Stripe gave no usable address.")))
        audit.record(self.account, f"billing.{what}", target=wanted, **audit.by(request))
        # A form may only lead to ourselves (form-action of our policy), so a page in between goes on.
        return self.page("app/leaving.html", url=page.url, host=urlsplit(page.url).hostname)

    def plan(self, plan: Plan) -> dict[str, Any]:
        """Describe a plan beside the present one."""
        limits = LIMITS[plan]
        present = Plan(self.account.plan)
        return {
            "plan": plan,
            "limits": limits,
            "messages": monthly_messages(plan),
            "present": plan == present,
            "on_sale": plan in SELF_SERVICE and plan != present,
            "higher": ORDER.index(plan) > ORDER.index(present),
        }

    def add_ons(self) -> list[dict[str, Any]]:
        """Return what can be bought besides a plan."""
        return [
            {"code": kind.code, "title": kind.title}
            for kind in ADD_ONS.values()
            if settings.STRIPE_ADD_ON_PRICES.get(kind.code)
        ]
