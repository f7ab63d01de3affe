"""The monthly quota: counted exactly once per accepted message, by nothing else, and never exceeded."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Account, ApiKey, AuditEvent
from billing import customers, entitlement, quota
from billing.models import QuotaPeriod, QuotaSlot
from billing.periods import around, month_later, month_of
from core.errors import Refusal
from messaging.models import Message
from tests.factories import api, connect, make_account, make_key
from tests.support.v1 import MESSAGES, make_customer

pytestmark = pytest.mark.django_db

TO = "14155552671"
TEXT = {"to": TO, "message": "Hello"}


@pytest.fixture
def small(settings):
    """Plans of which the free one has 10 messages."""
    settings.MONTHLY_MESSAGES = {"free": 10, "basic": 20, "pro": 8_000, "enterprise": 0}
    return settings.MONTHLY_MESSAGES


@pytest.fixture
def account(small) -> Account:
    """A free customer with a number."""
    made = make_account("free")
    connect(made)
    return made


def used(account: Account) -> int:
    """What the account has used of its quota."""
    return quota.usage(account.pk).used


def spend(account: Account, messages: int) -> None:
    """Use some of the quota."""
    with transaction.atomic():
        quota.charge(account.pk, messages)


def send(account: Account, body=None, **more):
    """Send with the account's key, which no rate limit stops."""
    key = make_key(account, rate_limit_per_minute=100_000)[1]
    return api(key).post_json("/send-message", body or TEXT, **more)


def test_an_accepted_message_is_counted_once(account):
    assert send(account).status_code == 202
    assert used(account) == 1


def test_a_message_more_than_the_plan_has_is_refused_and_leaves_nothing(account):
    spend(account, 10)
    answer = send(account)
    assert answer.status_code == 403
    assert "10 messages of this billing period are used up" in answer.json()["error"]
    assert "POST /billing/checkout" in answer.json()["error"]
    assert not Message.objects.exists()
    assert used(account) == 10


def test_the_refusal_tells_a_dialect_everything_it_may_show(account):
    spend(account, 8)
    with pytest.raises(Refusal) as refused:
        spend(account, 3)
    assert refused.value.code == "quota_exceeded"
    assert refused.value.extra["remaining"] == 2
    assert refused.value.extra["limit"] == 10
    assert refused.value.extra["resets_at"].endswith("T00:00:00Z")


def test_the_other_dialect_says_402_and_all_numbers(small):
    """J41."""
    customer = make_customer(plan="pro")
    spend(customer.account, 8_000)
    answer = customer.api().post_json(MESSAGES, customer.text(), HTTP_IDEMPOTENCY_KEY="one")
    assert answer.status_code == 402
    error = answer.json()["error"]
    assert (error["type"], error["code"]) == ("quota_error", "quota_exceeded")
    assert (error["limit"], error["used"], error["remaining"]) == (8_000, 8_000, 0)
    assert not Message.objects.exists()
    # A refusal does not use the key up (J31): after an upgrade the same request goes through.
    entitlement.override(customer.account.pk, plan="enterprise", reason="more", until=None, actor="op")
    again = customer.api().post_json(MESSAGES, customer.text(), HTTP_IDEMPOTENCY_KEY="one")
    assert again.status_code == 202
    assert used(customer.account) == 8_001


def test_nothing_but_acceptance_is_charged(account):
    """Refusals, replays, simulations, test keys and lookups are free."""
    key = make_key(account, rate_limit_per_minute=100_000)[1]
    client = api(key)
    first = client.post_json("/send-message", TEXT, HTTP_IDEMPOTENCY_KEY="one")
    assert first.status_code == 202
    for _ in range(3):
        again = client.post_json("/send-message", TEXT, HTTP_IDEMPOTENCY_KEY="one")
        assert again["Idempotency-Replayed"] == "true"
    assert client.post_json("/send-message", TEXT | {"to": "x"}).status_code == 400
    assert (
        client.post_json("/send-message", {**TEXT, "message": "x"}, HTTP_IDEMPOTENCY_KEY="one").status_code
        == 409
    )
    assert client.post_json("/send-message", {**TEXT, "dry_run": True}).status_code == 202
    test_key = make_key(account, kind=ApiKey.Kind.SK_TEST)[1]
    assert api(test_key).post_json("/send-message", TEXT).status_code == 202
    ident = first.json()["data"]["id"]
    assert client.get(f"/messages/{ident}").status_code == 200
    assert used(account) == 1


