"""Grace, overrides, disputes, add-ons, mails: what an account may do while money is on its way."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core import mail
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts import closing
from accounts.models import Agent, AuditEvent
from billing import checkout, entitlement, overview, quota, stripe_api, subscriptions
from billing import mails as billing_mails
from billing.models import AddOn, Customer, Dispute, QuotaPeriod, Subscription
from core.errors import Invalid, Refusal
from tests.factories import api, make_account
from tests.support.v1 import AGENTS, make_customer
from webhooks.models import Event, Listener
from webhooks.outgoing import quota_warnings

pytestmark = pytest.mark.django_db

DAY = 86_400


def fails_to_pay(stripe, account):
    """Let the next renewal of a paying customer fail."""
    one = stripe.subscribe(account)
    stripe.carry()
    stripe.world.tables["customers"][one["customer"]]["_card_works"] = False
    stripe.advance(32 * DAY)
    assert one["status"] == "past_due"
    stripe.carry()
    return one


def let_pass(**time):
    """Move what we remember of a missing payment into the past."""
    Subscription.objects.update(
        past_due_since=F("past_due_since") - timedelta(**time), fetched_at=F("fetched_at") - timedelta(**time)
    )


# --- past due


def test_a_failed_card_does_not_silence_a_business_overnight(stripe, account, plan_of):
    fails_to_pay(stripe, account)
    assert plan_of(account) == "pro"
    let_pass(hours=71)
    assert subscriptions.end_graces() == 0
    stripe.carry(stripe.events[-1:])
    assert plan_of(account) == "pro"


def test_three_days_later_the_account_falls_back_and_payment_brings_the_plan_back(stripe, account, plan_of):
    one = fails_to_pay(stripe, account)
    let_pass(hours=73)
    assert subscriptions.end_graces() == 1
    assert plan_of(account) == "free"
    assert subscriptions.end_graces() == 0
    stripe.do(stripe.world.pay_overdue, one["id"])
    stripe.carry()
    assert plan_of(account) == "pro"
    assert Subscription.objects.get().past_due_since is None


def test_the_grace_time_does_not_end_while_stripe_cannot_be_asked(stripe, account, plan_of):
    """It may have been paid in between; only Stripe knows."""
    one = fails_to_pay(stripe, account)
    let_pass(hours=73)
    stripe.world.fault = 500
    assert subscriptions.end_graces() == 0
    entitlement.cap(account.pk, messages=5, actor="op")  # whatever else settles the account meanwhile
    assert plan_of(account) == "pro"
    stripe.world.fault = None
    stripe.do(stripe.world.pay_overdue, one["id"])
    assert subscriptions.end_graces() == 1
    assert plan_of(account) == "pro"


def test_owners_are_told_at_once_a_day_before_and_at_the_end(stripe, account):
    fails_to_pay(stripe, account)
    assert billing_mails.tell_overdue() == 1
    assert billing_mails.tell_overdue() == 0
    let_pass(hours=49)
    assert billing_mails.tell_overdue() == 1
    let_pass(hours=24)
    assert billing_mails.tell_overdue() == 0  # what happened is told when it has happened
    subscriptions.end_graces()
    assert billing_mails.tell_overdue() == 1
    assert billing_mails.tell_overdue() == 0
    assert [one.subject for one in mail.outbox] == [
        "Your payment did not go through",
        "Your plan pro ends tomorrow",
        "Your account is on free now",
    ]
    assert all(one.to == [account.email] for one in mail.outbox)


def test_a_mail_that_cannot_be_sent_is_tried_again(stripe, account, monkeypatch):
    fails_to_pay(stripe, account)

    def broken(*_, **__):
        raise OSError("no mail server")

    with monkeypatch.context() as patch:
        patch.setattr(billing_mails.EmailMessage, "send", broken)
        assert billing_mails.tell_overdue() == 0
    assert billing_mails.tell_overdue() == 1


def test_the_banner_says_until_when_the_plan_stays(stripe, account):
    fails_to_pay(stripe, account)
    shown = api(account).get("/billing/usage").json()["data"]
    assert shown["subscription"]["status"] == "past_due"
    assert shown["subscription"]["graceUntil"] is not None
    assert "did not go through" in shown["notice"]


def test_in_the_end_stripe_gives_up_and_the_account_is_free(stripe, account, plan_of):
    one = fails_to_pay(stripe, account)
    stripe.advance(20 * DAY)
    assert one["status"] == "canceled"
    stripe.carry()
    assert plan_of(account) == "free"


# --- cancellation


def test_a_cancelled_plan_stays_until_the_end_of_its_period(stripe, account, plan_of):
    one = stripe.subscribe(account)
    stripe.do(stripe.world.cancel_later, one["id"])
    stripe.carry()
    assert plan_of(account) == "pro"
    assert Subscription.objects.get().cancel_at is not None
    stripe.advance(32 * DAY)
    stripe.carry()
    assert plan_of(account) == "free"


def test_a_cancellation_that_was_taken_back_cancels_nothing(stripe, account, plan_of):
    one = stripe.subscribe(account)
    stripe.do(stripe.world.cancel_later, one["id"])
    stripe.do(stripe.world.cancel_later, one["id"], wanted=False)
    stripe.advance(32 * DAY)
    stripe.carry()
    assert plan_of(account) == "pro"
    assert Subscription.objects.get().cancel_at is None


def test_nobody_goes_on_paying_for_an_account_that_was_closed(stripe, account):
    one = stripe.subscribe(account)
    stripe.carry()
    closing.close(account, confirmation="Alice", actor="alice@example.com")
    stripe.world.fault = 500
    assert subscriptions.end_closed() == 0
    stripe.world.fault = None
    assert subscriptions.end_closed() == 1
    assert one["status"] == "canceled"
    assert subscriptions.end_closed() == 0


def test_a_closed_account_gets_no_mail(stripe, account, small):
    fails_to_pay(stripe, account)
    spend(account, 40)
    closing.close(account, confirmation="Alice", actor="alice@example.com")
    assert billing_mails.tell_overdue() == billing_mails.warn_of_quotas() == 0
    assert not mail.outbox


# --- the quota follows


@pytest.fixture
def small(settings):
    """Plans small enough to be used up."""
    settings.MONTHLY_MESSAGES = {"free": 10, "basic": 20, "pro": 40, "enterprise": 0}


def spend(account, messages):
    """Use some of the quota."""
    with transaction.atomic():
        quota.charge(account.pk, messages)


def test_an_upgrade_counts_for_the_next_request_and_begins_the_paid_period(stripe, account, small):
    QuotaPeriod.objects.all().delete()
    spend(account, 10)
    QuotaPeriod.objects.update(starts_at=timezone.now() - timedelta(days=10))
    stripe.subscribe(account, "basic")
    stripe.carry()
    usage = quota.usage(account.pk)
    assert (usage.used, usage.limit) == (0, 20)
    assert usage.ends_at == Subscription.objects.get().period_end_at
    spend(account, 20)
    with pytest.raises(Refusal):
        spend(account, 1)


def test_a_change_within_a_period_keeps_what_was_used(stripe, account, small):
    one = stripe.subscribe(account, "basic")
    stripe.carry()
    spend(account, 15)
    stripe.do(stripe.world.change_price, one["id"], "price_pro")
    stripe.carry()
    assert (quota.usage(account.pk).used, quota.usage(account.pk).limit) == (15, 40)


def test_warnings_come_at_80_and_100_percent_once_each(account, small):
    told = []
    spend(account, 7)
    assert billing_mails.warn_of_quotas(told.extend) == 0
    spend(account, 1)
    assert billing_mails.warn_of_quotas(told.extend) == 1
    assert billing_mails.warn_of_quotas(told.extend) == 0
    spend(account, 2)
    assert billing_mails.warn_of_quotas(told.extend) == 1
    assert billing_mails.warn_of_quotas(told.extend) == 0
    assert [(one.percent, one.used, one.limit) for one in told] == [(80, 8, 10), (100, 10, 10)]
    assert [one.subject for one in mail.outbox] == [
        "80 % of your messages are used",
        "Your messages are used up",
    ]


def test_a_warning_reaches_the_customers_endpoints(account, small):
    """What the worker does every minute."""
    Listener.objects.create(account=account, asked_at=timezone.now())
    spend(account, 8)
    quota_warnings.warn()
    quota_warnings.warn()
    told = json.loads(Event.objects.get(type="account.quota_warning").body)["data"]
    assert told.pop("periodEnd").endswith("Z")
    assert told == {"plan": "free", "used": 8, "limit": 10, "percent": 80}


def test_a_warning_is_published_once_even_if_its_mail_has_to_be_tried_again(account, small, monkeypatch):
    told = []
    spend(account, 10)

    def broken(*_, **__):
        raise OSError("no mail server")

    with monkeypatch.context() as patch:
        patch.setattr(billing_mails.EmailMessage, "send", broken)
        assert billing_mails.warn_of_quotas(told.extend) == 0
    assert billing_mails.warn_of_quotas(told.extend) == 1
    assert len(told) == 1


def test_room_that_was_made_is_warned_of_again(account, small):
    spend(account, 10)
    billing_mails.warn_of_quotas()
    entitlement.adjust(account.pk, messages=90, reason="gift", actor="op")
    spend(account, 75)
    told = []
    billing_mails.warn_of_quotas(told.extend)
    assert [one.percent for one in told] == [80]


# --- add-ons


def buy(stripe, account, code):
    """Buy an add-on; its events are not carried."""
    page = checkout.begin_add_on(account, code)
    stripe.do(stripe.world.pay, stripe.session_of(page.url))


def test_extra_messages_count_at_once_add_up_and_are_given_once(stripe, account, small):
    spend(account, 10)
    buy(stripe, account, "messages_1000")
    buy(stripe, account, "messages_5000")
    for _ in range(2):
        stripe.carry([{**event, "id": f"{event['id']}_{_}"} for event in stripe.events])
    assert quota.usage(account.pk).limit == 6_010
    spend(account, 6_000)
    shown = api(account).get("/billing/usage").json()["data"]
    assert shown["messages"] == {"used": 6_010, "limit": 6_010, "remaining": 0, "extra": 6_000}
    assert [one["addOn"] for one in shown["addOns"]] == ["messages_1000", "messages_5000"]


def test_add_ons_end_with_the_billing_period(stripe, account, small):
    buy(stripe, account, "messages_1000")
    stripe.carry()
    spend(account, 11)
    assert AddOn.objects.get().ends_at == quota.usage(account.pk).ends_at
    ended = timezone.now() - timedelta(seconds=1)
    for table in (AddOn, QuotaPeriod):
        table.objects.update(starts_at=ended - timedelta(days=9), ends_at=ended)
    QuotaPeriod.objects.get().slots.update(ends_at=ended)
    assert quota.usage(account.pk).limit == 10


def test_what_was_bought_is_not_lost_by_subscribing(stripe, account, small):
    buy(stripe, account, "messages_1000")
    stripe.carry()
    spend(account, 1)
    QuotaPeriod.objects.update(starts_at=timezone.now() - timedelta(days=9))
    stripe.subscribe(account, "basic")
    stripe.carry()
    assert quota.usage(account.pk).limit == 1_020


def test_an_unpaid_or_foreign_checkout_gives_nothing(stripe, account, small):
    page = checkout.begin_add_on(account, "messages_1000")
    session = stripe.world.tables["sessions"][stripe.session_of(page.url)]
    stripe.do(stripe.world.emit, "checkout.session.completed", session)
    stripe.carry()
    assert not AddOn.objects.exists()


def test_a_paid_checkout_whose_event_was_lost_is_found_at_night(stripe, account, small):
    buy(stripe, account, "messages_1000")
    subscriptions.reconcile()
    assert quota.usage(account.pk).limit == 1_010


def another_agent(account):
    """Add an agent as a view does."""
    with overview.room_for_agent(account):
        return Agent.objects.create(account=account, name="Another")


def test_one_more_agent_may_be_bought(stripe, account):
    with pytest.raises(Refusal, match="Your plan has 1 agent"):
        another_agent(account)
    buy(stripe, account, "agent")
    stripe.carry()
    another_agent(account)
    with pytest.raises(Refusal):
        another_agent(account)
    shown = api(account).get("/billing/usage").json()["data"]
    assert shown["agents"] == {"used": 2, "limit": 2}


def test_the_api_of_agents_keeps_to_the_plan():
    customer = make_customer(plan="pro")
    client = customer.api("*")
    for number in range(9):
        assert client.post_json(AGENTS, {"name": f"Branch {number}"}).status_code == 201
    answer = client.post_json(AGENTS, {"name": "One too many"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "plan_not_eligible"
    assert "Your plan has 10 agents" in answer.json()["error"]["message"]


def test_a_plan_has_so_many_webhook_endpoints(account, stripe):
    client = api(account)
    given = {"url": "https://hooks.example.com/a"}
    assert client.post_json("/webhook-endpoints", given).status_code == 201
    answer = client.post_json("/webhook-endpoints", given)
    assert answer.status_code == 403
    assert "Your plan has 1 webhook endpoint." in answer.json()["error"]
    stripe.subscribe(account, "basic")
    stripe.carry()
    assert client.post_json("/webhook-endpoints", given).status_code == 201


def test_a_refund_takes_the_add_on_back(stripe, account, small):
    buy(stripe, account, "messages_1000")
    stripe.carry()
    charge = next(iter(stripe.world.tables["charges"]))
    stripe.do(stripe.world.refund, charge)
    stripe.carry(stripe.events[-1:])
    assert quota.usage(account.pk).limit == 10
    assert AddOn.objects.get().revoked_at is not None


@pytest.mark.parametrize("how", ["refunded", "disputed and lost"])
def test_money_that_went_back_buys_nothing_in_whichever_order_it_is_told(stripe, account, small, how):
    """The checkout's own event comes last, or is lost and the checkout found at night."""
    buy(stripe, account, "messages_1000")
    charge = next(iter(stripe.world.tables["charges"]))
    if how == "refunded":
        stripe.do(stripe.world.refund, charge)
    else:
        found = stripe.do(stripe.world.dispute, charge)
        stripe.do(stripe.world.close_dispute, found["id"], "lost")
    later = [event for event in stripe.events if event["type"] == "checkout.session.completed"]
    stripe.carry([event for event in stripe.events if event not in later])
    stripe.carry(later)
    subscriptions.reconcile()
    assert not AddOn.objects.exists()
    assert quota.usage(account.pk).limit == 10


