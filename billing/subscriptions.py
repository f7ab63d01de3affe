"""Subscriptions: an event of Stripe's only says whom to ask about, Stripe's answer is what counts.

So the order of events, their duplicates and their loss stop mattering. Answers are numbered as their
questions are asked; one that a later answer has overtaken is asked for again, not applied.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts import audit
from accounts.plans import ADD_ONS, SELF_SERVICE, Plan
from billing import customers, entitlement, quota, stripe_api
from billing.models import AddOn, Customer, Dispute, Subscription
from billing.stripe_api import SeenDispute, SeenSession, SeenSubscription

log = structlog.get_logger(__name__)

#: in these states a subscription exists, paid or not, and a second one must not be begun
EXISTING = ("active", "trialing", "past_due", "unpaid", "paused")
#: questions asked again because somebody else's answer came in between
TRIES = 5
#: how far back the nightly look for paid checkouts goes: Stripe repeats an event for three days
LOOK_BACK = timedelta(days=4)


def prices() -> dict[str, Plan]:
    """Return which plan each known price pays for; of several in a setting the first is sold now."""
    given = {Plan.BASIC: settings.STRIPE_PRICE_BASIC, Plan.PRO: settings.STRIPE_PRICE_PRO}
    return {price.strip(): plan for plan in SELF_SERVICE for price in given[plan].split(",") if price.strip()}


def price_of(plan: Plan) -> str:
    """Return the price at which a plan is sold now; empty: it is not on sale."""
    return next((price for price, one in prices().items() if one == plan), "")


def sync(account_id: uuid.UUID) -> None:
    """Ask Stripe for an account's subscriptions and apply the answer. Raises ``stripe_api.Unavailable``."""
    for _ in range(TRIES):
        Customer.objects.filter(pk=account_id).update(fetches=F("fetches") + 1)
        asked = Customer.objects.filter(pk=account_id).first()
        if asked is None or not asked.stripe_id:
            return
        stripe_id, number = asked.stripe_id, asked.fetches
        gone = False
        try:
            seen = stripe_api.subscriptions_of(stripe_id)
        except stripe_api.Missing:
            seen, gone = [], True
        if not gone and not any(one.status in EXISTING for one in seen):
            gone = not stripe_api.customer_exists(stripe_id)
        if _apply(account_id, number, stripe_id, seen, gone=gone):
            return
    raise stripe_api.Unavailable("overtaken again and again")


@transaction.atomic
def _apply(
    account_id: uuid.UUID, number: int, stripe_id: str, seen: Sequence[SeenSubscription], *, gone: bool
) -> bool:
    """Write what was seen; False when a later answer was written before."""
    customer = customers.locked(account_id)
    if customer.stripe_id != stripe_id:
        return True  # it was deleted, and another answer said so
    if customer.applied_fetch > number:
        return False
    now = timezone.now()
    known = {one.pk: one for one in Subscription.objects.filter(account_id=account_id)}
    for found in seen:
        _write(account_id, found, known.pop(found.id, None))
    for missing in known.values():
        if missing.status != "canceled":
            missing.status, missing.past_due_since, missing.cancel_at = "canceled", None, None
            missing.fetched_at = now
            missing.save(update_fields=["status", "past_due_since", "cancel_at", "fetched_at"])
    customer.applied_fetch, customer.synced_at = number, now
    if gone:
        customer.stripe_id, customer.open_session = None, ""
        customer.generation += 1
        Subscription.objects.filter(account_id=account_id).update(status="canceled", past_due_since=None)
        audit.note(account_id, entitlement.STRIPE, "stripe_customer_deleted", customer=stripe_id)
    customer.save(update_fields=["applied_fetch", "synced_at", "stripe_id", "open_session", "generation"])
    paying = [one.id for one in seen if one.status in entitlement.PAYING]
    if len(paying) > 1:
        log.error("an account pays for two subscriptions", account=str(account_id), subscriptions=paying)
    entitlement.settle(customer, actor=entitlement.STRIPE)
    return True


def _write(account_id: uuid.UUID, found: SeenSubscription, before: Subscription | None) -> None:
    now = timezone.now()
    row = before or Subscription(id=found.id, account_id=account_id)
    plan = prices().get(found.price)
    if plan is None:
        # A price that was forgotten in the settings must not take away what somebody pays for.
        log.error("a subscription has an unknown price", subscription=found.id, price=found.price)
    else:
        row.plan = plan
    row.status = found.status
    row.period_start_at, row.period_end_at = found.period_start_at, found.period_end_at
    row.cancel_at, row.fetched_at = found.cancel_at, now
    row.next_plan, row.next_plan_at = _next_plan(found)
    if found.status != "past_due":
        row.past_due_since, row.past_due_mails = None, 0
    elif row.past_due_since is None:
        row.past_due_since = now
        audit.note(account_id, entitlement.STRIPE, "payment_overdue", subscription=found.id)
    row.save()


def _next_plan(found: SeenSubscription) -> tuple[str, datetime | None]:
    """Return the plan that a subscription changes to by itself, and when; nothing for a price of no plan."""
    plan = prices().get(found.next_price)
    return (plan.value, found.next_price_at) if plan else ("", None)


# --- add-ons


