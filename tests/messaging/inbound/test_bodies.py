"""What a callback's body may be: whatever is signed is kept, whatever can be read of it is applied."""

from __future__ import annotations

import time

import pytest
from django.db import OperationalError

from devstack.meta import seed
from devstack.meta.callbacks import signature
from messaging.inbound import meta_endpoint
from messaging.models import Message, Status
from tests.support.json_texts import nested
from tests.support.meta import (
    apply_callbacks,
    envelope,
    make_due,
    post,
    raw_of,
    status_for,
    status_item,
    status_of,
    text_item,
)
from webhooks.incoming import archive, inbox
from webhooks.models import InboundEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("app_secret")]

UNREADABLE = {
    "empty": b"",
    "spaces": b"   ",
    "not JSON": b"{",
    "NUL alone": b"\x00",
    "a list": b"[]",
    "a list of one": b"[1]",
    "a text": b'"x"',
    "null": b"null",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "deep lists": b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep objects": nested(5000),
    "one level too deep": nested(65),
    "too many values": b'{"entry":[' + b"[]," * 1_000_000 + b"[]]}",
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_signed_body_that_cannot_be_read_is_kept_where_an_operator_sees_it(raw):
    assert post(raw).status_code == 200
    assert apply_callbacks() == 1
    event = InboundEvent.objects.get()
    assert archive.unseal(event.pk, bytes(event.raw)) == raw
    assert event.due_at is None
    (parked,) = event.parked
    assert parked["reason"]
    assert len(parked["item"]) <= 2_000


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unsigned_broken_body_leaves_no_trace(raw):
    assert post(raw, secret="nobodys").status_code == 401
    assert not InboundEvent.objects.exists()


STATUSES_KEY, FRONT = b'"statuses":', b'{"object":'
STYLES = {
    "a byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "a key twice": lambda raw: raw.replace(FRONT, b'{"object":"page","object":', 1),
    "a key twice inside": lambda raw: raw.replace(STATUSES_KEY, b'"statuses":[],"statuses":'),
    "a long number": lambda raw: raw.replace(FRONT, b'{"n":123456789012345678901234,"object":', 1),
    "a number of 5,000 digits": lambda raw: raw.replace(FRONT, b'{"n":' + b"9" * 5000 + b',"object":', 1),
    "a number beyond a double": lambda raw: raw.replace(FRONT, b'{"n":1e400,"object":', 1),
    "NaN": lambda raw: raw.replace(FRONT, b'{"n":[NaN,-Infinity],"object":', 1),
    "64 levels": lambda raw: raw.replace(FRONT, b'{"n":' + nested(63) + b',"object":', 1),
    "broken UTF-8": lambda raw: raw.replace(FRONT, b'{"n":"\xff\xed\xa0\x80","object":', 1),
    "a raw line break in a text": lambda raw: raw.replace(FRONT, b'{"n":"a\nb","object":', 1),
    "NUL in a key": lambda raw: raw.replace(FRONT, b'{"n\\u0000":1,"object":', 1),
    "half a pair in a key": lambda raw: raw.replace(FRONT, b'{"\\ud83d":1,"object":', 1),
}


@pytest.mark.parametrize("styled", STYLES.values(), ids=STYLES.keys())
def test_a_signed_callback_is_not_refused_for_its_style(number, styled):
    message = make_due(number, status=Status.SUBMITTING)[0]
    raw = raw_of(envelope(number, statuses=[status_for(message, "delivered")]))
    odd = styled(raw)
    assert odd != raw
    assert post(odd).status_code == 200
    apply_callbacks()
    assert status_of(message) == "delivered"
    assert InboundEvent.objects.get().parked == []


HALF = "HALF-A-PAIR"
ODD_TEXTS = {
    "half a pair": b"\\ud83d",
    "the other half": b"x\\udc4b",
    "NUL": b"a\\u0000b",
    "both": b"\\u0000\\udfff",
}
NEIGHBOURS = {
    "a message that is parked": {"messages": [{"from": "1", "timestamp": "1", "text": {"body": HALF}}]},
    "a message of another number": {
        "metadata": {"phone_number_id": "99"},
        "messages": [text_item("w.1", "1", HALF)],
    },
    "a message whose every word is odd": {
        "contacts": [{"wa_id": HALF, "user_id": HALF, "profile": {"name": HALF}}],
        "messages": [
            text_item(HALF, HALF, HALF, from_user_id=HALF, type=HALF, context={"id": HALF}),
            text_item("w.2", "14155550002", type="order", order={"text": HALF, HALF: [HALF]}),
        ],
    },
    "a status of no message": {
        "statuses": [status_item("w.3", "failed", errors=[{"code": 131026, "error_data": {"details": HALF}}])]
    },
    "a status that says who it is for": {
        "statuses": [status_item(HALF, "sent", recipient_id=HALF, pricing=HALF)]
    },
    "an opt-out": {
        "field": "user_preferences",
        "user_preferences": [{"wa_id": HALF, "value": "stop", "category": HALF}],
    },
    "a template": {
        "field": "message_template_status_update",
        "message_template_id": 7,
        "message_template_name": HALF,
        "message_template_language": HALF,
        "event": HALF,
        "reason": HALF,
    },
    "no item at all": {"messages": [HALF, [HALF], {HALF: HALF}], "statuses": HALF, "errors": HALF},
    "a new field": {"field": HALF, "event": HALF, HALF: HALF},
}


@pytest.mark.parametrize("written", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
@pytest.mark.parametrize("value", NEIGHBOURS.values(), ids=NEIGHBOURS.keys())
def test_an_odd_character_costs_no_healthy_neighbour(number, value, written):
    message = make_due(number, status=Status.SUBMITTING)[0]
    body = envelope(number, **value)
    healthy = envelope(
        number,
        statuses=[status_for(message, "read", pricing={"billable": True, "category": HALF})],
        messages=[text_item("wamid.healthy", "14155550555", "healthy")],
    )
    body["entry"] += healthy["entry"]
    assert post(raw_of(body).replace(HALF.encode(), written)).status_code == 200
    assert apply_callbacks() == 1
    assert status_of(message) == "read"
    message.refresh_from_db()
    assert message.pricing["billable"] is True
    assert "\x00" not in message.pricing["category"]
    message.pricing["category"].encode()
    assert Message.objects.get(wamid="wamid.healthy").body == "healthy"


@pytest.mark.parametrize(
    ("more", "recipient"),
    [
        ({"from": "1" * 28}, ""),
        ({"from": "14155550555" * 3, "from_user_id": "US.1"}, ""),
        ({"from_user_id": "US." + "x" * 300}, "14155550001"),
        ({"from": 14155550001}, "14155550001"),
    ],
    ids=["a long number", "a long number beside a user id", "a long user id", "a number as a number"],
)
def test_a_name_that_is_too_long_for_anybody_does_not_cost_the_message(number, more, recipient):
    """It is kept, and it is nobody else's: a part of a number would be another person's number."""
    assert post(envelope(number, messages=[text_item("wamid.1", "14155550001") | more])).status_code == 200
    apply_callbacks()
    assert InboundEvent.objects.get().parked == []
    assert Message.objects.get(wamid="wamid.1").recipient == recipient


def test_a_code_too_large_for_a_code_does_not_cost_the_failure(number):
    message = make_due(number, status=Status.SUBMITTING)[0]
    errors = [{"code": 99_999_999_999, "title": "New"}]
    assert post(envelope(number, statuses=[status_for(message, "failed", errors=errors)])).status_code == 200
    apply_callbacks()
    assert status_of(message) == "failed"
    assert InboundEvent.objects.get().parked == []


# --- what is refused before anybody has vouched for it


@pytest.mark.parametrize("header", ["x", "", "sha256=" + "0" * 64])
@pytest.mark.parametrize(
    "raw",
    [
        b'{"entry":[' + b"[]," * 1_390_000 + b"[]]}",
        b'{"entry":[' + b'"",' * 1_390_000 + b'""]}',
        b'{"phone_number_id":"1",' * 170_000 + b'"a":1' + b"}" * 170_000,
        b'{"entry":[' + b'{"id":"7"},' * 380_000 + b"1]}",
    ],
    ids=["lists", "texts", "numbers", "ids"],
)
def test_an_unproven_body_costs_next_to_nothing(header, raw):
    assert len(raw) <= meta_endpoint.MAX_BYTES
    started = time.process_time()
    assert post(raw, secret=None, header=header).status_code == 401
    # Reading it as JSON costs more than a second.
    assert time.process_time() - started < 0.3


def padded(number, size: int) -> bytes:
    raw = raw_of(envelope(number, statuses=[], padding=""))
    return raw.replace(b'"padding":""', b'"padding":"' + b"x" * (size - len(raw)) + b'"')


def test_a_body_of_the_largest_size_is_taken(number):
    raw = padded(number, meta_endpoint.MAX_BYTES)
    assert len(raw) == meta_endpoint.MAX_BYTES
    assert post(raw).status_code == 200


def test_a_larger_body_is_refused_also_with_a_right_signature(number):
    assert post(padded(number, meta_endpoint.MAX_BYTES + 1)).status_code == 413
    assert not InboundEvent.objects.exists()


def test_a_body_that_lies_about_its_length_is_refused(number):
    # What was announced is read, and that is not what was signed.
    assert post(padded(number, 3000), CONTENT_LENGTH="100").status_code == 401
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize("length", ["-1", "", "abc", "9" * 30])
def test_an_odd_content_length_is_no_crash(number, length):
    answer = post(envelope(number, statuses=[]), CONTENT_LENGTH=length)
    assert answer.status_code in (200, 401, 413)


def test_the_largest_callback_of_meta_is_taken(number):
    statuses = [
        status_item(
            f"wamid.{index:050d}",
            "delivered",
            pricing={"billable": True, "pricing_model": "PMP", "type": "regular", "category": "utility"},
            conversation={"id": "c" * 32, "origin": {"type": "utility"}},
            recipient_user_id="US.1",
        )
        for index in range(1000)
    ]
    assert post(envelope(number, statuses=statuses)).status_code == 200


def test_a_callback_that_cannot_be_stored_is_asked_for_again(number, monkeypatch):
    def away(**_):
        raise OperationalError("the database is away")

    monkeypatch.setattr(inbox, "receive", away)
    answer = post(envelope(number, statuses=[]))
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert "database" not in answer.content.decode()


def test_the_content_type_does_not_matter_the_signature_does(number):
    from django.test import Client

    raw = raw_of(envelope(number, statuses=[]))
    header = signature(seed.APP_SECRET.encode(), raw)
    answer = Client().generic(
        "POST", "/webhooks/whatsapp", raw, content_type="text/plain", HTTP_X_HUB_SIGNATURE_256=header
    )
    assert answer.status_code == 200
