"""The inbox: stored once, applied once, a bad callback harms only itself, the old ones are swept away."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from messaging.inbound import apply_callbacks as inbound_apply_callbacks
from messaging.meta.callback_envelope import Envelope
from messaging.models import Message, MessageEvent, OrphanStatus, Status
from messaging.tasks import apply_meta
from messaging.upkeep import housekeeping
from tests.support.meta import (
    apply_callbacks,
    envelope,
    history,
    make_due,
    post,
    status_for,
    status_item,
    status_of,
    text_item,
    together,
)
from tests.support.waiting import eventually
from webhooks.incoming import archive, inbox
from webhooks.models import InboundEvent

pytestmark = pytest.mark.usefixtures("app_secret")
META = InboundEvent.Source.META
DAY = timedelta(days=1)


def claim() -> list[inbox.Held]:
    """Take what is due, as a worker does."""
    return inbox.claim(META, batch=inbox.BATCH, lease_seconds=settings.INBOX_LEASE_SECONDS)


def due_now() -> None:
    """Let the wait of what failed be over."""
    InboundEvent.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - timedelta(seconds=1))


# --- once


@pytest.mark.django_db(transaction=True)
def test_the_same_callback_five_times_at_once_is_one_row_and_one_effect(number):
    message = make_due(number, status=Status.SUBMITTING)[0]
    body = envelope(number, statuses=[status_for(message, "delivered")])
    answers = together(5, lambda _: post(body).status_code)
    assert answers == [200] * 5
    assert InboundEvent.objects.count() == 1
    together(3, lambda _: apply_callbacks())
    assert history(message) == ["queued", "delivered"]
    number.account.refresh_from_db()
    assert number.account.messages_sent == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_inbound_message_five_times_at_once_is_one_message(number):
    item = text_item("wamid.in", "14155550001")
    bodies = [envelope(number, messages=[item], nonce=index) for index in range(5)]  # five different bodies
    together(5, lambda index: post(bodies[index]).status_code)
    together(5, lambda _: apply_callbacks())
    assert InboundEvent.objects.filter(due_at=None).count() == 5
    assert Message.objects.filter(direction="in").count() == 1
    assert MessageEvent.objects.filter(message__direction="in").count() == 1


@pytest.mark.django_db
def test_a_redelivery_after_it_was_applied_changes_nothing(number):
    message = make_due(number, status=Status.SUBMITTING)[0]
    body = envelope(number, statuses=[status_for(message, "sent")])
    for _ in range(3):
        assert post(body).status_code == 200
        apply_callbacks()
    assert InboundEvent.objects.count() == 1
    assert history(message) == ["queued", "sent"]


@pytest.mark.django_db(transaction=True)
def test_two_workers_apply_each_callback_once(number):
    messages = make_due(number, 60, status=Status.SUBMITTING)
    for message in messages:
        post(envelope(number, statuses=[status_for(message, "sent")]))
    applied = together(3, lambda _: apply_callbacks())
    assert sum(applied) == 60
    assert set(InboundEvent.objects.values_list("attempts", flat=True)) == {1}
    assert {tuple(history(one)) for one in messages} == {("queued", "sent")}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("known", [0, 1, 2, 30])
def test_a_worker_takes_a_batch_also_while_the_planner_thinks_the_table_is_tiny(known, monkeypatch):
    def store(count: int, name: str) -> None:
        for index in range(count):
            inbox.receive(source=META, account_id=None, raw=f"{name} {index}".encode())

    # With statistics of one row Postgres may run a subquery again for each row of an outer loop.
    store(known, "known")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE webhooks_inboundevent")
    store(30, "new")
    monkeypatch.setattr(inbox, "BATCH", 7)
    assert len(claim()) == 7


# --- one bad among many


@pytest.mark.django_db
def test_ten_broken_items_among_a_thousand_are_parked_and_the_others_applied(number):
    messages = make_due(number, 990, status=Status.SUBMITTING)
    items: list = [status_for(one, "delivered") for one in messages]
    broken = [
        None,
        "text",
        7,
        [],
        {},
        {"id": "wamid.1", "status": "sent"},
        {"id": "wamid.1", "timestamp": "1700000000"},
        {"status": "sent", "timestamp": "1700000000"},
        {"id": "wamid.1", "status": "sent", "timestamp": "soon"},
        {"id": {"a": 1}, "status": ["sent"], "timestamp": None},
    ]
    for position, one in enumerate(broken):
        items.insert(position * 97, one)
    assert len(items) == 1000
    assert post(envelope(number, statuses=items)).status_code == 200
    assert apply_callbacks() == 1
    assert set(Message.objects.values_list("status", flat=True)) == {"delivered"}
    event = InboundEvent.objects.get()
    assert len(event.parked) == 10
    assert all(one["reason"] and one["item"] for one in event.parked)
    assert event.due_at is None and event.applied_at is not None


@pytest.mark.django_db
def test_every_entry_change_and_item_counts_by_itself(number):
    good = make_due(number, 2, status=Status.SUBMITTING)
    payload = envelope(number, statuses=[status_for(good[0], "sent")])
    payload["entry"].insert(0, "no entry")
    payload["entry"].append({"id": "1", "changes": "no list"})
    payload["entry"].append({"id": "1", "changes": [None, {"field": "messages"}, {"value": {}}]})
    payload["entry"] += envelope(number, statuses=[status_for(good[1], "sent")])["entry"]
    assert post(payload).status_code == 200
    apply_callbacks()
    assert {status_of(one) for one in good} == {"sent"}
    assert len(InboundEvent.objects.get().parked) >= 4


@pytest.mark.django_db(transaction=True)
def test_a_callback_that_explodes_harms_only_itself(number, monkeypatch):
    real = Envelope.items

    def explosive(envelope):
        if "bomb" in envelope.body:
            raise RuntimeError("boom")
        return real(envelope)

    monkeypatch.setattr(Envelope, "items", explosive)
    messages = make_due(number, 5, status=Status.SUBMITTING)
    bodies = [envelope(number, statuses=[status_for(one, "sent")]) for one in messages]
    for body in [*bodies[:2], {"bomb": 1}, *bodies[2:]]:
        assert post(body).status_code == 200
    assert apply_callbacks() == 5
    assert {status_of(one) for one in messages} == {"sent"}
    bad = InboundEvent.objects.get(applied_at=None)
    for attempt in range(2, inbox.MAX_ATTEMPTS + 1):
        assert bad.due_at is not None and bad.attempts == attempt - 1
        assert apply_callbacks() == 0  # it waits
        due_now()
        apply_callbacks()
        bad.refresh_from_db()
    # After its last try it is left for an operator, with the reason.
    assert (bad.attempts, bad.due_at, bad.applied_at) == (inbox.MAX_ATTEMPTS, None, None)
    assert "boom" in bad.parked[0]["reason"]
    assert archive.unseal(bad.pk, bytes(bad.raw)) == b'{"bomb":1}'


@pytest.mark.django_db(transaction=True)
def test_an_item_that_explodes_harms_only_itself(number, monkeypatch):
    real = inbound_apply_callbacks.contacts.of_sender

    def explosive(number, *, wa_id, **more):
        if wa_id == "14155550666":
            raise RuntimeError("boom")
        return real(number, wa_id=wa_id, **more)

    monkeypatch.setattr(inbound_apply_callbacks.contacts, "of_sender", explosive)
    people = ["14155550001", "14155550666", "14155550002"]
    items = [text_item(f"wamid.{one}", one) for one in people]
    post(envelope(number, messages=items))
    assert apply_callbacks() == 1
    assert set(Message.objects.values_list("recipient", flat=True)) == {people[0], people[2]}
    assert "boom" in InboundEvent.objects.get().parked[0]["reason"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_died_gives_its_callbacks_to_the_next(number, monkeypatch):
    message = make_due(number, status=Status.SUBMITTING)[0]
    post(envelope(number, statuses=[status_for(message, "sent")]))
    monkeypatch.setattr(settings, "INBOX_LEASE_SECONDS", 0.3)
    dead = claim()
    assert len(dead) == 1
    assert apply_callbacks() == 0  # the lease is still his
    assert eventually(apply_callbacks) == 1
    assert status_of(message) == "sent"


@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_lease_ran_out_cannot_finish_anothers_callback(number, monkeypatch):
    post(envelope(number, statuses=[]))
    monkeypatch.setattr(settings, "INBOX_LEASE_SECONDS", 0.2)
    stale = claim()
    fresh = eventually(claim)
    inbox.apply_held(stale, apply_meta)
    assert InboundEvent.objects.get().applied_at is None
    inbox.apply_held(fresh, apply_meta)
    assert InboundEvent.objects.get().applied_at is not None


# --- statuses of messages we do not know (yet)


@pytest.mark.django_db
def test_a_status_of_an_unknown_message_is_kept_once(number):
    item = status_item("wamid.later", "delivered")
    for nonce in range(3):
        assert post(envelope(number, statuses=[item], nonce=nonce)).status_code == 200
    apply_callbacks()
    orphan = OrphanStatus.objects.get()
    assert (orphan.wamid, orphan.connection, orphan.item) == ("wamid.later", number, item)


@pytest.mark.django_db
def test_orphans_are_adopted_once_their_message_is_known(number):
    items = [status_item("wamid.later", "read"), status_item("wamid.later", "delivered")]
    post(envelope(number, statuses=items))
    post(envelope(number, statuses=[status_item("wamid.nobodys", "read")]))
    apply_callbacks()
    assert housekeeping.adopt_orphans() == 0
    message = make_due(number, status=Status.SENT, wamid="wamid.later", due_at=None)[0]
    assert housekeeping.adopt_orphans() == 2
    assert status_of(message) == "read"
    assert list(OrphanStatus.objects.values_list("wamid", flat=True)) == ["wamid.nobodys"]
    assert housekeeping.adopt_orphans() == 0


@pytest.mark.django_db
def test_an_orphan_is_not_adopted_by_another_numbers_message(number, charlie):
    from tests.factories import connect

    post(envelope(number, statuses=[status_item("wamid.later", "read")]))
    apply_callbacks()
    stranger = make_due(connect(charlie), status=Status.SENT, wamid="wamid.later", due_at=None)[0]
    assert housekeeping.adopt_orphans() == 0
    assert status_of(stranger) == "sent"


@pytest.mark.django_db
def test_an_orphan_that_cannot_be_recorded_does_not_keep_the_others_waiting(number):
    post(envelope(number, statuses=[status_item(f"wamid.{name}", "read") for name in ("odd", "later")]))
    apply_callbacks()
    ours = make_due(number, status=Status.SENT, wamid="wamid.later", due_at=None)[0]
    make_due(number, status=Status.SENT, wamid="wamid.odd", due_at=None)
    real = housekeeping.record

    def fails(changes):
        changes = list(changes)
        if any(change.wamid == "wamid.odd" for change in changes):
            raise ValueError("no column takes this")
        return real(changes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(housekeeping, "record", fails)
        assert housekeeping.adopt_orphans() == 1
    assert status_of(ours) == "read"
    assert housekeeping.adopt_orphans() == 1


@pytest.mark.django_db
def test_many_orphans_are_adopted_in_portions(number, monkeypatch):
    monkeypatch.setattr(housekeeping, "BATCH", 7)
    post(envelope(number, statuses=[status_item(f"wamid.{index}", "sent") for index in range(20)]))
    apply_callbacks()
    for index in range(20):
        make_due(number, status=Status.SUBMITTING, wamid=f"wamid.{index}")
    assert housekeeping.adopt_orphans() == 20
    assert not OrphanStatus.objects.exists()


@pytest.mark.django_db
def test_a_number_nobody_has_is_answered_and_parked():
    assert post(envelope("123456123", statuses=[status_item("wamid.1", "sent")])).status_code == 200
    apply_callbacks()
    assert InboundEvent.objects.get().parked[0]["reason"] == "no such number in this account"
    assert not OrphanStatus.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["deleted", "warning", "pending", "something new"])
def test_a_status_we_do_not_know_changes_nothing(number, status):
    message = make_due(number, status=Status.SENT, due_at=None)[0]
    post(envelope(number, statuses=[status_for(message, status)]))
    apply_callbacks()
    assert status_of(message) == "sent"
    assert InboundEvent.objects.get().parked == []


# --- sweeping


@pytest.mark.django_db
def test_the_sweep_deletes_only_what_is_old_and_done(number):
    post(envelope(number, statuses=[status_item("wamid.old", "sent"), status_item("wamid.young", "sent")]))
    apply_callbacks()
    OrphanStatus.objects.filter(wamid="wamid.old").update(received_at=timezone.now() - 8 * DAY)
    for nonce in range(3):
        post(envelope(number, statuses=[], nonce=nonce))
    new, old, recent, waiting = InboundEvent.objects.order_by("id")
    long_ago = timezone.now() - 31 * DAY
    done = {"due_at": None, "applied_at": timezone.now()}
    InboundEvent.objects.filter(pk=old.pk).update(received_at=long_ago, **done)
    InboundEvent.objects.filter(pk=recent.pk).update(received_at=timezone.now() - 29 * DAY, **done)
    InboundEvent.objects.filter(pk=waiting.pk).update(received_at=long_ago)
    housekeeping.sweep()
    assert set(InboundEvent.objects.values_list("pk", flat=True)) == {new.pk, recent.pk, waiting.pk}
    assert list(OrphanStatus.objects.values_list("wamid", flat=True)) == ["wamid.young"]