# --- disputes


def dispute(stripe, account):
    """Let the bank take the account's first payment back."""
    stripe.subscribe(account)
    charge = next(iter(stripe.world.tables["charges"]))
    found = stripe.do(stripe.world.dispute, charge)
    stripe.carry()
    return found


def test_an_open_dispute_takes_nothing_away_but_sells_nothing_more(stripe, account, plan_of):
    found = dispute(stripe, account)
    assert plan_of(account) == "pro"
    answer = api(account).post_json("/billing/checkout", {"addOn": "agent"})
    assert answer.status_code == 409
    stripe.do(stripe.world.close_dispute, found["id"], "won")
    stripe.carry(stripe.events[-1:])
    assert api(account).post_json("/billing/checkout", {"addOn": "agent"}).status_code == 200
    assert plan_of(account) == "pro"


def test_a_lost_dispute_ends_the_paid_plan_until_an_operator_makes_peace(stripe, account, plan_of):
    found = dispute(stripe, account)
    stripe.do(stripe.world.close_dispute, found["id"], "lost")
    stripe.carry(stripe.events[-1:])
    assert plan_of(account) == "free"
    assert entitlement.make_peace(Dispute.objects.get(), actor="op")
    assert not entitlement.make_peace(Dispute.objects.get(), actor="op")
    assert plan_of(account) == "pro"


