"""The whole way: queued, called, accepted, reported by callbacks; through HTTP in both directions."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Number
from core.jobs import shutdown
from messaging.compose.drafts import RawTemplate, Text
from messaging.models import Message, MessageEvent, OrphanStatus, Status
from tests.support.meta import (
    all_callbacks,
    apply_callbacks,
    drain,
    draining,
    history,
    let_time_pass,
    person,
    queue,
    queue_many,
    queue_text,
    reaches,
    row,
    status_of,
)
from tests.support.waiting import eventually

WHOLE_WAY = ["queued", "sent", "delivered", "read"]


def count_of(account) -> int:
    account.refresh_from_db()
    return account.messages_sent


def test_a_text_is_sent_delivered_and_read(meta, number):
    message = queue_text(meta, number, body='Grüße \N{WAVING HAND SIGN} an "dich"')
    assert drain().sent == 1
    accepted = row(message)
    assert (accepted.status, accepted.attempts, accepted.due_at) == ("sent", 1, None)
    final = reaches(message, "read")
    assert history(message) == WHOLE_WAY
    assert final.sent_at <= final.delivered_at <= final.read_at
    (line,) = meta.ledger(message)
    assert final.wamid == line.wamid
    assert line.body["text"]["body"] == 'Grüße \N{WAVING HAND SIGN} an "dich"'
    assert final.pricing["category"] == "service"
    assert count_of(number.account) == 1


def test_a_template_is_sent_delivered_and_read(meta, number):
    message = queue(number.account)
    drain()
    assert reaches(message, "read").pricing["category"] == "utility"
    assert history(message) == WHOLE_WAY


def test_the_call_for_a_text_is_what_meta_wants(meta, number):
    to = person()
    message = queue_text(meta, number, to=to)
    drain()
    (line,) = meta.ledger(message)
    assert json.loads(line.raw) == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": f"+{to}",
        "type": "text",
        "text": {"body": "Hello"},
        "biz_opaque_callback_data": f"hm:{message.pk}",
    }
    assert line.phone_number_id == number.phone_number_id


def test_the_call_for_a_template_is_what_meta_wants(meta, number):
    components = [
        {"type": "body", "parameters": [{"type": "text", "text": "Ada"}, {"type": "text", "text": "42"}]}
    ]
    message = queue(number.account, what=RawTemplate("order_ready", "en_US", components))
    drain()
    (line,) = meta.ledger(message)
    assert line.body["type"] == "template"
    assert line.body["template"] == {
        "name": "order_ready",
        "language": {"code": "en_US"},
        "components": components,
    }
    assert line.body["biz_opaque_callback_data"] == f"hm:{message.pk}"


def test_many_messages_arrive_each_once(meta, alice):
    number = meta.connect(alice, rate=1000)
    messages = queue_many(alice, 120)
    assert drain().sent == 120
    assert len(meta.ledger()) == 120
    assert {len(meta.ledger(one)) for one in messages} == {1}
    all_callbacks(meta)
    assert set(Message.objects.filter(connection=number).values_list("status", flat=True)) == {"read"}
    assert count_of(alice) == 120
    assert MessageEvent.objects.filter(message__in=messages).count() == 4 * 120
    assert not OrphanStatus.objects.exists()


# --- recipients with a fate


@pytest.mark.parametrize(
    ("digits", "code"),
    [
        *(("0001", 131026), ("0002", 131047), ("0003", 131049), ("0004", 131050)),
        *(("0005", 131053), ("0006", 130472), ("0007", 131042)),
    ],
)
def test_a_failure_that_meta_reports_later_ends_the_message(meta, number, digits, code):
    message = queue(number.account, to=person(digits))
    drain()
    assert status_of(message) == "sent"
    final = reaches(message, "failed")
    assert final.error_code == code
    assert final.failure and final.error_message and final.failed_at
    assert final.error_detail["source"] == "callback"
    assert history(message) == ["queued", "sent", "failed"]
    assert final.sent_at is not None  # Meta had accepted it
    assert count_of(number.account) == 1


def test_text_outside_the_window_fails_with_metas_reason(meta, number):
    message = queue(number.account, what=Text("Hello"))
    drain()
    assert reaches(message, "failed").error_code == 131047


def test_read_without_delivered_is_delivered_too(meta, number):
    message = queue(number.account, to=person("0020"))
    drain()
    final = reaches(message, "read")
    assert final.delivered_at is not None
    assert history(message) == ["queued", "sent", "read"]


def test_sent_for_ever_stays_sent(meta, number):
    message = queue(number.account, to=person("0021"))
    drain()
    all_callbacks(meta)
    let_time_pass(number.account)
    drain()
    assert status_of(message) == "sent"
    assert len(meta.ledger(message)) == 1


def test_a_failure_after_delivery_is_ignored(meta, number):
    message = queue(number.account, to=person("0024"))
    drain()
    all_callbacks(meta)
    assert status_of(message) == "delivered"
    assert row(message).error_code is None


def test_callbacks_in_reverse_order_end_as_read(meta, number):
    message = queue(number.account, to=person("0025"))
    drain()
    all_callbacks(meta)
    final = row(message)
    assert final.status == "read"
    assert final.sent_at <= final.delivered_at <= final.read_at
    # A delivery that is reported after the reading and dated later than it says nothing new (W22).
    assert {"queued", "sent", "read"} <= set(history(message)) <= set(WHOLE_WAY)


def test_callbacks_that_come_three_times_count_once(meta, number):
    message = queue(number.account, to=person("0027"))
    drain()
    all_callbacks(meta)
    assert history(message) == WHOLE_WAY
    assert count_of(number.account) == 1


def test_a_callback_before_the_answer_is_no_orphan(meta, number):
    message = queue(number.account, to=person("0026"))
    drain()
    all_callbacks(meta)
    assert status_of(message) == "read"
    assert history(message) == WHOLE_WAY
    assert not OrphanStatus.objects.exists()
    assert row(message).wamid == meta.ledger(message)[0].wamid


def test_callbacks_that_were_applied_before_the_answer_are_not_undone_by_it(meta, number):
    message = queue(number.account, to=person("0015"))  # accepted, answered late
    with draining():
        eventually(lambda: meta.ledger(message))
        reaches(message, "read")
        assert status_of(message) == "read"
    assert status_of(message) == "read"
    assert history(message) == WHOLE_WAY
    assert count_of(number.account) == 1
    assert row(message).wamid == meta.ledger(message)[0].wamid


def test_a_user_id_instead_of_a_number_finds_its_message(meta, number):
    message = queue(number.account, to=person("0023"))
    drain()
    assert reaches(message, "read").recipient == message.recipient
    assert not OrphanStatus.objects.exists()


def test_one_slow_answer_holds_up_nobody(meta, alice):
    meta.connect(alice, rate=1000)
    meta.options(slow_seconds=5)
    slow = queue(alice, to=person("0015"))
    others = queue_many(alice, 49)
    with draining():
        eventually(lambda: {status_of(one) for one in others} == {"sent"}, 10)
        assert status_of(slow) == "submitting"
    assert status_of(slow) == "sent"
    assert len(meta.ledger()) == 50


# --- the conversation


def test_a_number_that_meta_calls_otherwise_is_one_conversation(meta, number):
    message = queue(number.account, to=person("0022"))
    drain()
    all_callbacks(meta)
    assert status_of(message) == "read"
    contact = row(message).contact
    (line,) = meta.ledger(message)
    assert line.wa_id != message.recipient
    assert (contact.phone, contact.wa_id) == (message.recipient, line.wa_id)
    meta.writes(number, line.wa_id, text="Thanks")
    eventually(lambda: apply_callbacks() and Message.objects.filter(direction="in").exists())
    answer = Message.objects.get(direction="in")
    assert answer.contact == contact
    # The next message to the dialled number is in the same conversation.
    assert queue(number.account, to=message.recipient).contact == contact


def test_a_conversation_that_the_customer_began_takes_over_the_message(meta, number):
    to = person("0022")
    first = queue(number.account, to=to)
    # The same person writes before we have learnt his other number.
    from devstack.meta.magic import other_wa_id

    meta.writes(number, other_wa_id(to), text="Hi")
    eventually(lambda: apply_callbacks() and Message.objects.filter(direction="in").exists())
    drain()
    inbound = Message.objects.get(direction="in")
    assert row(first).contact == inbound.contact
    assert inbound.contact.phone is not None


# --- without Meta, and later


def test_a_dry_run_walks_the_whole_way_without_a_call(meta, number):
    requests = meta.world.stats["requests"]
    message = queue(number.account, dry_run=True)
    drain()
    final = row(message)
    assert (final.status, final.wamid, final.attempts) == ("delivered", None, 0)
    assert history(message) == ["queued", "sent", "delivered"]
    assert meta.world.stats["requests"] == requests
    assert count_of(number.account) == 0


def test_a_dry_run_needs_no_credentials(meta, charlie):
    message = queue(charlie, dry_run=True)
    drain()
    assert status_of(message) == "delivered"


def test_a_scheduled_message_does_not_leave_before_its_time(meta, number):
    message = queue(number.account, send_at=timezone.now() + timedelta(hours=1))
    drain()
    assert (status_of(message), meta.ledger()) == ("scheduled", [])
    assert (row(message).attempts, history(message)) == (0, ["scheduled"])


def test_a_scheduled_message_leaves_at_its_time(meta, number):
    message = queue(number.account, send_at=timezone.now() + timedelta(seconds=1))
    with draining(linger=10):
        eventually(lambda: meta.ledger(message))
        shutdown.asked.set()
    (line,) = meta.ledger(message)
    assert line.accepted_at >= message.scheduled_for.timestamp()
    assert history(message) == ["scheduled", "queued", "sent"]


def test_a_scheduled_dry_run_waits_too(meta, number):
    message = queue(number.account, dry_run=True, send_at=timezone.now() + timedelta(hours=1))
    drain()
    assert status_of(message) == Status.SCHEDULED
    let_time_pass(number.account)
    drain()
    assert status_of(message) == "delivered"


def test_nothing_due_means_no_work(meta, number):
    run = drain()
    assert (run.sent, run.cut_short) == (0, False)


def test_the_log_of_the_call_carries_the_correlation_id_of_the_request(meta, number, caplog):
    message = queue(number.account)
    Message.objects.filter(pk=message.pk).update(correlation_id="req_both-ends")
    with caplog.at_level("INFO", logger="messaging.send.worker"):
        drain()
    lines = [str(record.msg) for record in caplog.records if "called Meta" in str(record.msg)]
    assert len(lines) == 1
    assert "req_both-ends" in lines[0] and str(message.pk) in lines[0]


def test_a_simulation_does_not_wait_for_a_number_that_is_held(meta, number, alice):
    Number.objects.filter(pk=number.pk).update(status="held")
    message = queue(alice, dry_run=True)
    drain()
    assert row(message).status != Status.QUEUED
