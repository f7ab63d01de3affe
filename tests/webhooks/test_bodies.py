"""What a callback's body may be: JSON of a bounded size; the rest is refused before it is stored."""

from __future__ import annotations

import json

import pytest
from django.db import OperationalError

from devstack.meta import seed
from devstack.meta.callbacks import signature
from messaging.inbound import meta_endpoint
from tests.support.meta import envelope, post, raw_of, status_item
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("app_secret")]

BROKEN = {
    "empty": b"",
    "spaces": b"   ",
    "not JSON": b"{",
    "a list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "not UTF-8": b'{"a": "\xff"}',
    "byte order mark": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a key twice": b'{"object": "a", "object": "b"}',
    "not a number": b'{"a": NaN}',
    "a very long number": b'{"a": ' + b"9" * 5000 + b"}",
    "deep lists": b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "deep objects": b'{"a": ' * 5000 + b"1" + b"}" * 5000,
    "too many keys": json.dumps({str(key): 1 for key in range(meta_endpoint.MAX_KEYS + 1)}).encode(),
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_a_body_that_is_not_proper_json_is_refused(raw):
    assert post(raw).status_code == 400
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_an_unsigned_broken_body_is_no_crash_either(raw):
    assert post(raw, secret="nobodys").status_code in (400, 401)
    assert not InboundEvent.objects.exists()


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
    assert post(padded(number, 3000), CONTENT_LENGTH="100").status_code in (400, 401)
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize("length", ["-1", "", "abc", "9" * 30])
def test_an_odd_content_length_is_no_crash(number, length):
    answer = post(envelope(number, statuses=[]), CONTENT_LENGTH=length)
    assert answer.status_code in (200, 400, 401, 413)


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
