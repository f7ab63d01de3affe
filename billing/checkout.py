"""Checkout: the way to Stripe's pages and back. Nothing here changes a plan; only Stripe's word does."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts.models import Account
from accounts.plans import ADD_ONS, ORDER, SELF_SERVICE, Plan, monthly_messages
from billing import customers, quota, stripe_api
from billing.entitlement import DISPUTE_OVER
from billing.models import Customer, Dispute
from billing.stripe_api import SeenSubscription
from billing.subscriptions import EXISTING, price_of, prices
from core.errors import Refusal, invalid

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Where to send the customer; ``warning`` says what they may not expect."""

    url: str
    warning: str = ""


def begin_plan(account: Account, plan: str) -> Page:
    """Return the page that sells a plan, or that confirms the change of the one that is paid for.

    Raises ``Invalid`` for a plan that cannot be bought; ``Refusal``: ``conflict`` when it is the present
    one or a payment is disputed, ``upstream_unavailable`` without Stripe.
    """
    wanted = _plan(plan)
    _check_ready(account)
    price = price_of(wanted)
    if not price:
        raise Refusal("upstream_unavailable", f"The plan {wanted} is not on sale on this server.")

    def begin(customer: str) -> Page:
        present = _present(stripe_api.subscriptions_of(customer))
        if present is None:
            return Page(_open_checkout(account, customer, price, subscription=True))
        if prices().get(present.price) != wanted:
            change = (present.id, present.item, price)
            url = stripe_api.create_portal(customer=customer, back_url=customers.money_page(), change=change)
            return Page(url, _warning(account, wanted))
        if present.status in ("past_due", "unpaid"):
            return Page(stripe_api.create_portal(customer=customer, back_url=customers.money_page()))
        raise Refusal("conflict", f"You are on {wanted} already. GET /billing/portal shows the subscription.")

    return _with_customer(account, begin)


def begin_add_on(account: Account, code: str) -> Page:
    """Return the page that sells extra messages or an extra agent. Raises as ``begin_plan`` does."""
    if code not in ADD_ONS:
        raise invalid("addOn", f"Must be one of: {', '.join(ADD_ONS)}.")
    _check_ready(account)
    price = settings.STRIPE_ADD_ON_PRICES[code]
    if not price:
        raise Refusal("upstream_unavailable", f"{ADD_ONS[code].title}: not on sale on this server.")
    return _with_customer(
        account, lambda customer: Page(_open_checkout(account, customer, price, subscription=False))
    )


def portal(account: Account) -> Page:
    """Return the page with subscription, invoices and cancellation.

    Raises ``Refusal``: ``not_found`` before anything was bought, ``upstream_unavailable`` without Stripe.
    """
    _check_configured()
    nothing = Refusal("not_found", "There is no subscription yet. POST /billing/checkout begins one.")
    known = Customer.objects.filter(pk=account.pk).values_list("stripe_id", flat=True).first()
    if not known:
        raise nothing
    try:
        return Page(
            _asking(lambda: stripe_api.create_portal(customer=known, back_url=customers.money_page()))
        )
    except stripe_api.Missing:
        raise nothing from None


def _plan(plan: str) -> Plan:
    if plan == Plan.ENTERPRISE:
        contact = f": {settings.SALES_CONTACT}" if settings.SALES_CONTACT else " of this service"
        raise invalid("plan", f"Enterprise is arranged in person. Talk to sales{contact}.")
    if plan == Plan.FREE:
        raise invalid("plan", "Free needs no checkout. Cancel the subscription with GET /billing/portal.")
    if plan not in SELF_SERVICE:
        raise invalid("plan", f"Must be one of: {', '.join(SELF_SERVICE)}.")
    return Plan(plan)


def _check_configured() -> None:
    if not stripe_api.configured():
        raise Refusal(
            "upstream_unavailable", "Billing is not set up on this server; its operator sets the plan."
        )


def _check_ready(account: Account) -> None:
    _check_configured()
    open_disputes = Dispute.objects.filter(account=account, settled_at=None)
    if open_disputes.exclude(status__in=[one for one in DISPUTE_OVER if one != "lost"]).exists():
        raise Refusal(
            "conflict", "A payment of this account is disputed. Talk to us before you buy anything else."
        )


def _present(seen: list[SeenSubscription]) -> SeenSubscription | None:
    existing = [one for one in seen if one.status in EXISTING]
    return max(existing, key=lambda one: ORDER.index(prices().get(one.price, Plan.FREE)), default=None)


def _warning(account: Account, wanted: Plan) -> str:
    """Say when less is bought than is used (contract 2.8)."""
    if ORDER.index(wanted) >= ORDER.index(Plan(account.plan)):
        return ""
    used, limit = quota.usage(account.pk).used, monthly_messages(wanted)
    if limit is None or used <= limit:
        return ""
    return f"You used {used:,} messages in this period; {wanted} has {limit:,}."


# --- one Stripe customer per account


def _with_customer(account: Account, work: Callable[[str], T]) -> T:
    """Do ``work`` with the account's Stripe customer, made if need be, and made anew if it was deleted."""
    try:
        return _asking(lambda: work(customer_of(account)))
    except stripe_api.Missing:
        known = Customer.objects.filter(pk=account.pk).values_list("stripe_id", flat=True).first()
        Customer.objects.filter(pk=account.pk, stripe_id=known).update(
            stripe_id=None, generation=F("generation") + 1
        )
    try:
        return _asking(lambda: work(customer_of(account)))
    except stripe_api.Missing as error:
        log.error("Stripe does not know something that is configured", what=str(error))
        raise _unavailable() from None


def customer_of(account: Account) -> str:
    """Return the id of the account's customer at Stripe; made when there is none."""
    customer = customers.ensure(account.pk)
    if customer.stripe_id:
        return customer.stripe_id
    # Two at once, or one that crashed before it could note the id: the key gives the same customer.
    made = stripe_api.create_customer(
        account_id=str(account.pk),
        name=account.name,
        email=account.email,
        key=f"hermod-customer-{account.pk}-{customer.generation}",
    )
    Customer.objects.filter(pk=account.pk, stripe_id=None, generation=customer.generation).update(
        stripe_id=made
    )
    return Customer.objects.values_list("stripe_id", flat=True).get(pk=account.pk) or made


def _open_checkout(account: Account, customer: str, price: str, *, subscription: bool) -> str:
    session, url = stripe_api.create_checkout(
        customer=customer,
        price=price,
        subscription=subscription,
        account_id=str(account.pk),
        done_url=f"{customers.money_page()}?done=1",
        back_url=customers.money_page(),
        # New for each request, the same for the library's own repetitions of it.
        key=f"hermod-checkout-{uuid.uuid4()}",
    )
    if not subscription:
        return url
    with transaction.atomic():
        row = customers.locked(account.pk)
        earlier, row.open_session = row.open_session, session
        row.save(update_fields=["open_session"])
    if earlier:
        # Two open pages could both be paid.
        stripe_api.expire_checkout(earlier)
    return url


def _asking(work: Callable[[], T]) -> T:
    try:
        return work()
    except (stripe_api.Unavailable, stripe_api.Rejected) as error:
        log.warning("Stripe could not be used", why=str(error))
        raise _unavailable() from None


def _unavailable() -> Refusal:
    return Refusal(
        "upstream_unavailable",
        "Stripe cannot be reached at the moment. Nothing was charged; try again in a moment.",
        retry_after=30,
    )
