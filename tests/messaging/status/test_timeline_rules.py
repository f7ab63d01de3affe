"""`timeline.advance` as a table: whatever the order of callbacks and answers, a message only goes forward."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.models import Status
from messaging.status.timeline import Change, Failure, Row, advance

ID = uuid.UUID(int=7)
CREATED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOW = CREATED + timedelta(minutes=5)
RANK = {Status.SENT: 1, Status.FAILED: 2, Status.DELIVERED: 3, Status.READ: 4}
CONCLUDED = ("outcome_unknown", "expired", "poison")

#: when Meta says each status happened
AT = {
    Status.SENT: CREATED + timedelta(seconds=1),
    Status.DELIVERED: CREATED + timedelta(seconds=2),
    Status.READ: CREATED + timedelta(seconds=3),
    Status.FAILED: CREATED + timedelta(seconds=4),
}
SAID = tuple(AT)


START = {
    "id": ID,
    "account_id": ID,
    "dry_run": False,
    "sequence": 1,
    "lease_token": 3,
    "attempts": 1,
    "crashes": 1,
    "due_at": NOW,
    "submitted_at": CREATED,
    "failure": "",
    "created_at": CREATED,
}


def a_row(status: Status = Status.SUBMITTING, **changed) -> Row:
    """A message whose call is being made; nothing else is known of it."""
    empty = dict.fromkeys(field.name for field in fields(Row))
    return Row(**empty | START | {"status": status} | changed)


def said(status: Status, **more) -> Change:
    """A callback of Meta's."""
    failure = Failure("undeliverable", "No.", 131026) if status == Status.FAILED else None
    return Change(ID, status, **{"at": AT[status], "wamid": "wamid.1", "failure": failure, **more})


def rank(row: Row) -> int:
    return RANK.get(row.status, 0)


def is_ordered(row: Row) -> bool:
    times = [at for at in (row.sent_at, row.delivered_at, row.read_at) if at is not None]
    return times == sorted(times) and all(at >= row.created_at for at in times)


def play(row: Row, changes) -> Row:
    """Apply changes one after the other; the status must never go back on the way."""
    for change in changes:
        step = advance(row, change, NOW)
        if step is None:
            continue
        assert rank(step.row) >= rank(row), f"{row.status} went back to {step.row.status}"
        assert step.moved == (step.row.status != row.status)
        row = step.row
    return row


def doubled(order):
    """Every way of getting each callback of ``order`` once or twice in a row."""
    for copies in itertools.product((1, 2), repeat=len(order)):
        yield [one for one, count in zip(order, copies, strict=True) for _ in range(count)]


# What is known of a message when these callbacks have come, in whatever order.
S, D, R, F = SAID
ENDS = {
    (S,): S,
    (D,): D,
    (R,): R,
    (F,): F,
    (S, D): D,
    (S, R): R,
    (S, F): F,  # a failure wins over sent
    (D, R): R,
    (D, F): D,  # and loses to a delivery, also when it came first
    (R, F): R,
    (S, D, R): R,
    (S, D, F): D,
    (S, R, F): R,
    (D, R, F): R,
    (S, D, R, F): R,
}


@pytest.mark.parametrize("heard", ENDS, ids=lambda heard: "+".join(heard))
def test_every_order_of_the_same_callbacks_ends_the_same(heard):
    sequences = 0
    for order in itertools.permutations(heard):
        for sequence in doubled(order):
            end = play(a_row(), map(said, sequence))
            assert end.status == ENDS[heard], sequence
            sequences += 1
    if len(heard) == 4:
        assert sequences == 384


@pytest.mark.parametrize("order", list(itertools.permutations(SAID)), ids="-".join)
def test_the_times_are_in_order_after_every_callback(order):
    row = a_row()
    for status in order:
        row = play(row, [said(status)])
        assert is_ordered(row), (status, row.sent_at, row.delivered_at, row.read_at)


@pytest.mark.parametrize("order", list(itertools.permutations((S, D, R))), ids="-".join)
def test_a_late_status_fills_in_its_own_time(order):
    end = play(a_row(), map(said, order))
    assert (end.sent_at, end.delivered_at, end.read_at) == (AT[S], AT[D], AT[R])


def test_read_alone_implies_sent_and_delivered():
    end = play(a_row(), [said(R)])
    assert end.sent_at == end.delivered_at == end.read_at == AT[R]
    assert end.due_at is None


def test_a_late_delivery_with_a_later_clock_does_not_overtake_read():
    end = play(a_row(), [said(R), said(D, at=AT[R] + timedelta(seconds=30))])
    assert end.status == R
    assert end.delivered_at == AT[R]


