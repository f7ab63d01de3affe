"""`timeline.record` and `mark` on real rows: once, in order, without deadlocks, counted once."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Account
from messaging.models import Message, MessageEvent, Status
from messaging.status.timeline import Change, Failure, mark, record
from tests.support.meta import (
    learnt,
    make_due,
    row,
    status_of,
    together,
)
from tests.support.waiting import eventually

TOKEN = 5
DAY = timedelta(days=1)


def claimed(number, count=1, *, lease=60, **fields) -> list[Message]:
    """Rows as the claim leaves them."""
    due = timezone.now() + timedelta(seconds=lease)
    return make_due(number, count, **{"lease_token": TOKEN, "due_at": due, **fields})


def sent(message, **fields) -> Change:
    return Change(message.pk, Status.SENT, **{"wamid": f"wamid.{message.pk}", **fields})


def count_of(account) -> int:
    return Account.objects.get(pk=account.pk).messages_sent


# --- the same thing, at once


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED, Status.READ])
def test_five_threads_with_the_same_callback_change_one_thing_once(number, status):
    message = claimed(number, status=Status.SUBMITTING)[0]
    change = Change(message.pk, status, at=timezone.now(), wamid="wamid.1")
    results = together(5, lambda _: record([change]))
    assert sum(len(one.moved) for one in results) == 1
    assert sum(one.ignored for one in results) == 4
    assert learnt(message) == ["queued", status]
    assert count_of(number.account) == 1


@pytest.mark.django_db(transaction=True)
def test_five_threads_with_the_same_late_status_add_one_entry(number):
    message = claimed(number, status=Status.SUBMITTING)[0]
    now = timezone.now()
    record([Change(message.pk, Status.READ, at=now, wamid="wamid.1")])
    late = Change(message.pk, Status.DELIVERED, at=now - timedelta(seconds=1), wamid="wamid.1")
    together(5, lambda _: record([late]))
    assert learnt(message) == ["queued", "read", "delivered"]
    assert row(message).sequence == 3


@pytest.mark.django_db(transaction=True)
def test_batches_in_opposite_order_do_not_wait_for_each_other_in_a_circle(number, charlie):
    from tests.factories import connect

    other = connect(charlie)
    messages = claimed(number, 25, status=Status.SUBMITTING) + claimed(other, 25, status=Status.SUBMITTING)
    chain = [Status.SENT, Status.DELIVERED, Status.READ]

    def work(index):
        ordered = messages if index % 2 else messages[::-1]
        for status in chain:
            record([Change(one.pk, status, at=timezone.now(), wamid=f"w.{one.pk}") for one in ordered])
            mark([(one.pk, TOKEN) for one in ordered[::-1]], needed=1)

    together(4, work)
    assert set(Message.objects.values_list("status", flat=True)) == {"read"}
    assert (count_of(number.account), count_of(charlie)) == (25, 25)
    assert {tuple(learnt(one)) for one in messages} == {("queued", "sent", "delivered", "read")}


@pytest.mark.django_db(transaction=True)
def test_different_statuses_at_once_give_each_entry_its_own_number(number):
    message = claimed(number, status=Status.SUBMITTING)[0]
    now = timezone.now()
    chain = [Status.SENT, Status.DELIVERED, Status.READ]
    together(
        9,
        lambda index: record([Change(message.pk, chain[index % 3], at=now + timedelta(seconds=index % 3))]),
    )
    sequences = list(message.events.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(1, len(sequences) + 1))
    final = row(message)
    assert (final.status, final.sequence) == ("read", sequences[-1])
    assert len(learnt(message)) == len(set(learnt(message)))


# --- one batch


@pytest.mark.django_db
def test_several_changes_of_one_message_are_applied_in_the_order_given(number):
    message = claimed(number, status=Status.SUBMITTING)[0]
    at = timezone.now()
    done = record(
        [
            sent(message),
            Change(message.pk, Status.READ, at=at),
            Change(message.pk, Status.DELIVERED, at=at - timedelta(seconds=1)),
            Change(message.pk, Status.READ, at=at),
        ]
    )
    assert done.moved == [(message.pk, Status.SENT), (message.pk, Status.READ)]
    assert learnt(message)[:3] == ["queued", "sent", "read"]
    assert status_of(message) == "read"
    assert row(message).sequence == len(learnt(message))


@pytest.mark.django_db
def test_a_redelivered_late_status_does_not_leave_a_hole_in_the_numbers(number):
    message = claimed(number, status=Status.SUBMITTING)[0]
    at = timezone.now()
    late = Change(message.pk, Status.SENT, at=at - timedelta(seconds=9))
    record([Change(message.pk, Status.DELIVERED, at=at), late])
    record([late, late, Change(message.pk, Status.READ, at=at)])
    assert learnt(message) == ["queued", "delivered", "sent", "read"]
    assert row(message).sequence == 4


@pytest.mark.django_db
def test_a_message_that_does_not_exist_is_reported_and_the_others_are_recorded(number):
    message = claimed(number, status=Status.SUBMITTING)[0]
    nobody = Change(uuid.uuid4(), Status.SENT)
    done = record([nobody, sent(message)])
    assert done.missing == [nobody]
    assert done.moved == [(message.pk, Status.SENT)]
    assert record([nobody]).missing == [nobody]
    assert record([]).moved == []


@pytest.mark.django_db
def test_what_meta_said_is_kept_with_the_failure(number):
    message = claimed(number, status=Status.SUBMITTING)[0]
    detail = {"title": "T", "details": "D", "fbtrace_id": "A1", "http_status": 400}
    failure = Failure("recipient_not_allowed", "Add the number.", 131030, detail)
    record([Change(message.pk, Status.FAILED, token=TOKEN, failure=failure)])
    final = row(message)
    assert (final.status, final.failure, final.error_code) == ("failed", "recipient_not_allowed", 131030)
    assert (final.error_message, final.error_detail) == ("Add the number.", detail)
    assert final.failed_at is not None and final.due_at is None
    event = MessageEvent.objects.get(message=message, status="failed")
    assert event.detail == {
        "code": 131030,
        "failure": "recipient_not_allowed",
        "message": "Add the number.",
    }


@pytest.mark.django_db
def test_the_timeline_keeps_when_it_happened_and_when_we_learnt_it(number):
    message = claimed(number, status=Status.SUBMITTING, created_at=timezone.now() - DAY)[0]
    happened = timezone.now() - timedelta(hours=2)
    record([Change(message.pk, Status.SENT, at=happened)])
    event = MessageEvent.objects.get(message=message, status="sent")
    assert event.at == happened == row(message).sent_at
    assert event.recorded_at > happened


# --- the account's counter


@pytest.mark.django_db
def test_a_message_counts_once_however_often_it_is_reported(number):
    message = claimed(number, status=Status.SUBMITTING)[0]
    for status in (Status.SENT, Status.SENT, Status.DELIVERED, Status.READ, Status.SENT):
        record([Change(message.pk, status, at=timezone.now())])
    assert count_of(number.account) == 1


@pytest.mark.django_db
def test_a_refused_message_and_a_dry_run_do_not_count(number):
    refused, dry = claimed(number)[0], claimed(number, dry_run=True)[0]
    record([Change(refused.pk, Status.FAILED, token=TOKEN, failure=Failure("refused", "No."))])
    record([Change(dry.pk, Status.SENT), Change(dry.pk, Status.DELIVERED)])
    assert (status_of(refused), status_of(dry)) == ("failed", "delivered")
    assert count_of(number.account) == 0


@pytest.mark.django_db
def test_each_account_counts_its_own(number, charlie):
    from tests.factories import connect

    ours, theirs = claimed(number, 3), claimed(connect(charlie), 2)
    record([sent(one) for one in ours + theirs])
    assert (count_of(number.account), count_of(charlie)) == (3, 2)


@pytest.mark.django_db
def test_a_message_that_failed_at_meta_before_its_acceptance_was_recorded_counts_all_the_same(number):
    message = claimed(number, status=Status.SUBMITTING)[0]
    record([Change(message.pk, Status.FAILED, at=timezone.now(), failure=Failure("undeliverable", "No."))])
    record([sent(message, token=TOKEN)])
    assert (status_of(message), count_of(number.account)) == ("failed", 1)


# --- mark


def marked(*messages, token=TOKEN, needed=10.0):
    return mark([(one.pk, token) for one in messages], needed=needed)


@pytest.mark.django_db
@pytest.mark.parametrize("status", [Status.QUEUED, Status.RETRYING])
def test_mark_notes_the_call_that_is_about_to_be_made(number, status):
    message = claimed(number, status=status)[0]
    assert marked(message) == {message.pk}
    after = row(message)
    assert (after.status, after.attempts, after.sequence) == ("submitting", 1, 1)
    assert after.submitted_at is not None and after.due_at == message.due_at
    assert learnt(message) == ["queued"]


@pytest.mark.django_db
def test_mark_gives_a_scheduled_message_its_queued_entry(number):
    message = claimed(number, status=Status.SCHEDULED)[0]
    assert marked(message) == {message.pk}
    assert learnt(message) == ["scheduled", "queued"]
    assert row(message).sequence == 2
    record([sent(message, token=TOKEN)])
    assert learnt(message) == ["scheduled", "queued", "sent"]


@pytest.mark.django_db
def test_mark_refuses_a_stale_token(number):
    message = claimed(number)[0]
    assert marked(message, token=TOKEN - 1) == set()
    assert marked(message, token=TOKEN + 1) == set()
    assert status_of(message) == "queued"


@pytest.mark.django_db
def test_mark_refuses_a_lease_that_ends_too_soon(number):
    short, over, long = (claimed(number, lease=lease)[0] for lease in (9, -1, 60))
    assert marked(short, over, long, needed=10.0) == {long.pk}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "status",
    [
        *(Status.SUBMITTING, Status.UNKNOWN, Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED),
        *(Status.CANCELED, Status.RECEIVED),
    ],
)
def test_mark_leaves_alone_what_was_called_for_or_proven(number, status):
    message = claimed(number, status=status)[0]
    assert marked(message) == set()
    assert (status_of(message), row(message).attempts) == (status, 0)


@pytest.mark.django_db
def test_a_callback_between_claim_and_mark_prevents_the_call(number):
    message = claimed(number)[0]
    record([Change(message.pk, Status.SENT, at=timezone.now(), wamid="wamid.1")])
    assert marked(message) == set()


@pytest.mark.django_db
def test_mark_of_nothing_asks_nobody(number, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert mark([], needed=1.0) == set()


@pytest.mark.django_db(transaction=True)
def test_two_workers_cannot_both_mark_one_message(number):
    message = claimed(number)[0]
    results = together(4, lambda _: marked(message))
    assert sorted(map(len, results)) == [0, 0, 0, 1]
    assert eventually(lambda: row(message).attempts) == 1
