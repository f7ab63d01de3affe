"""The correlation id: the client's own is honoured when harmless, else one is made; every answer has it."""

from __future__ import annotations

import re

import pytest
import structlog

from core.correlation import correlation_id
from messaging.models import Message
from tests.factories import api, connect, make_account

MADE = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")


def given(ident: str) -> str:
    answer = api().get("/healthz", headers={"X-Correlation-ID": ident})
    return answer["X-Correlation-ID"]


@pytest.mark.parametrize("ident", ["a", "order-1042", "req_01H8.x:y-Z_9", "A" * 128, "0"])
def test_it_honours_the_clients_id(ident):
    assert given(ident) == ident


@pytest.mark.parametrize(
    "ident",
    ["", "A" * 129, "a b", " a", "a\n", "a\r\nX-Evil: 1", "ä", "a/b", "a;b", "<script>", '"', "a,b", "\x00"],
)
def test_it_replaces_an_id_that_is_long_or_harmful(ident):
    answer = api().get("/healthz", HTTP_X_CORRELATION_ID=ident)
    assert MADE.fullmatch(answer["X-Correlation-ID"])
    assert "X-Evil" not in answer


def test_it_makes_a_fresh_id_for_each_request():
    idents = {api().get("/healthz")["X-Correlation-ID"] for _ in range(5)}
    assert len(idents) == 5
    assert all(MADE.fullmatch(ident) for ident in idents)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/me"),
        ("GET", "/nowhere"),
        ("DELETE", "/auth/register"),
        ("POST", "/auth/register"),
        ("GET", "/"),
        ("GET", "/docs"),
        ("POST", "/webhooks/whatsapp"),
    ],
)
def test_every_answer_carries_it(method, path):
    answer = api().send(method, path, headers={"X-Correlation-ID": "mine-1"})
    assert answer["X-Correlation-ID"] == "mine-1"


def test_even_a_wrong_host_gets_one():
    answer = api().get("/healthz", headers={"Host": "evil.example", "X-Correlation-ID": "mine-1"})
    assert answer.status_code == 400
    assert answer["X-Correlation-ID"] == "mine-1"


def test_a_crash_carries_it_and_its_log_line_too(settings, log):
    settings.ROOT_URLCONF = "tests.core.crashing_urls"
    for path in ("/crash/api", "/crash/page"):
        answer = api().get(path, headers={"X-Correlation-ID": "mine-1"})
        assert answer.status_code == 500
        assert answer["X-Correlation-ID"] == "mine-1"
    broken = [line for line in log.lines if line["level"] == "error"]
    assert len(broken) >= 2
    assert {line["correlation_id"] for line in broken} == {"mine-1"}


@pytest.mark.django_db
def test_a_message_remembers_the_request_it_came_by():
    account = make_account()
    connect(account)
    answer = api(account).post_json(
        "/send-message", {"to": "14155552671", "message": "Hi"}, headers={"X-Correlation-ID": "mine-1"}
    )
    assert answer.status_code == 202
    assert Message.objects.get().correlation_id == "mine-1"


def test_it_ends_with_the_request():
    given("mine-1")
    assert correlation_id() == ""
    assert structlog.contextvars.get_contextvars() == {}