def apply_session(seen: SeenSession) -> bool:
    """Give what a paid checkout bought besides a plan; once, however often it is told. True: given now.

    Nothing is given for money that went back, in whichever order we are told. Raises
    ``stripe_api.Unavailable``.
    """
    if seen.mode != "payment" or not seen.paid or not seen.prices:
        return False
    codes = {price: code for code, price in settings.STRIPE_ADD_ON_PRICES.items() if price}
    price, quantity = seen.prices[0]
    kind = ADD_ONS.get(codes.get(price, ""))
    owner = Customer.objects.filter(stripe_id=seen.customer).values_list("pk", flat=True).first()
    if kind is None or owner is None:
        log.warning("a paid checkout is none of ours", session=seen.id, price=price)
        return False
    given = AddOn.objects.filter(session=seen.id)
    if given.exists() or (seen.payment and stripe_api.refunded(seen.payment)):
        return False
    with transaction.atomic():
        customer = customers.locked(owner)
        lost = Dispute.objects.filter(account_id=owner, payment=seen.payment, status="lost")
        if given.exists() or (seen.payment and lost.exists()):
            return False
        period = quota.current_period(customer)
        AddOn.objects.create(
            account_id=owner,
            code=kind.code,
            quantity=quantity,
            messages=kind.messages * quantity,
            agents=kind.agents * quantity,
            session=seen.id,
            payment=seen.payment,
            starts_at=timezone.now(),
            ends_at=period.ends_at,
        )
        audit.note(
            owner, entitlement.STRIPE, "add_on_bought", code=kind.code, quantity=quantity, session=seen.id
        )
        quota.refresh(customer)
    return True


# --- payments that went wrong later


def apply_dispute(seen: SeenDispute) -> None:
    """Note a disputed payment; a lost one takes its add-on back and ends the paid plan."""
    owner = Customer.objects.filter(stripe_id=seen.customer).values_list("pk", flat=True).first()
    if owner is None:
        return
    with transaction.atomic():
        customer = customers.locked(owner)
        row = Dispute.objects.filter(pk=seen.id).first() or Dispute(pk=seen.id, account_id=owner)
        if row.status != seen.status:
            log.warning("a payment is disputed", account=str(owner), dispute=seen.id, status=seen.status)
            audit.note(
                owner, entitlement.STRIPE, "dispute", dispute=seen.id, status=seen.status, why=seen.reason
            )
        row.status, row.reason, row.payment = seen.status, seen.reason, seen.payment
        row.fetched_at = timezone.now()
        row.save()
        if seen.status == "lost":
            entitlement.revoke_add_on(customer, seen.payment, why="dispute lost")
        entitlement.settle(customer, actor=entitlement.STRIPE)


def apply_charge(seen: stripe_api.SeenCharge) -> None:
    """Take back the add-on of a payment that was refunded whole."""
    owner = Customer.objects.filter(stripe_id=seen.customer).values_list("pk", flat=True).first()
    if owner is None or not seen.refunded:
        return
    with transaction.atomic():
        customer = customers.locked(owner)
        entitlement.revoke_add_on(customer, seen.payment, why="refunded")
        quota.refresh(customer)


# --- every night


def reconcile() -> int:
    """Compare all subscriptions with Stripe's list and mend what differs; returns how many accounts did.

    The safety net under the events: with every one of them lost, the next morning is right. Raises
    ``stripe_api.Unavailable``, and then nothing was taken from anybody.
    """
    seen: dict[str, list[SeenSubscription]] = defaultdict(list)
    for one in stripe_api.all_subscriptions():
        seen[one.customer].append(one)
    mended = 0
    ours = Customer.objects.exclude(stripe_id=None).values_list("pk", "stripe_id")
    for account_id, stripe_id in list(ours):
        if _differs(account_id, seen.get(stripe_id or "", [])):
            sync(account_id)
            mended += 1
    for session in stripe_api.completed_sessions(timezone.now() - LOOK_BACK):
        mended += apply_session(session)
    for account_id in list(Customer.objects.values_list("pk", flat=True)):
        with transaction.atomic():
            entitlement.settle(customers.locked(account_id), actor=entitlement.HERMOD)
    log.info("subscriptions compared with Stripe", mended=mended)
    return mended


def _differs(account_id: uuid.UUID, seen: Sequence[SeenSubscription]) -> bool:
    known = {
        one.pk: (one.status, one.plan, one.period_end_at, one.cancel_at, one.next_plan, one.next_plan_at)
        for one in Subscription.objects.filter(account_id=account_id, status__in=EXISTING)
    }
    plans = prices()
    told = {
        one.id: (
            *(one.status, str(plans.get(one.price, "")), one.period_end_at, one.cancel_at),
            *_next_plan(one),
        )
        for one in seen
        if one.status in EXISTING
    }
    return known != told


def end_closed() -> int:
    """Cancel at Stripe what accounts pay for that were closed; returns how many subscriptions.

    Closing an account is done without Stripe; nobody may go on paying for what is gone.
    """
    ended = 0
    closed = Subscription.objects.filter(account__closed_at__isnull=False, status__in=EXISTING)
    for one in list(closed[:200]):
        try:
            stripe_api.cancel_subscription(one.pk)
            sync(one.account_id)
            ended += 1
        except stripe_api.Unavailable as error:
            log.warning("a closed account still pays", account=str(one.account_id), why=str(error))
            break
    return ended


def end_graces() -> int:
    """Ask Stripe again about payments whose grace time is over; returns how many accounts were asked.

    The answer decides (``entitlement.pays``); without one the plan stays.
    """
    over = Subscription.objects.filter(
        past_due_since__lte=timezone.now() - entitlement.GRACE,
        # Asked before the end: the answer does not count yet.
        fetched_at__lt=F("past_due_since") + entitlement.GRACE,
    )
    asked = 0
    for account_id in list(over.values_list("account_id", flat=True).distinct()[:200]):
        try:
            sync(account_id)
            asked += 1
        except stripe_api.Unavailable as error:
            log.warning("Stripe could not be asked; the plan stays", account=str(account_id), why=str(error))
            break
    return asked
