"""What must not lose or double a message: a stop, two workers, frozen ones, a database that goes away."""

from __future__ import annotations

import time

from django.db import OperationalError, connection

from core.jobs import shutdown, threads
from messaging.models import Message
from messaging.send import outcomes
from messaging.send import worker as send_worker
from messaging.send.claims import claim
from messaging.status.timeline import Change, mark, record
from tests.support.meta import (
    all_callbacks,
    backends,
    drain,
    draining,
    history,
    let_time_pass,
    queue,
    queue_many,
    queue_text,
    receiver_was_well,
    row,
    status_of,
    statuses,
)
from tests.support.waiting import eventually


def once_each(meta, messages) -> bool:
    return {len(meta.ledger(one)) for one in messages} == {1}


def test_a_stop_in_the_middle_gives_back_what_was_not_sent(meta, alice):
    meta.connect(alice, rate=200)
    meta.options(latency_ms=100)
    messages = queue_many(alice, 300)
    with draining():
        eventually(lambda: len(meta.ledger()) >= 40)
        shutdown.asked.set()
    sent = statuses(alice)["sent"]
    assert 40 <= sent < 300
    # Finished what was in flight, gave back the rest: nobody has to wait for a lease.
    assert statuses(alice) == {"sent": sent, "queued": 300 - sent}
    assert len(meta.ledger()) == sent
    waiting = Message.objects.filter(account=alice, status="queued")
    assert set(waiting.values_list("attempts", "crashes")) <= {(0, 0)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM messaging_message WHERE status = 'queued' AND due_at > now()")
        assert cursor.fetchone() == (0,)
    shutdown.asked.clear()
    drain(linger=2)  # the slots that were given back are still taken for a moment
    assert statuses(alice) == {"sent": 300}
    assert once_each(meta, messages)


def test_a_stopped_engine_claims_nothing(meta, number):
    message = queue(number.account)
    shutdown.asked.set()
    drain()
    assert (status_of(message), meta.ledger()) == ("queued", [])


def test_a_run_whose_time_is_up_says_that_there_is_more(meta, alice):
    meta.connect(alice, rate=50)
    messages = queue_many(alice, 60)
    run = drain(seconds=0.4)
    assert run.cut_short
    assert 0 < len(meta.ledger()) < 60
    drain(linger=2)
    assert once_each(meta, messages)


def test_a_process_has_one_engine_at_a_time(meta, alice):
    meta.connect(alice, rate=200)
    messages = queue_many(alice, 30)
    with draining(linger=10):
        eventually(lambda: meta.ledger())
        assert drain().sent == 0  # returns at once: the other one has been woken
        eventually(lambda: statuses(alice) == {"sent": 30})
        shutdown.asked.set()
    assert once_each(meta, messages)


def test_a_worker_that_slept_since_its_claim_does_not_send(meta, number):
    message = queue(number.account)
    (stale,) = claim(10)
    let_time_pass(number.account)
    drain()  # another worker had it meanwhile
    assert mark([(stale.id, stale.token)], needed=1) == set()
    assert len(meta.ledger(message)) == 1


def test_a_worker_that_froze_after_its_mark_does_not_send(meta, number, monkeypatch, settings):
    receiver_was_well()
    settings.SEND_LEASE_SECONDS = 1.5
    settings.SEND_TIMEOUT_SECONDS = 1.0
    real = send_worker.payloads.encode

    def freeze(body):
        time.sleep(0.6)  # longer than the slack between lease and call
        return real(body)

    message = queue(number.account)
    with monkeypatch.context() as patched:
        patched.setattr(send_worker.payloads, "encode", freeze)
        drain(seconds=1)
    assert meta.ledger() == []
    assert status_of(message) == "retrying"  # surely not sent, so there is no question
    let_time_pass(number.account)
    drain()
    assert len(meta.ledger(message)) == 1


def test_the_outcome_of_a_worker_whose_lease_ran_out_is_ignored(meta, number):
    message = queue(number.account)
    (first,) = claim(10)
    mark([(first.id, first.token)], needed=1)
    let_time_pass(number.account)
    claim(10)  # the lease was over: another worker took it
    late = Change(first.id, "failed", token=first.token, failure=outcomes.EXPIRED)
    assert record([late]).ignored == 1
    assert status_of(message) == "submitting"


def test_a_database_that_drops_its_connections_loses_and_doubles_nothing(meta, alice, settings):
    settings.SEND_LEASE_SECONDS = 2.0
    settings.SEND_TIMEOUT_SECONDS = 1.0
    settings.UNKNOWN_WAIT_SECONDS = 1.0
    meta.connect(alice, rate=100)
    receiver_was_well()
    messages = queue_many(alice, 200)
    with draining(seconds=40, linger=40):
        for kill in range(1, 4):
            eventually(lambda kill=kill: len(meta.ledger()) >= 40 * kill)
            with connection.cursor() as cursor:
                for pid in backends():
                    cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
        eventually(lambda: statuses(alice) == {"sent": 200}, 30)
        shutdown.asked.set()
    assert once_each(meta, messages)
    all_callbacks(meta)
    assert statuses(alice) == {"read": 200}
    alice.refresh_from_db()
    assert alice.messages_sent == 200


def test_an_answer_that_cannot_be_recorded_at_once_is_recorded_later(meta, number, monkeypatch):
    monkeypatch.setattr(threads, "DATABASE_RETRY_SECONDS", 0.01)
    real, tries = send_worker.record, []

    def away(changes):
        tries.append(len(list(changes)))
        if len(tries) < 4:
            raise OperationalError("the database is away")
        return real(changes)

    monkeypatch.setattr(send_worker, "record", away)
    message = queue(number.account)
    drain()
    assert tries == [1, 1, 1, 1]
    assert (status_of(message), len(meta.ledger(message))) == ("sent", 1)


def test_a_claim_that_fails_is_asked_for_again(meta, number, monkeypatch):
    monkeypatch.setattr(send_worker, "DATABASE_RETRY_SECONDS", 0.01)
    real, tries = send_worker.claim, []

    def away(capacity, **more):
        tries.append(capacity)
        if len(tries) < 4:
            raise OperationalError("the database is away")
        return real(capacity, **more)

    monkeypatch.setattr(send_worker, "claim", away)
    message = queue(number.account)
    drain(linger=2)
    assert status_of(message) == "sent"


def test_a_mark_that_fails_makes_no_call(meta, number, monkeypatch):
    def away(pairs, *, needed):
        raise OperationalError("the database is away")

    message = queue_text(meta, number)
    with monkeypatch.context() as patched:
        patched.setattr(send_worker, "mark", away)
        drain()
    assert (status_of(message), meta.ledger()) == ("queued", [])
    let_time_pass(number.account)
    drain()
    assert history(message) == ["queued", "sent"]
    assert row(message).attempts == 1


def test_a_bug_after_the_answer_leaves_the_message_to_metas_report(meta, number, monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug of ours")

    message = queue_text(meta, number)
    with monkeypatch.context() as patched:
        patched.setattr(outcomes, "change_of", broken)
        drain()
    assert status_of(message) == "submitting"
    others = queue_many(number.account, 3)
    drain()
    assert {status_of(one) for one in others} == {"sent"}
    all_callbacks(meta)
    assert status_of(message) == "read"
    assert len(meta.ledger(message)) == 1