def test_a_lost_dispute_about_an_add_on_takes_it_back(stripe, account, small):
    buy(stripe, account, "messages_1000")
    stripe.carry()
    found = stripe.do(stripe.world.dispute, next(iter(stripe.world.tables["charges"])))
    stripe.do(stripe.world.close_dispute, found["id"], "lost")
    stripe.carry()
    assert quota.usage(account.pk).limit == 10


# --- operators


def test_an_override_wins_over_stripe_until_it_ends(stripe, account, plan_of):
    until = timezone.now() + timedelta(days=1)
    entitlement.override(account.pk, plan="enterprise", reason="pilot", until=until, actor="op@example.com")
    stripe.subscribe(account, "basic")
    stripe.carry()
    assert plan_of(account) == "enterprise"
    Customer.objects.update(override_until=timezone.now() - timedelta(seconds=1))
    assert entitlement.end_overrides() == 1
    assert entitlement.end_overrides() == 0
    assert plan_of(account) == "basic"
    entries = AuditEvent.objects.filter(account=account).order_by("at", "id").values_list("action", "actor")
    assert ("plan_override", "op@example.com") in entries
    assert ("plan_override_ended", "hermod") in entries


@pytest.mark.parametrize(
    "wrong",
    [
        {"plan": "gold"},
        {"reason": "  "},
        {"until": timezone.now() - timedelta(days=1)},
    ],
)
def test_an_override_needs_a_plan_a_reason_and_a_future(account, plan_of, wrong):
    given = {"plan": "pro", "reason": "pilot", "until": None, "actor": "op"} | wrong
    with pytest.raises(Invalid):
        entitlement.override(account.pk, **given)
    assert plan_of(account) == "free"


