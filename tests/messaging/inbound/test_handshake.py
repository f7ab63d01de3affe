"""Meta's handshake: the challenge comes back for the right verify token, and for nothing else."""

from __future__ import annotations

import pytest
from django.test import Client

from accounts.connections import remove_credentials
from devstack.meta import seed

SHARED = "/webhooks/whatsapp"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def verify_token(settings) -> None:
    settings.META_VERIFY_TOKEN = seed.VERIFY_TOKEN


def ask(path: str = SHARED, **query: str):
    asked = {"mode": "subscribe", "verify_token": seed.VERIFY_TOKEN, "challenge": "1158201444"} | query
    return Client().get(path, {f"hub.{name}": value for name, value in asked.items() if value is not None})


def own(number) -> str:
    return f"{SHARED}/{number.callback_key}"


def test_the_right_token_gets_its_challenge_back_as_text():
    answer = ask()
    assert (answer.status_code, answer.content) == (200, b"1158201444")
    assert answer["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query",
    [
        {"verify_token": "wrong"},
        {"verify_token": ""},
        {"verify_token": None},
        {"verify_token": seed.VERIFY_TOKEN.upper()},
        {"verify_token": seed.VERIFY_TOKEN + " "},
        {"verify_token": "schlüssel\N{SNOWMAN}"},
        {"mode": None},
        {"mode": "unsubscribe"},
        {"mode": "SUBSCRIBE"},
        {"challenge": None},
        {"challenge": ""},
        {"challenge": "<script>alert(1)</script>"},
        {"challenge": "1\n2"},
        {"challenge": "\N{ARABIC-INDIC DIGIT ONE}"},
        {"challenge": "9" * 129},
    ],
    ids=repr,
)
def test_anything_else_is_forbidden_and_echoes_nothing(query):
    answer = ask(**query)
    assert (answer.status_code, answer.content) == (403, b"Forbidden")


def test_a_service_without_a_verify_token_lets_nobody_in(settings):
    settings.META_VERIFY_TOKEN = ""
    assert ask(verify_token="").status_code == 403
    assert ask(verify_token=None).status_code == 403


def test_a_number_has_a_token_of_its_own(number):
    answer = ask(own(number), verify_token=number.verify_token)
    assert (answer.status_code, answer.content) == (200, b"1158201444")


def test_the_shared_token_does_not_open_a_connections_path(number):
    assert ask(own(number)).status_code == 403


def test_a_connections_token_does_not_open_the_shared_path_or_another(number, charlie):
    from tests.factories import connect

    assert ask(verify_token=number.verify_token).status_code == 403
    assert ask(own(connect(charlie)), verify_token=number.verify_token).status_code == 403


def test_the_path_of_a_removed_number_is_closed(number):
    remove_credentials(number.account)
    assert ask(own(number), verify_token=number.verify_token).status_code == 403
    assert ask(own(number), verify_token="").status_code == 403


def test_an_unknown_path_looks_like_a_wrong_token(number):
    assert ask(f"{SHARED}/nobody").content == ask(own(number), verify_token="wrong").content


@pytest.mark.parametrize("verb", ["put", "patch", "delete", "options", "head", "trace"])
def test_other_verbs_are_refused(verb):
    answer = getattr(Client(), verb)(SHARED)
    assert answer.status_code == 405
    assert answer["Allow"] == "GET, POST"
