"""What Meta refuses: failed at once, tried again with backoff, or waiting until the number may send again."""

from __future__ import annotations

import socket

import pytest

from accounts.models import Number
from messaging.models import MessageEvent
from messaging.send import outcomes
from tests.support.meta import (
    drain,
    history,
    let_time_pass,
    person,
    queue,
    queue_many,
    reaches,
    row,
    status_of,
)


def waits(message) -> list[float]:
    """Seconds from each ``retrying`` entry to the moment when the row was due again (the last only)."""
    event = MessageEvent.objects.filter(message=message, status="retrying").order_by("sequence").last()
    return (row(message).due_at - event.recorded_at).total_seconds()


def test_a_recipient_who_is_not_allowed_fails_at_once(meta, number):
    message = queue(number.account, to=person("0018"))
    drain()
    final = row(message)
    assert (final.status, final.error_code, final.failure) == ("failed", 131030, "recipient_not_allowed")
    assert final.error_message and final.failed_at and final.due_at is None
    assert final.error_detail.keys() == {"title", "details", "fbtrace_id", "http_status"}
    assert final.error_detail["fbtrace_id"].startswith("A")
    assert (meta.ledger(), final.wamid) == ([], None)
    assert history(message) == ["queued", "failed"]
    number.account.refresh_from_db()
    assert number.account.messages_sent == 0


def test_the_pair_limit_waits_four_times_longer_each_time_and_then_fails(meta, number):
    message = queue(number.account, to=person("0010"))
    seen = []
    for _ in range(outcomes.MAX_ATTEMPTS - 1):
        drain()
        assert status_of(message) == "retrying"
        seen.append(waits(message))
        let_time_pass(number.account)
    assert seen == pytest.approx([1, 4, 16, 64, 256])
    drain()
    final = row(message)
    assert (final.status, final.error_code, final.attempts) == ("failed", 131056, outcomes.MAX_ATTEMPTS)
    assert history(message) == ["queued", *["retrying"] * 5, "failed"]
    assert meta.ledger() == []


def test_the_pair_limit_of_one_recipient_does_not_hold_up_others(meta, number):
    limited = queue(number.account, to=person("0010"))
    others = queue_many(number.account, 10)
    drain()
    assert status_of(limited) == "retrying"
    assert {status_of(one) for one in others} == {"sent"}


def test_a_number_that_is_too_fast_waits_and_the_try_does_not_count(meta, number):
    message = queue(number.account, to=person("0011"))  # 429 at first
    drain(linger=0.2)
    waiting = row(message)
    assert (waiting.status, waiting.attempts, waiting.submitted_at) == ("retrying", 0, None)
    assert 0.5 <= waits(message) <= 1.5
    number.refresh_from_db()
    assert number.next_slot_at is not None
    let_time_pass(number.account)
    drain()
    assert (status_of(message), row(message).attempts) == ("sent", 1)
    assert len(meta.ledger(message)) == 1


def test_an_unreachable_meta_is_tried_again_with_backoff_and_then_fails(meta, number, settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        settings.META_GRAPH_URL = f"http://127.0.0.1:{taken.getsockname()[1]}"
        message = queue(number.account)
        for attempt in range(1, outcomes.MAX_ATTEMPTS):
            drain(linger=0.2)
            after = row(message)
            assert (after.status, after.attempts, after.submitted_at) == ("retrying", attempt, None)
            assert 0.5 <= waits(message) <= min(120, 2 * 2**attempt)
            let_time_pass(number.account)
        drain(linger=0.2)
    final = row(message)
    assert (final.status, final.failure) == ("failed", "meta_unreachable")
    assert history(message) == ["queued", *["retrying"] * 5, "failed"]


def test_an_unreachable_meta_that_comes_back_gets_the_message_once(meta, number, settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        settings.META_GRAPH_URL = f"http://127.0.0.1:{taken.getsockname()[1]}"
        message = queue(number.account)
        drain(linger=0.2)
    settings.META_GRAPH_URL = meta.sandbox.url
    let_time_pass(number.account)
    drain()
    assert reaches(message, "read").attempts == 2
    assert len(meta.ledger(message)) == 1


def test_a_blocked_account_pauses_its_number_and_nobody_elses(meta, alice, charlie):
    number, other = meta.connect(alice, 1), meta.connect(charlie, 2)
    blocked = queue(alice, to=person("0019"))  # 368
    drain()
    paused = row(blocked)
    assert (paused.status, paused.attempts, paused.error_code) == ("retrying", 0, None)
    number.refresh_from_db()
    other.refresh_from_db()
    assert number.paused_until is not None and number.status_reason
    assert other.paused_until is None
    waiting, passing = queue(alice), queue(charlie)
    drain()
    assert (status_of(waiting), status_of(passing)) == ("queued", "sent")
    let_time_pass(alice)
    drain(linger=0.2)
    assert status_of(waiting) == "sent"


def test_a_refusal_costs_the_others_nothing(meta, number):
    refused = [queue(number.account, to=person("0018")) for _ in range(3)]
    good = queue_many(number.account, 5)
    drain()
    assert {status_of(one) for one in refused} == {"failed"}
    assert {status_of(one) for one in good} == {"sent"}


# --- credentials


def test_a_refused_token_holds_the_number_and_keeps_its_queue(meta, alice, charlie):
    number, other = meta.connect(alice, 1), meta.connect(charlie, 2)
    meta.revoke(number)
    queued, theirs = queue_many(alice, 8), queue_many(charlie, 8)
    drain()
    number.refresh_from_db()
    assert number.status == Number.Status.HELD
    assert "token" in number.status_reason
    assert {status_of(one) for one in queued} <= {"queued", "retrying"}
    assert all(row(one).attempts == 0 and row(one).due_at for one in queued)
    assert {status_of(one) for one in theirs} == {"sent"}
    other.refresh_from_db()
    assert other.status != Number.Status.HELD
    # It does not burn the queue: nothing is called for while it is held.
    requests = meta.world.stats["requests"]
    let_time_pass(alice)
    drain()
    assert meta.world.stats["requests"] == requests


def test_new_credentials_let_a_held_queue_go_out_once(meta, alice):
    number = meta.connect(alice)
    meta.revoke(number)
    queued = queue_many(alice, 8)
    drain()
    meta.revoke(number, again=True)
    meta.connect(alice)
    number.refresh_from_db()
    assert number.status != Number.Status.HELD
    let_time_pass(alice)
    drain()
    assert {status_of(one) for one in queued} == {"sent"}
    assert {len(meta.ledger(one)) for one in queued} == {1}


def test_a_refusal_of_the_old_token_says_nothing_about_a_new_one(meta, number):
    from messaging.send import pacing

    old = number.access_token_sealed
    meta.connect(number.account)  # the customer saved another one meanwhile
    pacing.hold(number.pk, sealed_token=old, reason="refused")
    number.refresh_from_db()
    assert number.status != Number.Status.HELD


@pytest.mark.parametrize("digits", ["0017"])
def test_a_single_190_holds_the_number(meta, number, digits):
    message = queue(number.account, to=person(digits))
    drain()
    number.refresh_from_db()
    assert (number.status, status_of(message)) == (Number.Status.HELD, "retrying")
    assert history(message) == ["queued", "retrying"]
