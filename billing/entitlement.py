"""Entitlement: an account's plan, decided here from everything known, and written nowhere else.

In this order: what an operator decided for a time; a lost dispute (free); what is paid for; what an operator
gave when the account was made.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import Account
from accounts.plans import ORDER, Plan
from billing import customers, quota
from billing.models import AddOn, Adjustment, Customer, Dispute, Subscription
from core.errors import invalid

log = structlog.get_logger(__name__)

#: who acts when no person does
STRIPE = "stripe"
HERMOD = "hermod"
#: a card that failed on Friday night can be mended on Monday
GRACE = timedelta(hours=72)
PAYING = ("active", "trialing")
#: a dispute that is over, one way or the other
DISPUTE_OVER = ("won", "lost", "warning_closed", "prevented")


def grace_until(subscription: Subscription) -> datetime | None:
    """Return when the grace time of a subscription ends; None when nothing is overdue."""
    since = subscription.past_due_since
    return since + GRACE if since is not None else None


def pays(subscription: Subscription) -> bool:
    """Tell whether a subscription gives its plan.

    An overdue one does, until Stripe has said *after* the grace time that it is still overdue: while
    Stripe cannot be asked, nobody loses a plan.
    """
    if subscription.status in PAYING:
        return True
    until = grace_until(subscription)
    return subscription.status == "past_due" and until is not None and subscription.fetched_at < until


def plan_of(customer: Customer, now: datetime) -> tuple[Plan, str]:
    """Return the plan that an account should have, and why (a word for the audit log)."""
    if customer.override_plan and (customer.override_until is None or customer.override_until > now):
        return Plan(customer.override_plan), "override"
    if Dispute.objects.filter(account_id=customer.pk, status="lost", settled_at=None).exists():
        return Plan.FREE, "dispute lost"
    granted = Plan(customer.granted_plan)
    paid = [
        Plan(one.plan)
        for one in Subscription.objects.filter(account_id=customer.pk).exclude(plan="")
        if pays(one)
    ]
    best = max([granted, *paid], key=ORDER.index)
    return best, "subscription" if best in paid else "granted"


def settle(customer: Customer, *, actor: str) -> bool:
    """Write the plan that the account should have, and its quota; True when the plan changed.

    The customer's row must be locked (``customers.locked``).
    """
    plan, why = plan_of(customer, timezone.now())
    before = customer.account.plan
    changed = before != plan
    if changed:
        Account.objects.filter(pk=customer.pk).update(plan=plan)
        customer.account.plan = plan
        audit.note(customer.pk, actor, "plan_changed", before=before, after=str(plan), why=why)
        # Its people see what changed; which operator did it, and why, they do not.
        audit.record(customer.account, "plan.changed", before=before, after=str(plan))
        log.info("plan changed", account=str(customer.pk), before=before, after=str(plan), why=why)
    quota.refresh(customer)
    return changed


# --- what operators decide


def check_override(*, plan: str, reason: str, until: datetime | None) -> None:
    """Raise ``Invalid`` unless an override names a plan, a reason and an end in the future (or none)."""
    if plan and plan not in Plan.values:
        raise invalid("override_plan", "Must be one of the plans.")
    if plan and not reason.strip():
        raise invalid("override_reason", "Say why; it is kept in the audit log.")
    if plan and until is not None and until <= timezone.now():
        raise invalid("override_until", "Must be in the future.")


@transaction.atomic
def override(account_id: uuid.UUID, *, plan: str, reason: str, until: datetime | None, actor: str) -> None:
    """Give an account a plan for a time (``plan`` empty: end the override). Raises ``Invalid``."""
    check_override(plan=plan, reason=reason, until=until)
    customer = customers.locked(account_id)
    before = customer.override_plan
    customer.override_plan = plan
    customer.override_reason = reason.strip() if plan else ""
    customer.override_until = until if plan else None
    customer.save(update_fields=["override_plan", "override_reason", "override_until"])
    audit.note(
        account_id,
        actor,
        "plan_override" if plan else "plan_override_ended",
        before=before,
        after=plan,
        reason=reason.strip(),
        until=until.isoformat() if plan and until else None,
    )
    settle(customer, actor=actor)


def end_overrides() -> int:
    """End the overrides whose time is over; returns how many."""
    ended = 0
    over = Customer.objects.filter(override_until__lte=timezone.now()).exclude(override_plan="")
    for account_id in list(over.values_list("pk", flat=True)[:500]):
        override(account_id, plan="", reason="its time is over", until=None, actor=HERMOD)
        ended += 1
    return ended


@transaction.atomic
def cap(account_id: uuid.UUID, *, messages: int | None, actor: str) -> None:
    """Agree on a monthly number of messages with this customer (None: as the plan says)."""
    customer = customers.locked(account_id)
    before, customer.monthly_messages = customer.monthly_messages, messages
    customer.save(update_fields=["monthly_messages"])
    audit.note(account_id, actor, "cap_changed", before=before, after=messages)
    settle(customer, actor=actor)


@transaction.atomic
def adjust(account_id: uuid.UUID, *, messages: int, reason: str, actor: str) -> Adjustment:
    """Add messages to the current billing period (negative: take away). Raises ``Invalid``."""
    if not messages:
        raise invalid("messages", "Must not be zero.")
    if not reason.strip():
        raise invalid("reason", "Say why; it is kept in the audit log.")
    customer = customers.locked(account_id)
    period = quota.current_period(customer)
    made = Adjustment.objects.create(
        account_id=account_id,
        messages=messages,
        reason=reason.strip(),
        actor=actor,
        starts_at=timezone.now(),
        ends_at=period.ends_at,
    )
    audit.note(account_id, actor, "quota_adjusted", messages=messages, reason=reason.strip())
    quota.refresh(customer)
    return made


@transaction.atomic
def take_back(adjustment: Adjustment, *, actor: str) -> bool:
    """Undo an adjustment; False when it was undone before."""
    customer = customers.locked(adjustment.account_id)
    granted = Adjustment.objects.filter(pk=adjustment.pk, revoked_at=None)
    if not granted.update(revoked_at=timezone.now()):
        return False
    audit.note(adjustment.account_id, actor, "quota_adjustment_undone", messages=adjustment.messages)
    quota.refresh(customer)
    return True


@transaction.atomic
def make_peace(dispute: Dispute, *, actor: str) -> bool:
    """Let a dispute no longer count against the account; False when that was done before."""
    customer = customers.locked(dispute.account_id)
    if not Dispute.objects.filter(pk=dispute.pk, settled_at=None).update(settled_at=timezone.now()):
        return False
    audit.note(dispute.account_id, actor, "dispute_settled", dispute=dispute.pk)
    settle(customer, actor=actor)
    return True


def revoke_add_on(customer: Customer, payment: str, *, why: str) -> None:
    """Take back the add-ons of a payment whose money went back; the customer's row is locked."""
    granted = AddOn.objects.filter(account_id=customer.pk, payment=payment, revoked_at=None)
    for add_on in granted if payment else []:
        add_on.revoked_at = timezone.now()
        add_on.save(update_fields=["revoked_at"])
        audit.note(customer.pk, STRIPE, "add_on_revoked", code=add_on.code, why=why)
