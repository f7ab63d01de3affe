"""The promises of docs/reliability.md, one small test each; bench/chaos/defects breaks them one by one."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from datetime import timedelta

import orjson
import pytest
from django.db import OperationalError, connection, connections
from django.urls import get_resolver
from django.utils import timezone

from accounts import keys, vault
from accounts.models import Account, Number
from bench.chaos import invariants
from core import failpoints
from core.errors import Refusal
from core.jobs import threads
from messaging.meta.client import Accepted
from messaging.models import Message, OrphanStatus, Status
from messaging.queue import revise
from messaging.reports import analytics
from messaging.send import worker as send_worker
from messaging.send.claims import claim
from messaging.status.timeline import Change, mark, record
from messaging.upkeep import housekeeping
from tests import factories
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

HELLO = {"to": "14156660001", "message": "Hello"}


@pytest.fixture(autouse=True)
def nothing_is_broken(stage):
    yield
    with connection.cursor() as cursor:
        assert invariants.broken(cursor, lease=30.0) == {}


def fail_at(monkeypatch, place: str, error: Exception) -> None:
    """Let ``error`` happen at one of the named places, whichever module it is in."""

    def reached(name: str) -> None:
        if name == place:
            raise error

    assert get_resolver().url_patterns  # imports every view
    for module in list(sys.modules.values()):
        if getattr(module, "failpoint", None) is failpoints.failpoint and module is not failpoints:
            monkeypatch.setattr(module, "failpoint", reached)


# --- accepting


def test_a_message_without_any_wake_up_is_sent_all_the_same(stage, monkeypatch):
    fail_at(monkeypatch, "accept.after_commit", RuntimeError("the process ends here"))
    answer = factories.api(stage.account).post_json("/send-message", HELLO)
    assert answer.status_code == 500
    message = Message.objects.get()
    stage.drain()
    assert stage.at_meta(message) == 1


def test_no_message_is_acknowledged_unless_it_is_committed(stage, monkeypatch):
    fail_at(monkeypatch, "accept.before_commit", OperationalError("the database went away"))
    answer = factories.api(stage.account).post_json("/send-message", HELLO)
    assert answer.status_code >= 500
    assert not Message.objects.exists()


def test_the_same_key_again_gets_the_same_message(stage):
    api = factories.api(stage.account)
    first = api.post_json("/send-message", HELLO, HTTP_IDEMPOTENCY_KEY="order-1")
    second = api.post_json("/send-message", HELLO, HTTP_IDEMPOTENCY_KEY="order-1")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.content == second.content
    assert Message.objects.count() == 1


# --- claiming


def test_a_claimed_message_is_nobody_elses(stage):
    stage.due(2)
    assert len(claim(10)) == 2
    Number.objects.update(next_slot_at=None)
    assert claim(10) == []


def test_a_number_never_gets_more_than_its_rate(stage):
    Number.objects.update(messages_per_second=20)
    stage.due(60)
    taken = len(claim(100)) + len(claim(100)) + len(claim(100))
    # a quarter of a second ahead, and what the few milliseconds of the test allow
    assert 4 <= taken <= 10


def test_one_person_gets_no_more_than_a_burst(stage):
    Number.objects.update(messages_per_second=1000)
    stage.due(60, recipient="14156661000", contact=stage.person("14156661000"))
    assert len(claim(200)) == 45


def test_a_held_number_makes_no_calls(stage):
    message = stage.due()[0]
    Number.objects.update(status=Number.Status.HELD)
    stage.drain()
    assert stage.at_meta(message) == 0
    assert stage.row(message).status == Status.QUEUED
    assert stage.row(message).lease_token == 0


def test_a_message_that_keeps_killing_its_worker_is_set_aside(stage):
    called = stage.due(crashes=5, attempts=5, lease_token=5)[0]
    uncalled = stage.due(crashes=8, lease_token=8)[0]
    for message in (called, uncalled):
        stage.drain()  # suspects go one at a time
        assert stage.at_meta(message) == 0
    for message in (called, uncalled):
        assert (stage.row(message).status, stage.row(message).failure) == (Status.FAILED, "poison")


def test_claims_without_a_call_do_not_stop_those_with_one(stage):
    """A drain that begins with a dry run, or with a lost answer, sends what comes after it."""
    stage.due(dry_run=True)
    later = stage.due(due_at=timezone.now() + timedelta(seconds=0.6))[0]
    send_worker.drain(seconds=8, linger=1.0)
    assert stage.at_meta(later) == 1


# --- marking and calling


def test_the_mark_is_committed_before_the_call(stage, monkeypatch):
    message = stage.due()[0]
    seen = []

    async def call(*_, **__):
        seen.append(await send_worker.asyncio.to_thread(_status_now, message))
        return Accepted("wamid.x", None, None, None)

    monkeypatch.setattr(send_worker, "send", call)
    stage.drain()
    assert seen == [Status.SUBMITTING]


def _status_now(message: Message) -> str:
    try:
        return Message.objects.get(pk=message.pk).status
    finally:
        connection.close()


def test_a_lease_about_to_end_allows_no_call(stage):
    message = stage.due()[0]
    held = claim(1)[0]
    Message.objects.update(due_at=timezone.now() + timedelta(seconds=1))
    assert mark([(message.pk, held.token)], needed=5.0) == set()


def test_a_lease_that_is_another_workers_allows_no_call(stage):
    message = stage.due()[0]
    old = claim(1)[0]
    Message.objects.update(due_at=timezone.now())
    Number.objects.update(next_slot_at=None)
    new = claim(1)[0]
    assert mark([(message.pk, old.token)], needed=1.0) == set()
    assert mark([(message.pk, new.token)], needed=1.0) == {message.pk}


def test_a_worker_frozen_after_its_mark_does_not_send(stage, monkeypatch, settings):
    settings.SEND_LEASE_SECONDS, settings.SEND_TIMEOUT_SECONDS = 2.0, 1.6  # 0.2 s from mark to call
    message = stage.due()[0]

    def freeze(name: str) -> None:
        if name == "send.before_post":
            time.sleep(0.3)

    monkeypatch.setattr(send_worker, "failpoint", freeze)
    send_worker.drain(seconds=1.0, linger=0.1)
    assert stage.at_meta(message) == 0
    # It was not sent, for certain, so it waits for its next turn.
    assert stage.row(message).status == Status.RETRYING


def test_a_cancelled_message_is_not_sent_and_a_sent_one_not_cancelled(stage):
    message = stage.due()[0]
    held = claim(1)[0]
    assert mark([(message.pk, held.token)], needed=1.0) == {message.pk}
    with pytest.raises(Refusal) as refused:
        revise.cancel(stage.account, message.pk)
    assert refused.value.code == "conflict"
    assert stage.row(message).status == Status.SUBMITTING
    other = stage.due(recipient="14156669999")[0]
    revise.cancel(stage.account, other.pk)
    stage.drain()
    assert stage.at_meta(other) == 0


def test_one_dead_worker_does_not_make_a_message_poisonous(stage):
    """Killed between mark and call: waited for, and then sent, however often we had to look at it."""
    stage.receiver_was_well()
    ago = timezone.now() - timedelta(minutes=9)
    message = stage.due(status=Status.SUBMITTING, submitted_at=ago, attempts=1, lease_token=1, crashes=1)[0]
    for _ in range(4):  # the lease ran out, the report is waited for, then it is sent
        stage.drain()
        later = {"due_at": timezone.now(), "submitted_at": timezone.now() - timedelta(minutes=11)}
        Message.objects.filter(status=Status.UNKNOWN).update(**later)
        Message.objects.filter(status=Status.RETRYING).update(due_at=timezone.now())
    assert stage.at_meta(message) == 1
    assert stage.row(message).status == Status.SENT


# --- answers


def test_a_lost_answer_is_not_sent_again_at_once(stage):
    message = stage.due(recipient="14155550016")[0]  # accepted, then the connection is reset
    stage.drain()
    stage.drain()
    assert stage.at_meta(message) == 1
    assert stage.row(message).status == Status.UNKNOWN


def test_a_lost_answer_to_a_one_time_password_is_never_sent_again(stage):
    stage.receiver_was_well()
    code = stage.lost_answer(type="template", content=stage.template("login_code", "AUTHENTICATION"))
    stage.drain()
    assert (stage.row(code).status, stage.row(code).failure) == (Status.FAILED, "outcome_unknown")
    assert stage.at_meta(code) == 0


def test_a_proved_refusal_is_a_refusal(stage):
    """Meta answered HTTP 500 and named its reason: nothing was processed, so nothing is waited for."""
    content = stage.template("hello_world", "AUTHENTICATION")
    code = stage.due(recipient="14155550012", type="template", content=content)[0]
    stage.drain()
    assert stage.row(code).status == Status.RETRYING
    Message.objects.update(due_at=timezone.now())
    stage.drain()
    assert (stage.row(code).status, stage.at_meta(code)) == (Status.SENT, 1)


def test_a_lost_answer_is_sent_again_only_if_meta_could_have_reported(stage):
    message = stage.lost_answer()
    stage.drain()  # nobody has ever seen our receiver well
    assert stage.row(message).status == Status.UNKNOWN
    assert stage.at_meta(message) == 0
    stage.receiver_was_well()
    Message.objects.update(due_at=timezone.now())
    stage.drain()  # decides
    stage.drain()  # sends
    assert stage.at_meta(message) == 1


def test_a_report_in_our_own_inbox_is_not_silence(stage):
    """A worker died over the callback: it lies there under a lease, and must be waited for."""
    stage.receiver_was_well()
    message = stage.lost_answer()
    stage.call_back(stage.report("sent", wamid="wamid.first", ref=f"hm:{message.pk}"))
    InboundEvent.objects.update(due_at=timezone.now() + timedelta(seconds=60), attempts=1)
    stage.drain()
    assert stage.row(message).status == Status.UNKNOWN
    stage.drain()
    assert stage.at_meta(message) == 0


def test_an_answer_outlives_the_loss_of_the_database(stage, monkeypatch):
    message = stage.due()[0]
    failures = iter([OperationalError("gone"), OperationalError("gone")])

    def flaky(changes):
        for failure in failures:
            raise failure
        return record(changes)

    monkeypatch.setattr(send_worker, "record", flaky)
    monkeypatch.setattr(threads, "DATABASE_RETRY_SECONDS", 0.01)
    stage.drain()
    assert stage.row(message).status == Status.SENT


def test_an_answer_does_not_depend_on_what_it_says_of_its_number(stage, monkeypatch):
    """Meta said "too fast" while the database was away: the message was not processed, for certain."""
    message = stage.due(recipient="14155550011")[0]

    def gone(*_, **__):
        raise OperationalError("gone")

    monkeypatch.setattr(send_worker.pacing, "slow_down", gone)
    send_worker.drain(seconds=0.4, linger=0.1)
    assert stage.row(message).status in (Status.RETRYING, Status.SENT)


def test_an_outcome_of_a_lost_lease_changes_nothing(stage):
    message = stage.due()[0]
    old = claim(1)[0]
    Message.objects.update(due_at=timezone.now())
    Number.objects.update(next_slot_at=None)
    new = claim(1)[0]
    mark([(message.pk, new.token)], needed=1.0)
    record([Change(message.pk, Status.RETRYING, token=old.token, delay=timedelta(0))])
    assert stage.row(message).status == Status.SUBMITTING


# --- reports


def test_a_late_report_does_not_turn_a_message_back(stage):
    message = stage.due()[0]
    for status in (Status.READ, Status.SENT, Status.DELIVERED, Status.FAILED):
        record([Change(message.pk, status, wamid="wamid.1")])
    assert stage.row(message).status == Status.READ


def test_a_late_delivery_does_not_seem_older_than_its_sending(stage):
    now = timezone.now()
    message = stage.due(created_at=now - timedelta(seconds=9))[0]
    record([Change(message.pk, Status.SENT, at=now - timedelta(seconds=3.2), wamid="wamid.1")])
    record([Change(message.pk, Status.READ, at=now - timedelta(seconds=2), wamid="wamid.1")])
    record([Change(message.pk, Status.DELIVERED, at=now - timedelta(seconds=4), wamid="wamid.1")])
    seen = stage.row(message)
    assert seen.sent_at <= seen.delivered_at <= seen.read_at
    assert seen.status == Status.READ


def test_proof_undoes_what_we_only_concluded(stage):
    code = stage.lost_answer(type="template", content=stage.template("login_code", "AUTHENTICATION"))
    stage.receiver_was_well()
    stage.drain()
    assert stage.row(code).status == Status.FAILED
    record([Change(code.pk, Status.SENT, wamid="wamid.1")])
    assert (stage.row(code).status, stage.row(code).failure) == (Status.SENT, "")


def test_a_report_that_came_too_early_is_kept(stage):
    assert stage.call_back(stage.report("delivered", wamid="wamid.early")).status_code == 200
    stage.apply()
    assert OrphanStatus.objects.count() == 1
    message = stage.due()[0]
    record([Change(message.pk, Status.SENT, wamid="wamid.early")])
    housekeeping.adopt_orphans()
    assert stage.row(message).status == Status.DELIVERED


# --- Meta's endpoint


def test_an_unsigned_callback_is_refused(stage):
    message = stage.due()[0]
    raw = stage.report("read", wamid="wamid.1", ref=f"hm:{message.pk}")
    assert stage.call_back(raw, secret=None).status_code == 401
    assert stage.call_back(raw, secret="0" * 32).status_code == 401
    assert not InboundEvent.objects.exists()


def test_a_signature_is_checked_over_the_bytes_that_came(stage):
    text = {"from": "14156660001", "id": "wamid.in", "timestamp": "1700000000", "type": "text"}
    raw = stage.envelope({"messages": [text | {"text": {"body": "Grüße / hello"}}]})
    assert b"\\/" in raw
    assert b"\\u00fc" in raw
    assert stage.call_back(raw).status_code == 200


def test_half_a_surrogate_pair_costs_no_healthy_neighbour(stage):
    message = stage.due()[0]
    odd = {"from": "1", "timestamp": "1700000000", "type": "text", "text": {"body": "HALF"}}
    status = {"id": "wamid.1", "status": "read", "timestamp": "1700000000"}
    raw = stage.envelope(
        {"messages": [odd], "statuses": [status | {"biz_opaque_callback_data": f"hm:{message.pk}"}]}
    )
    assert stage.call_back(raw.replace(b"HALF", b"\\ud83d")).status_code == 200
    assert stage.apply() == 1
    assert stage.row(message).status == Status.READ
    assert len(InboundEvent.objects.get().parked) == 1


def test_what_is_signed_is_kept_whatever_it_is(stage):
    assert stage.call_back(b"no JSON").status_code == 200
    stage.apply()
    assert "not JSON" in InboundEvent.objects.get().parked[0]["reason"]


def test_a_callback_is_answered_with_200_only_when_it_is_stored(stage, monkeypatch):
    def gone(**_):
        raise OperationalError("gone")

    monkeypatch.setattr(inbox, "receive", gone)
    assert stage.call_back(stage.report("read", wamid="wamid.1")).status_code == 503


def test_a_callback_is_not_given_up_because_the_database_was_away(stage, monkeypatch):
    message = stage.due()[0]
    stage.call_back(stage.report("read", wamid="wamid.1", ref=f"hm:{message.pk}"))
    InboundEvent.objects.update(attempts=7)  # workers died over it, for reasons of their own

    def gone(held):
        raise OperationalError("gone")

    inbox.drain(source=InboundEvent.Source.META, apply=gone)
    assert InboundEvent.objects.filter(due_at__isnull=False).count() == 1
    InboundEvent.objects.update(due_at=timezone.now())
    stage.apply()
    assert stage.row(message).status == Status.READ


def test_the_same_callback_again_is_the_same_row(stage):
    raw = stage.report("delivered", wamid="wamid.1")
    assert [stage.call_back(raw).status_code for _ in range(3)] == [200, 200, 200]
    assert InboundEvent.objects.count() == 1


def _customer_with_own_secret() -> tuple[Number, str]:
    secret = "fedcba9876543210" * 2
    return factories.connect(factories.make_account(), app_secret=secret, waba_id="998877665544"), secret


def test_one_customers_signature_cannot_move_anothers_message(stage):
    message = stage.due()[0]
    stranger, secret = _customer_with_own_secret()
    raw = stage.report("read", wamid="wamid.1", ref=f"hm:{message.pk}")
    stage.call_back(raw, secret=secret, path=f"/webhooks/whatsapp/{stranger.callback_key}")
    stage.apply()
    assert stage.row(message).status == Status.QUEUED


def test_one_customers_callback_is_not_a_copy_of_anothers(stage):
    """A stranger who posts our callback first must not make Meta's own a known one."""
    message = stage.due()[0]
    stranger, secret = _customer_with_own_secret()
    raw = stage.report("read", wamid="wamid.1", ref=f"hm:{message.pk}")
    stage.call_back(raw, secret=secret, path=f"/webhooks/whatsapp/{stranger.callback_key}")
    assert stage.call_back(raw).status_code == 200
    stage.apply()
    assert stage.row(message).status == Status.READ


