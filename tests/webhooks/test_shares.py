"""No account takes all the places of a deliverer, however many slow endpoints it has."""

from __future__ import annotations

import threading
import uuid
from collections import Counter

import pytest
from django.db import connection

from tests.support.waiting import eventually
from webhooks.models import Attempt, Delivery
from webhooks.outgoing import claims, endpoints, outbox
from webhooks.outgoing import worker as delivery_worker
from webhooks.outgoing.endpoints import Given
from webhooks.outgoing.outbox import Announcement
from webhooks.outgoing.windows import FIRST_WIDTH, share

HOOKS = 8


def hooks(account, receiver, *paths):
    for path in paths:
        endpoints.create(account, Given(url=receiver.url + path))


def publish(account, count):
    outbox.publish([Announcement(account.pk, "message.received", {"n": n}, str(n), n) for n in range(count)])


@pytest.mark.django_db(transaction=True)
def test_a_hanging_account_leaves_places_to_whoever_comes_later(
    alice, charlie, receiver, settings, monkeypatch
):
    """Her eight endpoints may have four requests each under way, twice as many as there are places."""
    settings.WEBHOOK_TIMEOUT_SECONDS = 20.0
    monkeypatch.setattr(delivery_worker, "CAPACITY", 16)
    monkeypatch.setattr(delivery_worker, "LEASED_AT_MOST", 40)
    hanging = [f"/hangs{n}" for n in range(HOOKS)]
    receiver.hangs = set(hanging)
    hooks(alice, receiver, *hanging)
    hooks(charlie, receiver, "/healthy")
    publish(alice, 30)
    runner = threading.Thread(
        target=lambda: (delivery_worker.drain(seconds=15, linger=0.5), connection.close())
    )
    runner.start()
    eventually(lambda: sum(receiver.under_way[path] for path in hanging) == 8)
    publish(charlie, 40)
    eventually(lambda: len(receiver.ids("/healthy")) >= 40)
    still_hang = sum(receiver.under_way[path] for path in hanging)
    given_up = Attempt.objects.exclude(status=200).count()
    most = sum(receiver.most_under_way[path] for path in hanging)
    receiver.ended.set()  # hers are let go: nothing more to see
    runner.join()
    assert len(set(receiver.ids("/healthy"))) == 40
    assert (still_hang, given_up) == (8, 0), "they went out while hers still hung"
    assert most == 8


@pytest.mark.django_db(transaction=True)
def test_a_claim_takes_of_an_account_only_its_part_and_looks_past_it(alice, charlie, receiver):
    hooks(alice, receiver, "/a", "/b", "/c")
    hooks(charlie, receiver, "/d")
    for account in (alice, charlie):
        publish(account, 20)
    rooms = {alice.pk: 7, charlie.pk: 50}
    found = claims.claim(100, slots_for=lambda target: 5, room_of=lambda account: rooms[account])
    owner = {ident: target.account_id for ident, target in found.targets.items()}
    assert Counter(owner[claim.endpoint_id] for claim in found.claims) == {alice.pk: 7, charlie.pk: 5}
    again = claims.claim(
        100, slots_for=lambda target: 50, room_of=lambda account: 50, without_accounts=[alice.pk]
    )
    assert {target.account_id for target in again.targets.values()} == {charlie.pk}
    assert Delivery.objects.count() == 80


def test_the_share_shrinks_with_the_crowd_and_never_to_nothing():
    one, other = uuid.uuid4(), uuid.uuid4()
    assert share(256, Counter(), one) == 128
    assert share(256, Counter({one: 128}), one) == 0
    assert share(256, Counter({one: 128}), other) == 85
    crowd = Counter({uuid.uuid4(): 3 for _ in range(300)})
    assert share(256, crowd, one) == FIRST_WIDTH
