"""Overview of plan, subscription and use: one reading for the API and the dashboard."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.models import Account, Agent
from accounts.plans import LIMITS, ORDER, Plan, monthly_messages
from billing import customers, quota
from billing.entitlement import grace_until
from billing.models import AddOn, Adjustment, Customer, Dispute, QuotaPeriod, Subscription
from billing.subscriptions import EXISTING
from core.errors import Refusal


@dataclass(frozen=True, slots=True)
class PlanOverview:
    """An account's billing as it stands."""

    plan: Plan
    usage: quota.Usage
    subscription: Subscription | None
    grace_until: datetime | None
    add_ons: list[AddOn]
    adjustments: int
    agents_used: int
    agents_limit: int | None
    override_until: datetime | None
    disputed: bool

    @property
    def next_plan(self) -> Plan | None:
        """Return the plan that the subscription changes to by itself, as a downgrade does."""
        coming = self.subscription.next_plan if self.subscription is not None else ""
        return Plan(coming) if coming else None

    @property
    def next_plan_at(self) -> datetime | None:
        """Return when it does."""
        return self.subscription.next_plan_at if self.subscription is not None else None

    @property
    def banner(self) -> str:
        """Return the sentence that every page should show; empty when all is well."""
        if self.grace_until is not None:
            day = self.grace_until.strftime("%Y-%m-%d %H:%M UTC")
            if self.grace_until > timezone.now():
                return f"Your payment did not go through. Your plan stays until {day}; mend it in the portal."
            return "Your payment is overdue. Pay in the billing portal to get your plan back."
        if self.disputed:
            return "A payment of this account is disputed. Please talk to us."
        if self.usage.remaining == 0:
            return "The messages of this billing period are used up. Upgrade, or buy more."
        if self.subscription is not None and self.subscription.cancel_at is not None:
            day = self.subscription.cancel_at.strftime("%Y-%m-%d")
            return f"Your subscription ends on {day}; it can be resumed in the billing portal until then."
        if self.next_plan is not None and self.next_plan_at is not None:
            return f"Your plan changes to {self.next_plan.label} on {self.next_plan_at:%Y-%m-%d}."
        return ""


def overview(account: Account) -> PlanOverview:
    """Read an account's billing; a fixed number of queries."""
    used = quota.usage(account.pk)
    customer = Customer.objects.get(pk=account.pk)
    existing = list(Subscription.objects.filter(account=account, status__in=EXISTING))
    best = max(existing, key=lambda one: ORDER.index(Plan(one.plan or "free")), default=None)
    now = timezone.now()
    valid = {"account": account, "revoked_at": None, "ends_at__gt": now}
    add_ons = list(AddOn.objects.filter(**valid).order_by("starts_at"))
    return PlanOverview(
        plan=Plan(account.plan),
        usage=used,
        subscription=best,
        grace_until=grace_until(best) if best is not None else None,
        add_ons=add_ons,
        adjustments=sum(Adjustment.objects.filter(**valid).values_list("messages", flat=True)),
        agents_used=Agent.objects.filter(account=account).count(),
        agents_limit=_agents(account.plan, add_ons),
        override_until=customer.override_until if customer.override_plan else None,
        disputed=Dispute.objects.filter(account=account, settled_at=None)
        .exclude(status__in=("won", "warning_closed", "prevented"))
        .exists(),
    )


def used_by(accounts: Collection[Account]) -> dict[uuid.UUID, tuple[int, int | None]]:
    """Return what some accounts have used in their billing periods, and of how many; one query."""
    periods = (
        QuotaPeriod.objects.filter(account__in=accounts, used=None, ends_at__gt=timezone.now())
        .annotate(so_far=Sum("slots__used"))
        .order_by("starts_at")
    )
    found = {one.pk: (0, monthly_messages(one.plan)) for one in accounts}
    return found | {one.account_id: (one.so_far or 0, one.limit) for one in periods}


def _agents(plan: str, add_ons: list[AddOn]) -> int | None:
    limit = LIMITS[Plan(plan)].agents
    return None if limit is None else limit + sum(one.agents for one in add_ons)


def agents_limit(account: Account) -> int | None:
    """Return how many agents an account may have, add-ons included; None: as many as wanted."""
    valid = AddOn.objects.filter(account=account, revoked_at=None, ends_at__gt=timezone.now())
    return _agents(account.plan, list(valid))


@contextlib.contextmanager
def room_for_agent(account: Account) -> Iterator[None]:
    """Make an agent inside the block, one at a time; raises ``Refusal`` (``plan_not_eligible``) without room.

    Agents that are there stay when the plan gets smaller; only new ones are refused.
    """
    with transaction.atomic():
        customers.locked(account.pk)
        check_room_for_agent(account)
        yield


def check_room_for_agent(account: Account) -> None:
    """Raise ``Refusal`` (``plan_not_eligible``) when another agent would be one too many."""
    limit = agents_limit(account)
    if limit is not None and Agent.objects.filter(account=account).count() >= limit:
        agents = "1 agent" if limit == 1 else f"{limit} agents"
        raise Refusal(
            "plan_not_eligible",
            f"Your plan has {agents}. Upgrade it, or buy one more, with POST /billing/checkout.",
        )