def test_whole_seconds_of_meta_do_not_make_a_delivery_older_than_its_sending():
    accepted = advance(a_row(), Change(ID, S, token=3, wamid="wamid.1"), NOW).row
    end = play(accepted, [said(D, at=NOW - timedelta(seconds=1)), said(R, at=NOW - timedelta(seconds=1))])
    assert end.sent_at == end.delivered_at == end.read_at == NOW


def test_a_status_from_before_the_message_existed_counts_from_its_creation():
    end = play(a_row(), [said(S, at=CREATED - timedelta(days=3))])
    assert end.sent_at == CREATED


def test_a_delivery_undoes_a_failure_and_everything_said_of_it():
    failed = play(a_row(), [said(F)])
    assert (failed.failure, failed.error_code, failed.failed_at) == ("undeliverable", 131026, AT[F])
    end = play(failed, [said(D)])
    assert (end.failure, end.error_code, end.error_message, end.error_detail, end.failed_at) == (
        "",
        None,
        None,
        None,
        None,
    )


def test_a_late_sent_after_a_failure_keeps_the_failure_and_fills_in_its_own_time():
    # Meta had accepted the message, so it counts as sent however it ended (messages_sent, sent_at).
    end = play(a_row(), [said(F), said(S)])
    assert (end.status, end.failure) == (F, "undeliverable")
    assert end.sent_at == AT[S]
    assert end.wamid == "wamid.1"


@pytest.mark.parametrize("status", [S, D, R, F])
def test_the_same_callback_again_says_nothing_new(status):
    once = play(a_row(), [said(status)])
    again = advance(once, said(status), NOW)
    assert again is None or (again.row == once and not again.moved and again.entry is None)


def test_a_doubled_callback_that_brings_the_price_later_adds_only_the_price():
    once = play(a_row(), [said(S, wamid=None)])
    step = advance(once, said(S, pricing={"billable": True}), NOW)
    assert (step.entry, step.moved) == (None, False)
    assert (step.row.pricing, step.row.wamid) == ({"billable": True}, "wamid.1")


def test_the_first_wamid_stays():
    end = play(a_row(), [said(S), said(D, wamid="wamid.2")])
    assert end.wamid == "wamid.1"


def test_an_inbound_message_has_no_delivery():
    assert advance(a_row(Status.RECEIVED), said(R), NOW) is None
    assert advance(a_row(Status.RECEIVED), said(F), NOW) is None


# --- whose word counts: the lease token

OURS, STALE = 3, 2


@pytest.mark.parametrize(
    "status", [Status.SCHEDULED, Status.QUEUED, Status.RETRYING, Status.SUBMITTING, Status.UNKNOWN]
)
@pytest.mark.parametrize("wanted", [Status.FAILED, Status.RETRYING, Status.UNKNOWN])
def test_an_outcome_under_a_stale_token_is_ignored(status, wanted):
    change = Change(ID, wanted, token=STALE, delay=timedelta(seconds=9))
    assert advance(a_row(status), change, NOW) is None


@pytest.mark.parametrize("wanted", [Status.RETRYING, Status.UNKNOWN])
def test_an_outcome_that_is_no_proof_needs_a_token(wanted):
    assert advance(a_row(), Change(ID, wanted), NOW) is None


@pytest.mark.parametrize("status", [Status.QUEUED, Status.RETRYING, Status.SUBMITTING, Status.UNKNOWN])
def test_an_accepted_answer_counts_even_under_a_stale_token(status):
    step = advance(a_row(status), Change(ID, S, token=STALE, wamid="wamid.9"), NOW)
    assert (step.row.status, step.row.wamid, step.row.sent_at, step.row.due_at) == (S, "wamid.9", NOW, None)


@pytest.mark.parametrize("status", [S, D, R, F])
@pytest.mark.parametrize("wanted", [Status.FAILED, Status.RETRYING, Status.UNKNOWN])
def test_what_is_proven_is_not_undone_by_an_outcome_of_the_engine(status, wanted):
    proven = play(a_row(), [said(status)])
    change = Change(ID, wanted, token=OURS, delay=timedelta(0), failure=Failure("expired", "…"))
    assert advance(proven, change, NOW) is None


def test_an_unknown_outcome_waits_and_keeps_what_was_marked():
    step = advance(a_row(), Change(ID, Status.UNKNOWN, token=OURS, delay=timedelta(minutes=10)), NOW)
    assert step.row.due_at == NOW + timedelta(minutes=10)
    assert (step.row.submitted_at, step.row.attempts) == (CREATED, 1)
    assert step.entry is None  # customers see "processing" and no entry