def test_a_bulk_request_is_charged_whole_or_not_at_all(small):
    account = make_account("basic")
    connect(account)
    people = [{"to": f"1415555{index:04d}", "message": "Hello"} for index in range(15)]
    client = api(account)
    assert client.post_json("/messages/bulk", {"messages": people}).status_code == 202
    answer = client.post_json("/messages/bulk", {"messages": people[:6]})
    assert answer.status_code == 403
    assert "6 messages and 5 of 20 are left" in answer.json()["error"]
    assert client.post_json("/messages/bulk", {"messages": people[:5]}).status_code == 202
    assert used(account) == 20


def test_people_who_opted_out_cost_nothing_in_a_bulk_request(small):
    account = make_account("basic")
    connect(account)
    client = api(account)
    client.post_json("/suppressions", {"to": TO})
    people = [TEXT, {**TEXT, "to": "14155550000"}]
    answer = client.post_json("/messages/bulk", {"messages": people})
    assert answer.json()["data"]["failedCount"] == 1
    assert used(account) == 1


def test_a_rollback_gives_back_what_it_took(account):
    with pytest.raises(RuntimeError), transaction.atomic():
        quota.charge(account.pk, 4)
        raise RuntimeError
    assert used(account) == 0


@pytest.mark.django_db(transaction=True)
def test_a_charge_outside_a_transaction_is_a_mistake_and_not_a_gift(account):
    with pytest.raises(AssertionError):
        quota.charge(account.pk, 1)


def test_an_account_without_a_limit_is_counted_all_the_same(small):
    account = make_account("enterprise")
    spend(account, 123_456)
    assert quota.usage(account.pk).limit is None
    assert used(account) == 123_456


def test_a_busy_account_is_dealt_slots_and_uses_the_last_message_of_them(small):
    account = make_account("pro")
    spend(account, 1)
    assert QuotaSlot.objects.filter(account=account).count() == quota.SLOTS
    spend(account, 7_990)  # larger than any share
    for _ in range(9):
        spend(account, 1)
    with pytest.raises(Refusal):
        spend(account, 1)
    assert used(account) == 8_000


def test_the_usual_charge_is_one_statement(small, django_assert_num_queries):
    account = make_account("pro")
    spend(account, 1)
    with transaction.atomic(), django_assert_num_queries(1):
        quota.charge(account.pk, 1)


def test_a_higher_limit_counts_for_the_next_request_and_a_lower_one_too(account):
    spend(account, 10)
    entitlement.override(account.pk, plan="basic", reason="trial", until=None, actor="op")
    spend(account, 10)
    entitlement.override(account.pk, plan="", reason="", until=None, actor="op")
    with pytest.raises(Refusal):
        spend(account, 1)
    assert quota.usage(account.pk).limit == 10
    assert used(account) == 20


def test_an_agreed_cap_replaces_the_plans_number(small):
    account = make_account("enterprise")
    entitlement.cap(account.pk, messages=3, actor="op")
    spend(account, 3)
    with pytest.raises(Refusal):
        spend(account, 1)
    entitlement.cap(account.pk, messages=None, actor="op")
    spend(account, 1)


def test_an_adjustment_adds_messages_until_it_is_taken_back(account):
    spend(account, 10)
    given = entitlement.adjust(account.pk, messages=2, reason="our outage", actor="op@example.com")
    spend(account, 2)
    assert entitlement.take_back(given, actor="op@example.com")
    assert not entitlement.take_back(given, actor="op@example.com")
    with pytest.raises(Refusal):
        spend(account, 1)
    actions = Counter(AuditEvent.objects.filter(account=account).values_list("action", "actor"))
    assert actions[("quota_adjusted", "op@example.com")] == 1
    assert actions[("quota_adjustment_undone", "op@example.com")] == 1