def test_who_only_names_a_number_hears_nothing_of_it(stage):
    """Its token is made up; the callback is signed with the service's own secret."""
    named = factories.connect(factories.make_account(), proven=False)
    item = {"id": "wamid.1", "from": "14155550001", "timestamp": "1764340000", "type": "text"}
    metadata = {"display_phone_number": "15550000000", "phone_number_id": named.phone_number_id}
    value = {"metadata": metadata, "messages": [item | {"text": {"body": "for the rightful owner"}}]}
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    raw = orjson.dumps({"object": "whatsapp_business_account", "entry": [entry]})
    assert stage.call_back(raw).status_code == 200
    stage.apply()
    assert not Message.objects.exists()


# --- limits


def test_a_limit_that_is_counted_holds_for_requests_at_the_same_moment(stage, monkeypatch):
    monkeypatch.setattr(keys, "MOST_KEYS", len(keys.active(stage.account)) + 1)
    ready = threading.Barrier(6)
    counted = keys.refuse_too_many

    def count_together(account: Account) -> None:
        counted(account)
        with contextlib.suppress(threading.BrokenBarrierError):
            ready.wait(0.3)  # whoever may count beside the others meets them here

    monkeypatch.setattr(keys, "refuse_too_many", count_together)

    def make() -> None:
        try:
            keys.create(stage.account, name="One more")
        except Refusal:
            pass
        finally:
            connections.close_all()

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys.active(stage.account)) == keys.MOST_KEYS


