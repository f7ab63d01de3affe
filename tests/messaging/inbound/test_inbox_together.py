"""Several workers at the same callbacks: nobody waits for another in a circle, and trouble passes quickly."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from messaging.compose import recipients
from messaging.inbound import apply_callbacks
from messaging.meta.callback_envelope import Envelope
from messaging.models import Contact, Message
from tests.support.meta import envelope, make_due, post, text_item, together
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("app_secret")]

PEOPLE = [f"1415555{n:04d}" for n in range(40)]


def callback(number, worker: int, people: list[str]) -> apply_callbacks.Callback:
    messages = [text_item(f"wamid.{worker}.{phone}", phone) for phone in people]
    return apply_callbacks.Callback(uuid.uuid4(), None, Envelope.of(envelope(number, messages=messages)))


@pytest.mark.parametrize("known", [True, False], ids=["known people", "new people"])
def test_workers_that_meet_the_same_people_in_opposite_order_do_not_deadlock(number, known):
    if known:
        with transaction.atomic():
            recipients.meet(account_id=number.account_id, connection_id=number.pk, phones=reversed(PEOPLE))

    def work(worker: int) -> None:
        people = PEOPLE if worker % 2 else PEOPLE[::-1]
        with transaction.atomic():
            assert not apply_callbacks.apply([callback(number, worker, people)]).parked

    together(4, work)
    assert Message.objects.filter(direction="in").count() == 4 * len(PEOPLE)


def test_what_one_person_wrote_keeps_its_order(number):
    writes = [text_item(f"wamid.{n}", PEOPLE[n % 3], f"{n}") for n in range(12)]
    with transaction.atomic():
        opened = Envelope.of(envelope(number, messages=writes))
        apply_callbacks.apply([apply_callbacks.Callback(uuid.uuid4(), None, opened)])
    for which in range(3):
        bodies = Message.objects.filter(recipient=PEOPLE[which]).order_by("pk").values_list("body", flat=True)
        assert [int(body) for body in bodies] == [n for n in range(12) if n % 3 == which]


def test_a_customer_may_be_written_to_while_what_he_wrote_is_applied(number):
    """The accept waits for no batch of callbacks: it only refers to the contact."""
    with transaction.atomic():
        apply_callbacks.apply([callback(number, 0, PEOPLE[:2])])
    known = Contact.objects.get(connection=number, wa_id=PEOPLE[0])
    with transaction.atomic():
        apply_callbacks.apply([callback(number, 1, PEOPLE[:2])])
        together(1, lambda _: make_due(number, 1, contact_id=known.pk))


def test_trouble_of_the_database_postpones_a_callback_by_seconds_and_counts_for_nothing(number):
    assert post(envelope(number, messages=[text_item("wamid.1", PEOPLE[0])])).status_code == 200

    def trouble(held):
        raise OperationalError("deadlock detected")

    for _ in range(inbox.MAX_ATTEMPTS + 2):
        InboundEvent.objects.update(due_at=timezone.now())
        assert inbox.drain(source=InboundEvent.Source.META, apply=trouble, seconds=2) == 0
        event = InboundEvent.objects.get()
        assert event.due_at is not None
        assert event.due_at < timezone.now() + timedelta(seconds=3)
        assert event.attempts == 0