@pytest.mark.parametrize("wrong", [{"messages": 0}, {"reason": ""}])
def test_an_adjustment_needs_a_number_and_a_reason(account, wrong):
    with pytest.raises(Invalid):
        entitlement.adjust(account.pk, **({"messages": 1, "reason": "x", "actor": "op"} | wrong))


def test_a_fresh_account_sees_its_plan_and_nothing_used(account):
    shown = api(account).get("/billing/usage").json()["data"]
    assert shown["plan"] == "free"
    assert shown["messages"]["used"] == 0
    assert shown["messages"]["remaining"] == shown["messages"]["limit"]
    assert shown["subscription"] is None
    assert shown["notice"] is None
    assert shown["addOns"] == []


def test_usage_takes_the_same_queries_however_much_was_bought(
    stripe, account, small, django_assert_max_num_queries
):
    spend(account, 1)
    for _ in range(3):
        buy(stripe, account, "messages_1000")
    stripe.carry()
    client = api(account)
    with django_assert_max_num_queries(14):
        assert client.get("/billing/usage").status_code == 200


def test_a_strangers_usage_is_never_mixed_in(stripe, account, small):
    other = make_account("free")
    buy(stripe, other, "messages_1000")
    spend(other, 3)
    stripe.carry()
    shown = api(account).get("/billing/usage").json()["data"]
    assert shown["messages"]["used"] == 0
    assert shown["addOns"] == []


def test_a_deleted_customers_own_settlement_needs_no_stripe(stripe, account):
    stripe.world.fault = 500
    with pytest.raises(stripe_api.Unavailable):
        stripe_api.all_subscriptions()
    entitlement.override(account.pk, plan="pro", reason="pilot", until=None, actor="op")
