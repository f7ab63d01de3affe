"""Every doubtful JSON text, at three places of a body, at every endpoint: refused in its own words."""

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

Endpoint = Callable[[bytes], HttpResponse]
#: texts that are well-formed values and only refused because a body must be an object
VALUES = {"a list", "a string", "a number", "null", "true"}
FAULTY = {name: raw for name, raw in REFUSED.items() if name not in VALUES}


@pytest.fixture
def endpoints(settings) -> dict[str, Endpoint]:
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


@pytest.mark.parametrize("raw", FAULTY.values(), ids=FAULTY.keys())
def test_a_faulty_text_is_refused_of_a_customer_and_kept_of_meta(endpoints, raw):
    """Whoever signs a stranger's words is not at fault for them: 200, stored, parked if unreadable."""
    for kept, body in enumerate(places(raw), start=1):
        answer = endpoints["send"](body)
        nothing_there = body != raw and not raw.strip()
        assert answer.status_code in (400, 413) or nothing_there, (body[:80], answer.content)
        assert endpoints["callback"](body).status_code == 200, body[:80]
        assert InboundEvent.objects.count() == kept
    if raw.strip():
        assert not Message.objects.exists()


@pytest.mark.parametrize("raw", [raw for raw, _ in ACCEPTED.values()], ids=ACCEPTED.keys())
def test_an_unusual_text_is_no_crash_anywhere(endpoints, raw):
    for endpoint in endpoints.values():
        for body in places(raw):
            assert endpoint(body).status_code in (200, 202, 400, 413)


def test_a_value_that_is_no_object_is_no_body(endpoints):
    for name in VALUES:
        assert endpoints["send"](REFUSED[name]).status_code == 400
        assert endpoints["callback"](REFUSED[name]).status_code == 200
