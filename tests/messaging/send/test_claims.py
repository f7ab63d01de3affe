"""The claim: fair over numbers, lanes in order, each row once, slots by the rate, back after the lease."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Number
from config.ops import backlog
from messaging.models import Message, Status
from messaging.send import claims_sql
from messaging.send.claims import BULK_SHARE, HORIZON_SECONDS, claim, share
from tests import factories
from tests.support.meta import make_due, row, together
from tests.support.waiting import eventually

SINGLE, BULK, REPLY = Message.Lane.SINGLE, Message.Lane.BULK, Message.Lane.REPLY


def rate(number, per_second: float) -> Number:
    Number.objects.filter(pk=number.pk).update(messages_per_second=per_second)
    return number


def another(count: int = 1, per_second: float = 80.0) -> list[Number]:
    return [rate(factories.connect(factories.make_account()), per_second) for _ in range(count)]


def per_number(claims) -> dict[uuid.UUID, int]:
    found: dict[uuid.UUID, int] = {}
    for one in claims:
        found[one.number.id] = found.get(one.number.id, 0) + 1
    return found


# --- the share of each number


@given(
    wanted=st.dictionaries(st.uuids(), st.integers(0, 500), max_size=20),
    capacity=st.integers(0, 1000),
)
def test_the_share_is_fair(wanted, capacity):
    given = share(wanted, capacity)
    assert given.keys() == wanted.keys()
    assert all(0 <= given[one] <= wanted[one] for one in wanted)
    # Nothing is left lying while somebody could use it, and nothing is given that is not there.
    assert sum(given.values()) == min(capacity, sum(wanted.values()))
    # Whoever gets less than he wants gets as much as anybody else, but for the odd one.
    largest = max(given.values(), default=0)
    assert all(given[one] >= largest - 1 for one in wanted if given[one] < wanted[one])


def test_a_small_customer_gets_all_he_wants_beside_a_large_one():
    small, large = uuid.uuid4(), uuid.uuid4()
    assert share({large: 50_000, small: 10}, 100) == {small: 10, large: 90}


@pytest.mark.django_db
def test_a_campaign_does_not_keep_another_number_waiting(number):
    other = another()[0]
    make_due(number, 300)
    waiting = make_due(other, 5)
    claims = claim(20)
    assert per_number(claims) == {number.pk: 10, other.pk: 5}
    assert {one.id for one in claims} >= {one.pk for one in waiting}


@pytest.mark.django_db
def test_many_numbers_take_turns(number):
    numbers = [number, *another(9)]
    for one in numbers:
        make_due(one, 30)
    assert per_number(claim(50)) == {one.pk: 5 for one in numbers}


@pytest.mark.django_db
def test_the_oldest_of_a_number_go_first(number):
    messages = make_due(number, 30)
    assert {one.id for one in claim(10)} == {one.pk for one in messages[:10]}


# --- lanes


@pytest.mark.django_db
def test_single_messages_go_before_bulk_and_bulk_still_moves(number):
    bulk = {one.pk for one in make_due(number, 100, lane=BULK)}
    single = {one.pk for one in make_due(number, 100, lane=SINGLE)}
    claims = claim(1000)
    slots = round(HORIZON_SECONDS * 80)
    taken_single = [one for one in claims if one.id in single]
    taken_bulk = [one for one in claims if one.id in bulk]
    assert (len(taken_single), len(taken_bulk)) == (slots, round(slots * BULK_SHARE))
    # Within the number, singles have the earlier slots.
    assert max(one.wait for one in taken_single) < min(one.wait for one in taken_bulk)


@pytest.mark.django_db
def test_bulk_has_the_whole_rate_when_nothing_else_waits(number):
    make_due(number, 100, lane=BULK)
    assert len(claim(1000)) == round(HORIZON_SECONDS * 80)


@pytest.mark.django_db
def test_replies_and_codes_go_before_everything(number):
    make_due(number, 50, lane=BULK)
    make_due(number, 50, lane=SINGLE)
    first = {one.pk for one in make_due(number, 8, lane=REPLY)}
    claims = sorted(claim(1000), key=lambda one: one.wait)
    assert {one.id for one in claims[:8]} == first


# --- once each


@pytest.mark.django_db(transaction=True)
def test_two_workers_claim_each_row_once(number):
    numbers = [rate(number, 4000), *another(7, per_second=4000)]
    for one in numbers:
        make_due(one, 40)

    def work(_):
        mine = []
        for _turn in range(200):
            mine += claim(30)
            if not Message.objects.filter(lease_token=0).exists():
                return mine
        raise AssertionError("rows are left")

    first, second = together(2, work)
    assert first and second
    assert len({one.id for one in first + second}) == len(first + second) == 320
    assert set(Message.objects.values_list("lease_token", "crashes")) == {(1, 1)}


@pytest.mark.django_db(transaction=True)
def test_a_claim_under_way_does_not_hold_up_another(number):
    other = another()[0]
    make_due(number, 5)
    make_due(other, 5)
    with transaction.atomic():
        mine = claim(5)  # not committed while the other worker claims
        (theirs,) = together(1, lambda _: claim(100))
    assert len(mine) == 5
    assert not {one.id for one in mine} & {one.id for one in theirs}


@pytest.mark.django_db(transaction=True)
def test_a_number_is_served_by_one_claim_at_a_time(number):
    # Otherwise both would give out the same slots.
    make_due(number, 20)
    with transaction.atomic():
        assert len(claim(5)) == 5
        (theirs,) = together(1, lambda _: claim(100))
    assert theirs == []


# --- the lease


@pytest.mark.django_db(transaction=True)
def test_a_row_that_was_not_marked_is_due_again_after_its_lease(number, settings):
    settings.SEND_LEASE_SECONDS = 0.4
    message = make_due(number)[0]
    (first,) = claim(10)
    assert (first.token, first.crashes, first.status) == (1, 1, Status.QUEUED)
    (second,) = eventually(lambda: claim(10), 5)
    assert (second.id, second.token, second.crashes) == (message.pk, 2, 2)


@pytest.mark.django_db
def test_a_leased_row_is_nobody_elses(number):
    make_due(number, 3)
    assert len(claim(10)) == 3
    Number.objects.update(next_slot_at=None)
    assert claim(10) == []


@pytest.mark.django_db
def test_the_lease_is_counted_by_the_databases_clock(number, settings):
    settings.SEND_LEASE_SECONDS = 30
    message = make_due(number)[0]
    claim(1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
    assert row(message).due_at == now + timedelta(seconds=30)


@pytest.mark.django_db
def test_what_is_due_later_waits(number):
    make_due(number, 2, due_at=timezone.now() + timedelta(minutes=1), status=Status.SCHEDULED)
    make_due(number, 2, due_at=None, status=Status.SENT)
    assert claim(10) == []


# --- which numbers may send


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"status": Number.Status.HELD},
        {"paused_until": timezone.now() + timedelta(hours=1)},
        {"next_slot_at": timezone.now() + timedelta(hours=1)},
    ],
    ids=["held", "paused", "slots given out"],
)
def test_a_number_that_may_not_send_now_is_passed_over(number, fields):
    other = another()[0]
    make_due(number, 5)
    make_due(other, 5)
    Number.objects.filter(pk=number.pk).update(**fields)
    assert per_number(claim(100)) == {other.pk: 5}
    assert set(Message.objects.filter(connection=number).values_list("lease_token", flat=True)) == {0}


@pytest.mark.django_db
def test_a_pause_that_is_over_is_none(number):
    make_due(number, 5)
    Number.objects.update(paused_until=timezone.now() - timedelta(minutes=1))
    assert len(claim(100)) == 5


@pytest.mark.django_db
def test_the_claim_says_what_the_engine_needs_to_know(number):
    made = make_due(
        number,
        recipient="14155552671",
        correlation_id="req-1",
        attempts=2,
        expires_at=timezone.now() + timedelta(seconds=600),
        submitted_at=timezone.now() - timedelta(seconds=60),
    )[0]
    (one,) = claim(1)
    assert (one.id, one.recipient, one.correlation_id, one.attempts) == (made.pk, "14155552671", "req-1", 2)
    assert one.content == {"type": "text", "text": {"body": "Hello"}}
    assert one.account_id == number.account_id
    assert one.number.phone_number_id == number.phone_number_id
    assert one.number.access_token_sealed == number.access_token_sealed
    assert not one.number.removed
    # The transaction's clock stood still when the test began.
    assert (one.left, one.submitted_ago) == pytest.approx((600, 60), abs=30)


# --- pace


@pytest.mark.django_db
def test_slots_are_spaced_by_the_rate_and_reserved_across_claims(number):
    # All in one transaction: the database's clock stands still.
    rate(number, 40)
    make_due(number, 100)
    first, second, third = claim(4), claim(4), claim(100)
    waits = [one.wait for one in sorted(first + second + third, key=lambda one: one.wait)]
    assert waits == pytest.approx([position / 40 for position in range(10)])
    assert max(one.wait for one in first) < min(one.wait for one in second)
    assert claim(100) == []  # the next quarter of a second is given out
    number.refresh_from_db()
    assert number.next_slot_at is not None


@pytest.mark.django_db
def test_a_slow_number_gets_one_at_a_time(number):
    rate(number, 0.5)
    make_due(number, 10)
    assert len(claim(100)) == 1
    assert claim(100) == []


@pytest.mark.django_db(transaction=True)
def test_two_workers_together_keep_to_the_rate(number):
    rate(number, 40)
    make_due(number, 100)

    def work(_):
        return [one for _turn in range(20) for one in claim(3)]

    claims = [one for mine in together(2, work) for one in mine]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM next_slot_at - now())::float FROM accounts_connection WHERE id = %s",
            [number.pk],
        )
        (ahead,) = cursor.fetchone()
    # However long it took: what was given out reaches no further than the horizon and one slot.
    assert ahead <= HORIZON_SECONDS + 3 / 40
    assert len(claims) >= 10


@pytest.mark.django_db
def test_dry_runs_take_no_slots(number):
    make_due(number, 5, dry_run=True)
    assert len(claim(100)) == 5
    number.refresh_from_db()
    assert number.next_slot_at is None


@pytest.mark.django_db
def test_dry_runs_without_a_number_are_claimed(alice):
    made = make_due(None, 3, account=alice, dry_run=True)
    claims = claim(100)
    assert {one.id for one in claims} == {one.pk for one in made}
    assert all(one.number is None and one.wait == 0 for one in claims)


@pytest.mark.django_db
def test_the_capacity_bounds_what_has_no_number(alice):
    make_due(None, 30, account=alice, dry_run=True)
    assert len(claim(7)) == 7


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [0, 1, 2, 30])
def test_the_capacity_bounds_also_while_the_planner_thinks_the_table_is_tiny(alice, known):
    # With statistics of one row Postgres may run a subquery again for each row of an outer loop.
    make_due(None, known, account=alice, dry_run=True)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_message")
    make_due(None, 30, account=alice, dry_run=True)
    assert len(claim(7)) == 7


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [0, 1, 2, 30])
def test_the_share_bounds_also_while_the_planner_thinks_the_table_is_tiny(number, known):
    make_due(number, known, due_at=None)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_message, accounts_connection")
    make_due(number, 30)
    assert len(claim(7)) == 7


# --- cost


@pytest.mark.django_db
def test_a_large_claim_costs_as_many_statements_as_a_small_one(number):
    rate(number, 10_000)
    make_due(number, 1)
    with CaptureQueriesContext(connection) as small:
        assert len(claim(1000)) == 1
    Number.objects.update(next_slot_at=None)
    make_due(number, 500)
    with CaptureQueriesContext(connection) as large:
        assert len(claim(1000)) == 500
    assert len(large) == len(small)


@pytest.mark.django_db
def test_an_idle_claim_costs_next_to_nothing(number):
    make_due(number, 50, due_at=None, status=Status.READ)
    with CaptureQueriesContext(connection) as idle:
        assert claim(100) == []
    selects = [one["sql"] for one in idle if "SAVEPOINT" not in one["sql"]]
    assert len(selects) <= 2


# --- what a claim reads


def plan_beside_a_long_queue(explain: str, values: list | None = None) -> str:
    """Return the plan for a table in which one number has 3,000 due rows and another has one."""
    busy, quiet = another(2)
    make_due(busy, 3_000)
    make_due(quiet, 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE messaging_message")
        cursor.execute(explain, values)
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.django_db
def test_a_long_queue_of_one_number_makes_no_claim_read_the_table():
    plan = plan_beside_a_long_queue("EXPLAIN (COSTS off) " + claims_sql.NUMBERS, [0.03, HORIZON_SECONDS, 100])
    assert "message_due" in plan
    assert "Seq Scan on messaging_message" not in plan, plan


@pytest.mark.django_db
def test_asking_how_long_the_queue_waits_reads_no_queue():
    plan = plan_beside_a_long_queue(
        "EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT " + backlog.OLDEST_MESSAGE
    )
    read = [int(rows) for rows in re.findall(r"messaging_message.*rows=(\d+)", plan)]
    assert read and max(read) <= 1, plan