def test_a_retry_is_due_after_its_delay_and_may_be_called_again():
    step = advance(a_row(), Change(ID, Status.RETRYING, token=OURS, delay=timedelta(seconds=8)), NOW)
    assert (step.row.due_at, step.row.submitted_at, step.row.attempts) == (
        NOW + timedelta(seconds=8),
        None,
        1,
    )
    assert (step.row.crashes, step.entry) == (0, Status.RETRYING)


def test_a_wait_for_reasons_of_pace_does_not_spend_the_attempt():
    change = Change(ID, Status.RETRYING, token=OURS, delay=timedelta(seconds=1), spent=False)
    assert advance(a_row(attempts=2), change, NOW).row.attempts == 1
    assert advance(a_row(attempts=0), change, NOW).row.attempts == 0


def test_a_long_wait_in_line_is_not_a_long_timeline():
    change = Change(ID, Status.RETRYING, token=OURS, delay=timedelta(seconds=1), spent=False)
    assert advance(a_row(sequence=1), change, NOW).entry == Status.RETRYING
    assert advance(a_row(sequence=9), change, NOW).entry is None


def test_a_claim_given_back_leaves_no_trace():
    queued = a_row(Status.QUEUED, attempts=0, submitted_at=None)
    change = Change(ID, Status.QUEUED, token=OURS, delay=timedelta(0), spent=False)
    step = advance(queued, change, NOW)
    assert step.row == replace(queued, due_at=NOW, crashes=0)
    assert (step.entry, step.moved) == (None, False)


# --- failures that were our own conclusion


@pytest.mark.parametrize("slug", CONCLUDED)
@pytest.mark.parametrize("proof", [S, D, R])
def test_proof_undoes_a_failure_that_we_only_concluded(slug, proof):
    change = Change(ID, Status.FAILED, token=OURS, failure=Failure(slug, "We gave up."))
    failed = advance(a_row(), change, NOW).row
    assert (failed.status, failed.failure, failed.due_at) == (F, slug, None)
    step = advance(failed, said(proof), NOW)
    assert (step.row.status, step.moved, step.entry) == (proof, True, proof)
    assert (step.row.failure, step.row.failed_at, step.row.error_message) == ("", None, None)


@pytest.mark.parametrize("slug", ["undeliverable", "no_credentials", "recipient_not_allowed"])
def test_sent_does_not_undo_a_failure_that_meta_told(slug):
    failed = play(a_row(), [said(F, failure=Failure(slug, "No."))])
    assert play(failed, [said(S)]).status == F


def test_a_failure_that_meta_tells_after_sent_counts():
    end = play(a_row(), [said(S), said(F)])
    assert (end.status, end.failed_at, end.sent_at) == (F, AT[F], AT[S])


def test_a_refusal_of_the_engine_does_not_follow_sent():
    # The callback was faster than the engine, whose answer belongs to another, refused, call.
    sent = play(a_row(), [said(S)])
    change = Change(ID, Status.FAILED, token=OURS, failure=Failure("refused", "No."))
    assert advance(sent, change, NOW) is None


# --- anything at all

_statuses = st.sampled_from([*SAID, Status.RETRYING, Status.UNKNOWN])
_changes = st.builds(
    lambda status, token, seconds, slug, spent: Change(
        ID,
        status,
        token=token if status not in (D, R) else None,
        at=CREATED + timedelta(seconds=seconds) if token is None else None,
        wamid="wamid.1" if status in (S, D, R) else None,
        delay=timedelta(seconds=abs(seconds)),
        failure=Failure(slug, "…") if status == F else None,
        spent=spent,
    ),
    _statuses,
    st.sampled_from([None, OURS, STALE]),
    st.integers(-1000, 1000),
    st.sampled_from(["undeliverable", *CONCLUDED]),
    st.booleans(),
)
_starts = st.sampled_from(
    [Status.SCHEDULED, Status.QUEUED, Status.RETRYING, Status.SUBMITTING, Status.UNKNOWN]
)


@given(start=_starts, changes=st.lists(_changes, max_size=12))
def test_no_sequence_of_events_makes_a_message_go_back(start, changes):
    row = a_row(start)
    for change in changes:
        step = advance(row, change, NOW)
        if step is None:
            continue
        undone = row.status == F and row.failure in CONCLUDED and change.status in (S, D, R)
        assert undone or rank(step.row) >= rank(row)
        row = step.row
        assert (row.due_at is None) == (rank(row) > 0)  # finished rows are not work, others are
        assert (row.status == F) == bool(row.failure) == (row.failed_at is not None)
        assert row.attempts >= 0


@given(changes=st.lists(_changes, max_size=12))
def test_no_sequence_of_events_puts_the_times_out_of_order(changes):
    row = a_row()
    for change in changes:
        step = advance(row, change, NOW)
        row = step.row if step else row
        assert is_ordered(row), (row.sent_at, row.delivered_at, row.read_at)
