"""Claimed rows that need no call, or cannot have one: expired, poisonous, homeless, without a usable key."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from accounts import vault
from accounts.connections import remove_credentials
from accounts.models import Number
from core.jobs import shutdown
from messaging.models import Message
from messaging.send import outcomes
from messaging.send.claims import claim
from messaging.send.claims_sql import SUSPECT_CRASHES
from messaging.upkeep.housekeeping import expire
from tests.support.meta import (
    all_callbacks,
    drain,
    draining,
    history,
    let_time_pass,
    make_due,
    queue,
    queue_many,
    queue_text,
    receiver_was_well,
    row,
    status_of,
)
from tests.support.waiting import eventually


def test_the_engine_goes_on_sending_after_rows_that_needed_no_call(meta, number):
    # In one and the same run: first only rows that are settled without a call, then one to send.
    with draining(linger=10):
        dry = queue(number.account, dry_run=True)
        eventually(lambda: status_of(dry) == "delivered")
        real = queue(number.account)
        try:
            eventually(lambda: status_of(real) == "sent", 5)
        finally:
            shutdown.asked.set()


# --- expired


def test_an_expired_message_is_never_sent(meta, number):
    message = queue(number.account)
    good = queue(number.account)
    Message.objects.filter(pk=message.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    drain()
    final = row(message)
    assert (final.status, final.failure, final.attempts) == ("failed", "expired", 0)
    assert final.error_message and final.failed_at and final.due_at is None
    assert meta.ledger(message) == []
    assert history(message) == ["queued", "failed"]
    assert status_of(good) == "sent"


def test_what_expires_while_its_number_is_held_fails_too(meta, number):
    message, waiting = queue(number.account), queue(number.account)
    Number.objects.filter(pk=number.pk).update(status=Number.Status.HELD)
    Message.objects.filter(pk=message.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert expire() == 1
    assert (row(message).failure, status_of(waiting)) == ("expired", "queued")
    assert expire() == 0


# --- poison


def test_a_message_that_crashes_the_building_of_its_call_is_set_aside(meta, number):
    receiver_was_well()
    poison = make_due(number, content={"nothing": "that can be sent"})[0]
    good = queue_many(number.account, 10)
    drain()
    assert {status_of(one) for one in good} == {"sent"}
    for _ in range(12):  # each crash, its lease and its wait
        let_time_pass(number.account)
        all_callbacks(meta)  # while some wait to be applied, silence means nothing
        drain(linger=0.1)
        if status_of(poison) == "failed":
            break
    final = row(poison)
    assert (final.status, final.failure) == ("failed", "poison")
    assert final.attempts <= outcomes.MAX_CRASHES
    assert final.error_message and final.due_at is None
    assert len(meta.ledger()) == 10


def test_a_message_whose_worker_dies_before_the_mark_each_time_is_set_aside(meta, number):
    message = queue(number.account)
    for _ in range(outcomes.MAX_CRASHES_UNCALLED):
        assert len(claim(10)) == 1  # and the worker is killed
        let_time_pass(number.account)
    drain()
    final = row(message)
    assert (final.status, final.failure, final.attempts) == ("failed", "poison", 0)
    assert meta.ledger() == []


def test_the_neighbours_of_a_message_that_kills_workers_are_sent(meta, number):
    messages = queue_many(number.account, 6)
    for _ in range(SUSPECT_CRASHES):
        assert len(claim(10)) == 6  # and the worker is killed
        let_time_pass(number.account)
    assert claim(10, suspect=False) == []
    (alone,) = claim(10)  # only this one is under way when the worker dies again
    let_time_pass(number.account)
    assert {row(one).crashes for one in messages} == {3, 4}
    drain()
    assert {status_of(one) for one in messages} == {"sent"}
    assert alone.suspect and alone.id in {one.id for one in messages}


def test_workers_that_die_before_a_messages_turn_do_not_soon_make_it_poisonous(meta, number):
    message = queue(number.account)
    for _ in range(outcomes.MAX_CRASHES_UNCALLED - 1):
        claim(10)
        let_time_pass(number.account)
    drain()
    assert (status_of(message), row(message).crashes) == ("sent", 0)


# --- credentials that went away (W49)


def test_removed_credentials_fail_the_queue_with_a_clear_reason(meta, number):
    messages = queue_many(number.account, 3)
    remove_credentials(number.account)
    drain()
    for message in messages:
        final = row(message)
        assert (final.status, final.failure) == ("failed", "no_credentials")
        assert "PUT /auth/me/credentials" in final.error_message
    assert meta.ledger() == []


def test_a_replaced_number_sends_what_was_queued_for_the_old_one(meta, alice):
    old = meta.connect(alice, 1)
    messages = queue_many(alice, 3)
    new = meta.connect(alice, 2)
    assert new.pk != old.pk
    drain()
    assert {status_of(one) for one in messages} == {"sent"}
    lines = [meta.ledger(one) for one in messages]
    assert [len(one) for one in lines] == [1, 1, 1]
    assert {one[0].phone_number_id for one in lines} == {new.phone_number_id}
    for message in messages:
        moved = row(message)
        assert moved.connection == new
        assert moved.contact.connection == new
        assert history(message) == ["queued", "sent"]


def test_a_scheduled_message_follows_its_account_to_another_number(meta, alice):
    meta.connect(alice, 1)
    message = queue(alice, send_at=timezone.now() + timedelta(hours=1))
    new = meta.connect(alice, 2)
    let_time_pass(alice)
    drain()
    assert status_of(message) == "sent"
    assert meta.ledger(message)[0].phone_number_id == new.phone_number_id
    assert history(message) == ["scheduled", "queued", "sent"]


def test_a_message_of_v1_never_goes_out_from_a_number_that_was_not_named(meta, alice):
    """Its caller chose the number; the same number connected again may send it, no other."""
    meta.connect(alice, 1)
    first, second = queue_many(alice, 2)
    Message.objects.filter(account=alice).update(source=Message.Source.V1)
    meta.connect(alice, 2)
    Message.objects.filter(pk=second.pk).update(due_at=timezone.now() + timedelta(hours=1))
    drain()
    assert (row(first).status, row(first).failure) == ("failed", "no_credentials")
    again = meta.connect(alice, 1)
    Message.objects.filter(pk=second.pk).update(due_at=timezone.now())
    drain()
    assert (row(second).status, row(second).connection_id) == ("sent", again.pk)


def test_a_token_that_cannot_be_opened_holds_the_number_and_marks_nothing(meta, alice, charlie, settings):
    number = meta.connect(alice, 1)
    messages = queue_many(alice, 3)
    settings.CREDENTIALS_KEYS = [vault.new_key()]  # and the old one is lost
    other = meta.connect(charlie, 2)
    theirs = queue(charlie)
    drain()
    number.refresh_from_db()
    assert number.status == Number.Status.HELD
    assert "cannot be used" in number.status_reason
    for message in messages:
        waiting = row(message)
        assert (waiting.status, waiting.attempts, waiting.submitted_at) == ("queued", 0, None)
        assert waiting.due_at is not None
        assert history(message) == ["queued"]
    assert status_of(theirs) == "sent"
    other.refresh_from_db()
    assert other.status != Number.Status.HELD


def test_a_ciphertext_of_another_row_is_not_used(meta, alice, charlie):
    number, other = meta.connect(alice, 1), meta.connect(charlie, 2)
    Number.objects.filter(pk=number.pk).update(access_token_sealed=other.access_token_sealed)
    message = queue(alice)
    drain()
    number.refresh_from_db()
    assert (number.status, status_of(message)) == (Number.Status.HELD, "queued")
    assert meta.ledger() == []


def test_the_text_of_a_message_is_not_in_the_log(meta, number, capfd):
    queue_text(meta, number, body="a very private sentence")
    drain()
    out, err = capfd.readouterr()
    assert "a very private sentence" not in out + err