def test_a_new_period_begins_with_the_month_and_the_old_one_is_added_up(account):
    spend(account, 7)
    period = QuotaPeriod.objects.get(account=account)
    ended = timezone.now() - timedelta(hours=2)
    QuotaPeriod.objects.update(starts_at=ended - timedelta(days=30), ends_at=ended)
    QuotaSlot.objects.update(ends_at=ended)
    spend(account, 10)
    assert used(account) == 10
    assert quota.close_ended() == 1
    period.refresh_from_db()
    assert period.used == 7
    assert not period.slots.exists()


def test_months_are_calendar_months_and_anchors_survive_short_ones():
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    assert month_of(at("2026-12-31T23:59")) == (at("2026-12-01"), at("2027-01-01"))
    assert month_later(at("2027-01-31"), 31) == at("2027-02-28")
    assert around(at("2027-03-30"), at("2027-01-31"), at("2027-02-28")) == (
        at("2027-02-28"),
        at("2027-03-31"),
    )
    assert around(at("2027-02-01"), at("2027-01-31"), at("2027-02-28")) == (
        at("2027-01-31"),
        at("2027-02-28"),
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("limit", [100, 6_000], ids=["one slot", "sixteen slots"])
def test_of_200_parallel_sends_with_100_left_exactly_100_are_accepted(settings, limit):
    settings.MONTHLY_MESSAGES = {"free": limit, "basic": 1, "pro": 1, "enterprise": 0}
    account = make_account("free")
    connect(account)
    if limit > 100:
        spend(account, limit - 100)
    key = make_key(account, rate_limit_per_minute=100_000)[1]
    statuses: Counter[int] = Counter()
    start = threading.Barrier(20)

    def sender(number: int) -> None:
        client = api(key)
        start.wait(20)
        for index in range(10):
            answer = client.post_json("/send-message", {**TEXT, "to": f"1415{number:03d}{index:04d}"})
            statuses[answer.status_code] += 1
        connection.close()

    threads = [threading.Thread(target=sender, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert statuses == {202: 100, 403: 100}
    assert Message.objects.filter(account=account).count() == 100
    assert used(account) == limit


@pytest.mark.django_db(transaction=True)
def test_a_send_in_the_making_holds_up_no_other_of_its_account(small):
    """The reason for the slots: one open transaction must not queue up the account's other requests."""
    account = make_account("pro")
    spend(account, 1)
    holding, done = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            quota.charge(account.pk, 1)
            holding.set()
            done.wait(20)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert holding.wait(20)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = 500")
        quota.charge(account.pk, 1)
    done.set()
    thread.join(20)
    assert used(account) == 3


def test_two_accounts_share_nothing(account):
    other = make_account("free")
    spend(account, 10)
    spend(other, 10)
    assert used(account) == used(other) == 10


def test_the_first_touch_remembers_what_an_operator_gave(small):
    account = make_account("pro")
    assert customers.ensure(account.pk).granted_plan == "pro"


@pytest.mark.django_db(transaction=True)
def test_more_senders_than_slots_of_all_sizes_use_the_quota_up_and_never_lock_each_other_out(settings):
    """A slot found full after waiting for it is given back; kept, two such waits would be a deadlock."""
    settings.MONTHLY_MESSAGES = {"free": 6_000, "basic": 1, "pro": 1, "enterprise": 0}
    account = make_account("free")
    spend(account, 4_000)
    ended: Counter[str] = Counter()

    def sender(number: int) -> None:
        dice = random.Random(number)
        for _ in range(25):
            wanted = dice.choice([1, 1, 1, 5, 40])
            try:
                with transaction.atomic():
                    quota.charge(account.pk, wanted)
                    time.sleep(dice.random() * 0.002)
                    if dice.random() < 0.1:
                        raise InterruptedError
                ended["taken"] += wanted
            except Refusal:
                ended["refused"] += 1
            except InterruptedError:
                ended["rolled back"] += 1
        connection.close()

    threads = [threading.Thread(target=sender, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert ended["refused"] and ended["rolled back"]
    assert used(account) == 4_000 + ended["taken"]
    assert used(account) == 6_000