# --- keys and secrets


def test_a_sealed_token_opens_only_where_it_was_sealed(stage):
    other = factories.connect(factories.make_account(), waba_id="998877665544")
    Number.objects.filter(pk=other.pk).update(access_token_sealed=stage.number.access_token_sealed)
    other.refresh_from_db()
    with pytest.raises(vault.CannotOpen):
        _ = other.access_token


def test_a_revoked_key_opens_nothing(stage):
    key, text = factories.make_key(stage.account)
    assert keys.authenticate(text).pk == key.pk
    type(key).objects.filter(pk=key.pk).update(revoked_at=timezone.now() - timedelta(seconds=1))
    assert factories.api(text).post_json("/send-message", HELLO).status_code == 401
    assert not Message.objects.exists()


def test_a_key_given_twice_is_refused(stage):
    raw = b'{"to": "14156660001", "message": "Hello", "to": "14156660002"}'
    assert factories.api(stage.account).post_json("/send-message", raw).status_code == 400
    assert not Message.objects.exists()


def test_the_counter_of_sent_messages_counts_each_once(stage):
    message = stage.due()[0]
    stage.drain()
    record([Change(message.pk, Status.DELIVERED, wamid=stage.row(message).wamid)])
    stage.account.refresh_from_db()
    assert stage.account.messages_sent == 1


def test_a_retried_message_is_counted_once(stage):
    """By the account's counter as by the statistics, although WhatsApp accepted it twice."""
    message = stage.due()[0]
    stage.drain()
    record([Change(message.pk, Status.FAILED, wamid=stage.row(message).wamid)])
    assert factories.api(stage.account).post_json(f"/messages/{message.pk}/retry").status_code == 202
    stage.drain()
    assert (stage.row(message).status, stage.at_meta(message)) == (Status.SENT, 2)
    stage.account.refresh_from_db()
    assert stage.account.messages_sent == analytics.summary(stage.account).total == 1
