"""Callbacks as they came: unreadable in the database, applied again without harm, then forgotten."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts import vault
from accounts.vault import CannotOpen, new_key
from messaging.models import Message, MessageEvent, Status, Suppression, Template
from messaging.upkeep import housekeeping
from tests.factories import connect
from tests.support.meta import (
    apply_callbacks,
    envelope,
    history,
    know_template,
    make_due,
    person,
    post,
    raw_of,
    ref_of,
    status_for,
    status_item,
    status_of,
    text_item,
)
from webhooks.incoming import archive, inbox
from webhooks.models import InboundEvent

pytestmark = [pytest.mark.usefixtures("app_secret"), pytest.mark.django_db]
DAY = timedelta(days=1)


def reprocess(*arguments: str) -> str:
    out = StringIO()
    call_command("reprocess_callbacks", *arguments, stdout=out)
    return out.getvalue().strip()


def aged(days: float, **filters) -> None:
    InboundEvent.objects.filter(**filters).update(received_at=timezone.now() - days * DAY)


# --- kept, but not readable


def test_what_a_person_wrote_is_not_in_the_database_in_the_clear(number):
    body = envelope(number, messages=[text_item("wamid.in", person(), "my secret canary")])
    post(body)
    with connection.cursor() as cursor:
        cursor.execute("SELECT encode(raw, 'escape') FROM webhooks_inboundevent")
        (stored,) = cursor.fetchone()
    assert "canary" not in stored
    assert "wamid" not in stored
    event = InboundEvent.objects.get()
    assert event.names == ""
    assert archive.unseal(event.pk, bytes(event.raw)) == raw_of(body)


def test_a_kept_callback_opens_only_in_its_own_row(number):
    for nonce in range(2):
        post(envelope(number, statuses=[], nonce=nonce))
    first, second = InboundEvent.objects.order_by("id")
    with pytest.raises(CannotOpen):
        archive.unseal(second.pk, bytes(first.raw))


@pytest.mark.parametrize("position", [0, 3, 11, 12, 20, -1])
def test_an_altered_callback_does_not_open(number, position):
    post(envelope(number, statuses=[]))
    event = InboundEvent.objects.get()
    altered = bytearray(event.raw)
    altered[position] ^= 1
    if position == 0:  # no longer a sealed value at all: then it must not be JSON either
        assert archive.unseal(event.pk, bytes(altered))[:1] != b"{"
        return
    with pytest.raises(CannotOpen):
        archive.unseal(event.pk, bytes(altered))


def test_a_callback_stored_before_callbacks_were_sealed_is_still_applied(number):
    message = make_due(number, status=Status.SUBMITTING)[0]
    body = envelope(number, statuses=[status_for(message, "sent")])
    post(body)
    InboundEvent.objects.update(raw=raw_of(body))
    apply_callbacks()
    assert status_of(message) == "sent"


def test_a_callback_whose_key_is_lost_harms_no_other_and_is_parked(number, settings):
    first, second = make_due(number, 2, status=Status.SUBMITTING)
    kept = settings.CREDENTIALS_KEYS
    post(envelope(number, statuses=[status_for(first, "sent")]))
    lost = InboundEvent.objects.get()
    settings.CREDENTIALS_KEYS = [new_key()]
    inbox.receive(
        source=InboundEvent.Source.META,
        account_id=None,
        raw=raw_of(envelope(number, statuses=[status_for(second, "sent")])),
    )
    for _ in range(inbox.MAX_ATTEMPTS):
        InboundEvent.objects.filter(due_at__isnull=False).update(due_at=timezone.now() - DAY)
        apply_callbacks()
    assert status_of(second) == "sent"
    lost.refresh_from_db()
    assert (lost.due_at, lost.applied_at) == (None, None)
    assert "CannotOpen" in lost.parked[0]["reason"]
    settings.CREDENTIALS_KEYS = kept
    assert reprocess("--since", "1h", "--unfinished") == "1 callbacks will be applied again"
    apply_callbacks()
    assert status_of(first) == "sent"


def test_a_rotation_seals_kept_callbacks_anew(number, settings):
    old, new = settings.CREDENTIALS_KEYS[0], new_key()
    bodies = [envelope(number, statuses=[], nonce=nonce) for nonce in range(3)]
    for body in bodies:
        post(body)
    settings.CREDENTIALS_KEYS = [new, old]
    out = StringIO()
    call_command("rotate_credentials_key", stdout=out)
    assert "resealed 3 kept callbacks" in out.getvalue()
    settings.CREDENTIALS_KEYS = [new]
    opened = {archive.unseal(one.pk, bytes(one.raw)) for one in InboundEvent.objects.all()}
    assert opened == {raw_of(body) for body in bodies}
    assert not any(count.resealed for count in archive.reseal())


def test_a_rotation_says_which_callbacks_it_could_not_open(number, settings):
    post(envelope(number, statuses=[]))
    settings.CREDENTIALS_KEYS = [new_key()]
    with pytest.raises(CommandError, match="could not be opened"):
        call_command("rotate_credentials_key", stdout=StringIO())


def test_our_own_references_in_it_are_findable_until_it_is_applied(number):
    message = make_due(number, status=Status.SUBMITTING)[0]
    foreign = status_item("wamid.x", "sent", biz_opaque_callback_data="another program's " * 20)
    post(envelope(number, statuses=[status_for(message, "sent"), status_for(message, "read"), foreign]))
    assert InboundEvent.objects.get().names == ref_of(message)
    apply_callbacks()
    assert InboundEvent.objects.get().names == ""


# --- forgotten


def test_the_bytes_are_wiped_after_their_days_and_the_digest_stays(number, settings):
    body = envelope(number, statuses=[])
    post(body)
    apply_callbacks()
    aged(6.9)
    housekeeping.sweep()
    assert bytes(InboundEvent.objects.get().raw) != b""
    aged(7.1)
    housekeeping.sweep()
    assert bytes(InboundEvent.objects.get().raw) == b""
    post(body)
    assert InboundEvent.objects.count() == 1, "a replayed callback is still a known one"
    aged(30.1)
    housekeeping.sweep()
    assert not InboundEvent.objects.exists()


def test_stripes_events_are_known_for_sixty_days_and_their_bytes_wiped_like_all():
    stripe = InboundEvent.Source.STRIPE
    inbox.receive(source=stripe, account_id=None, raw=b'{"id": "evt_1"}', known_as="evt_1")
    InboundEvent.objects.update(due_at=None)
    aged(59.9)
    assert archive.sweep() == archive.Swept(emptied=1, deleted=0)
    assert not inbox.receive(source=stripe, account_id=None, raw=b'{"id":"evt_1"}', known_as="evt_1")
    aged(60.1)
    assert archive.sweep() == archive.Swept(emptied=0, deleted=1)


def test_an_id_of_stripes_is_not_mistaken_for_bytes_or_for_an_id_of_another():
    for source in InboundEvent.Source:
        for raw, known_as in ((b"evt_1", ""), (b"id:evt_1", ""), (b"x", "evt_1"), (b"x", ":evt_1")):
            assert inbox.receive(source=source, account_id=None, raw=raw, known_as=known_as)


@pytest.mark.parametrize(("days", "age", "kept"), [(0, 0.01, False), (60, 59, True), (60, 61, False)])
def test_how_long_is_a_setting(number, settings, days, age, kept):
    settings.CALLBACKS_KEPT_DAYS = days
    post(envelope(number, statuses=[]))
    apply_callbacks()
    aged(age)
    archive.sweep()
    assert InboundEvent.objects.exclude(raw=b"").exists() is kept


def test_what_is_still_to_be_applied_is_kept_however_old(number, settings, monkeypatch):
    settings.CALLBACKS_KEPT_DAYS = 0
    monkeypatch.setattr(archive, "BATCH", 2)
    message = make_due(number, status=Status.SUBMITTING)[0]
    post(envelope(number, statuses=[status_for(message, "sent")]))
    aged(40)
    for nonce in range(5):
        post(envelope(number, statuses=[], nonce=nonce))
    InboundEvent.objects.exclude(pk=InboundEvent.objects.earliest("received_at").pk).update(due_at=None)
    aged(1, due_at=None)
    assert archive.sweep() == archive.Swept(emptied=5, deleted=0)
    apply_callbacks()
    assert status_of(message) == "sent"


# --- applied again


def test_applying_again_changes_nothing_that_was_applied(number):
    message = make_due(number, status=Status.SUBMITTING)[0]
    sender = person()
    post(envelope(number, statuses=[status_for(message, "sent"), status_for(message, "read")]))
    post(envelope(number, messages=[text_item("wamid.in", sender, "Hello")]))
    apply_callbacks()
    before = (history(message), Message.objects.count(), MessageEvent.objects.count())
    for _ in range(3):
        assert reprocess("--since", "1d") == "2 callbacks will be applied again"
        assert apply_callbacks() == 2
    assert (history(message), Message.objects.count(), MessageEvent.objects.count()) == before
    number.account.refresh_from_db()
    assert number.account.messages_sent == 1


def test_what_was_parked_is_applied_once_its_cause_is_gone(alice):
    stray = envelope("123456123", messages=[text_item("wamid.in", person(), "Hello")])
    post(stray)
    apply_callbacks()
    assert not Message.objects.exists()
    connect(alice, phone_number_id="123456123")
    assert reprocess("--since", "1h", "--unfinished") == "1 callbacks will be applied again"
    apply_callbacks()
    assert Message.objects.get().body == "Hello"
    assert reprocess("--since", "1h", "--unfinished") == "0 callbacks will be applied again"


def test_old_news_does_not_undo_what_came_later(number):
    template = know_template(number, "MARKETING")
    news = {
        "event": "PAUSED",
        "message_template_id": int(template.meta_id),
        "message_template_name": template.name,
        "message_template_language": template.language,
    }
    phone = person()
    wish = {"wa_id": phone, "category": "marketing_messages", "value": "stop", "timestamp": 1_700_000_000}
    message = make_due(number, status=Status.SENT, wamid="wamid.m", due_at=None)[0]
    stopped = status_item(
        "wamid.m", "failed", errors=[{"code": 131050, "title": "stopped"}], recipient_id=phone
    )
    body = envelope(number, field="message_template_status_update", **news)
    body["entry"][0]["id"] = template.waba_id
    post(body)
    post(envelope(number, field="user_preferences", user_preferences=[wish]))
    post(envelope(number, statuses=[stopped]))
    apply_callbacks()
    template.refresh_from_db()
    assert template.status == "PAUSED"
    assert Suppression.objects.filter(phone=phone).exists()
    assert status_of(message) == "failed"
    Template.objects.update(status="APPROVED")
    Suppression.objects.all().delete()
    reprocess("--since", "1h")
    assert apply_callbacks() == 3
    template.refresh_from_db()
    assert template.status == "APPROVED"
    assert not Suppression.objects.exists()


def test_they_come_in_the_order_in_which_they_came_first(number, monkeypatch):
    monkeypatch.setattr(archive, "BATCH", 2)
    for nonce in range(7):
        post(envelope(number, statuses=[], nonce=nonce))
    apply_callbacks()
    ids = list(InboundEvent.objects.order_by("id").values_list("pk", flat=True))
    for place, ident in enumerate(reversed(ids)):
        aged(1 - place / 100, pk=ident)
    assert reprocess("--since", "2d") == "7 callbacks will be applied again"
    again = list(InboundEvent.objects.order_by("due_at").values_list("pk", flat=True))
    assert again == list(reversed(ids))


def test_only_the_time_asked_for_is_applied_again(number, charlie):
    for age, nonce in ((1, 1), (3, 2), (5, 3)):
        post(envelope(number, statuses=[], nonce=nonce))
        aged(age, pk=InboundEvent.objects.latest("id").pk)
    apply_callbacks()
    start = (timezone.now() - 4 * DAY).isoformat()
    assert reprocess("--since", start, "--until", "2d").startswith("1 callbacks")
    assert reprocess("--since", "2d").startswith("1 callbacks")
    assert reprocess("--since", "4d", "--account", str(charlie.pk)).startswith("0 callbacks")


def test_only_the_source_asked_for_is_applied_again(number):
    post(envelope(number, statuses=[]))
    for ident in ("evt_1", "evt_2"):
        inbox.receive(source=InboundEvent.Source.STRIPE, account_id=None, raw=ident.encode(), known_as=ident)
    InboundEvent.objects.update(due_at=None)
    assert reprocess("--since", "1h", "--source", "stripe").startswith("2 callbacks")
    assert reprocess("--since", "1h").startswith("1 callbacks")


def test_it_says_what_is_no_longer_kept():
    assert "older than 7 days are no longer kept" in reprocess("--since", "8d")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--since", "yesterday"],
        ["--since", "2026-05-01T10:00:00"],
        ["--since", "2026-13-01T10:00:00Z"],
        ["--since", "0h"],
        ["--since", "1h", "--until", "2h"],
        ["--since", "1h", "--account", "nobody"],
        ["--since", "1h", "--source", "nobody"],
        ["--since", "1h", "--source", "stripe", "--account", "00000000-0000-0000-0000-000000000000"],
        ["--since", "1h", "--account", "00000000-0000-0000-0000-000000000000"],
        [],
    ],
)
def test_it_refuses_what_it_cannot_read(arguments):
    with pytest.raises(CommandError):
        reprocess(*arguments)


def test_sealed_documents_and_sealed_texts_are_not_mistaken_for_each_other():
    ring = vault.ring()
    with pytest.raises(CannotOpen):
        ring.open(ring.seal_bytes(b"x" * 40, context="a").decode("latin-1"), context="a")
    with pytest.raises(CannotOpen):
        ring.open_bytes(ring.seal("x" * 40, context="a").encode(), context="a")
    for junk in (
        b"",
        b"v1",
        b"v1.",
        b"v1.\xff.",
        b"v1." + ring.sealing_id.encode() + b".",
        b"v1.00000000.xx",
    ):
        with pytest.raises(CannotOpen):
            ring.open_bytes(junk, context="a")
