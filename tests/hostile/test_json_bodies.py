"""Every doubtful JSON text, at three places of a body, at every door: refused in the door's own words."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest
from django.http import HttpResponse

from messaging.models import Message
from tests.factories import APP_SECRET, Api, api, connect, make_account
from tests.support.json_texts import ACCEPTED, REFUSED
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db

Door = Callable[[bytes], HttpResponse]
#: texts that are well-formed values and only refused because a body must be an object
VALUES = {"a list", "a string", "a number", "null", "true"}
FAULTY = {name: raw for name, raw in REFUSED.items() if name not in VALUES}


@pytest.fixture
def doors(settings) -> dict[str, Door]:
    """Return how to bring a body to each receiver."""
    settings.META_APP_SECRET = APP_SECRET
    account = make_account("enterprise")
    connect(account)
    customer = api(account)

    def callback(raw: bytes) -> HttpResponse:
        signed = "sha256=" + hmac.new(APP_SECRET.encode(), raw, hashlib.sha256).hexdigest()
        return Api().send("POST", "/webhooks/whatsapp", raw, HTTP_X_HUB_SIGNATURE_256=signed)

    return {"send": lambda raw: customer.send("POST", "/send-message", raw), "callback": callback}


def places(raw: bytes) -> list[bytes]:
    """Put a text where a body, a member's value and an element may stand."""
    return [
        raw,
        b'{"to":"14155552671","message":"Hello","metadata":' + raw + b"}",
        b'{"to":"14155552671","message":"Hello","metadata":{"l":[' + raw + b"]}}",
    ]


# A chat may hold half a surrogate or NUL, and a callback a thousand items: those are taken and kept.
CHAT = ("NUL", "surrogate", "too many keys")


@pytest.mark.parametrize("raw", FAULTY.values(), ids=FAULTY.keys())
def test_a_faulty_text_is_refused_wherever_it_stands(doors, raw, request):
    name = request.node.callspec.id
    for body in places(raw):
        answer = doors["send"](body)
        nothing_there = body != raw and not raw.strip()
        assert answer.status_code == 400 or nothing_there, (body[:80], answer.content)
        answer = doors["callback"](body)
        if any(word in name for word in CHAT):
            assert answer.status_code in (200, 400)
        else:
            assert answer.status_code == 400 or nothing_there, (body[:80], answer.content)
    if not raw.strip():
        return
    assert not Message.objects.exists()
    if not any(word in name for word in CHAT):
        assert not InboundEvent.objects.exists()


@pytest.mark.parametrize("raw", [raw for raw, _ in ACCEPTED.values()], ids=ACCEPTED.keys())
def test_an_unusual_text_is_no_crash_anywhere(doors, raw):
    for door in doors.values():
        for body in places(raw):
            assert door(body).status_code in (200, 202, 400)


def test_a_value_that_is_no_object_is_no_body(doors):
    for name in VALUES:
        for door in doors.values():
            assert door(REFUSED[name]).status_code == 400
