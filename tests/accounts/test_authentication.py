"""Who may call: every wrong key gets the same answer, a deactivated account another, a cookie none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.urls import URLResolver, get_resolver
from django.utils import timezone

from accounts import keys
from accounts.models import Account, ApiKey, Number
from core.http.classic import ClassicView
from messaging.models import Message
from tests.factories import Api, api, connect, make_account, make_key, refusal, without_trace

pytestmark = pytest.mark.django_db

KEY = keys.new_sk()
SEND = {"to": "14155552671", "message": "Hi"}
SOME_ID = "0190d5a4-7d5e-7abc-8def-0123456789ab"
CREDENTIALS = {"whatsappAccessToken": "EAA" + "x" * 30, "whatsappPhoneNumberId": "106540352242922"}

BODIES = {"/auth/me/credentials": CREDENTIALS, "/send-message": SEND, "/messages/bulk": {"messages": [SEND]}}


def calls() -> Iterator[tuple[str, str]]:
    """Every call of this dialect that needs a key, found in the addresses themselves: none is forgotten."""

    def walk(patterns: list, before: str) -> Iterator[tuple[str, type[ClassicView]]]:
        for pattern in patterns:
            here = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern.url_patterns, here)
            elif issubclass(getattr(pattern.callback, "cls", object), ClassicView):
                yield here, pattern.callback.cls

    for path, view in walk(get_resolver().url_patterns, "/"):
        if view.authentication_classes:
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                if hasattr(view, method.lower()):
                    yield method, re.sub(r"<[^>]*>", SOME_ID, path)


CALLS = sorted(calls(), key=lambda call: call[::-1])
WRONG = {
    "no header": None,
    "an empty header": "",
    "only the scheme": "Bearer",
    "only the scheme and a space": "Bearer ",
    "no scheme": KEY,
    "another scheme": f"Basic {KEY}",
    "Token": f"Token {KEY}",
    "two schemes": f"Bearer Bearer {KEY}",
    "two keys": f"Bearer {KEY}, Bearer {KEY}",
    "a tab": f"Bearer\t{KEY}",
    "quotes": f'Bearer "{KEY}"',
    "a malformed key": "Bearer sk_live_x",
    "an unknown key": f"Bearer {KEY}",
    "an unknown v1 key": f"Bearer {keys.new_mk()}",
    "a key of another case": f"Bearer {KEY.upper()}",
    "100 kB": f"Bearer sk_live_{'0' * 100_000}",
    "beyond ASCII": "Bearer sk_live_é",
    "NUL": "Bearer sk_live_\x00",
}


def answer_to(header: str | None) -> tuple:
    return without_trace(api().get("/auth/me", **({} if header is None else {"HTTP_AUTHORIZATION": header})))


def test_a_wrong_key_gets_the_documents_answer():
    status, body, headers = answer_to(f"Bearer {KEY}")
    assert status == 401
    assert json.loads(body) == refusal("Invalid API key.", "invalid_api_key")
    assert headers["WWW-Authenticate"] == "Bearer"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("header", WRONG.values(), ids=WRONG.keys())
def test_every_wrong_key_gets_the_same_answer(header):
    assert answer_to(header) == answer_to(f"Bearer {KEY}")


@pytest.mark.parametrize("field", ["revoked_at", "expires_at"])
def test_a_key_that_was_ended_gets_the_same_answer(field):
    _, text = make_key(make_account(), **{field: timezone.now() - timedelta(seconds=1)})
    assert answer_to(f"Bearer {text}") == answer_to(f"Bearer {KEY}")


def test_the_beginning_of_a_real_key_gets_the_same_answer():
    _, text = make_key(make_account())
    for part in (text[:-1], text[:12], text + "0", text[:-1] + ("0" if text[-1] != "0" else "1")):
        assert answer_to(f"Bearer {part}") == answer_to(f"Bearer {KEY}")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize("space", [" ", "   "])
def test_the_scheme_is_read_in_any_case(scheme, space):
    _, text = make_key(make_account())
    assert api().get("/auth/me", HTTP_AUTHORIZATION=f"{scheme}{space}{text} ").status_code == 200


@pytest.mark.parametrize("kind", list(ApiKey.Kind))
def test_both_kinds_of_key_work(kind):
    account = make_account("pro")
    assert api(make_key(account, kind=kind)[1]).get("/auth/me").json()["data"]["email"] == account.email


def test_a_key_elsewhere_than_in_the_header_is_not_read():
    _, text = make_key(make_account())
    for name in ("key", "api_key", "apiKey", "access_token", "Authorization"):
        assert api().get(f"/auth/me?{name}={text}").status_code == 401
        assert api().post_json("/send-message", SEND | {name: text}).status_code == 401
    assert api().get("/auth/me", HTTP_X_API_KEY=text).status_code == 401
    assert api().get("/auth/me", HTTP_COOKIE=f"key={text}; Authorization=Bearer {text}").status_code == 401


def test_a_session_of_the_dashboard_is_not_read():
    client = Api()
    client.force_login(make_account().memberships.get().user)
    assert client.get("/auth/me").status_code == 401


def test_a_session_does_not_disturb_a_key():
    mine, other = make_account(), make_account()
    client = api(mine)
    client.force_login(other.memberships.get().user)
    assert client.get("/auth/me").json()["data"]["email"] == mine.email
    assert client.post_json("/send-message", SEND | {"dry_run": True}).status_code == 202


def test_a_key_that_nobody_has_is_looked_for_once(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert api(keys.new_sk()).get("/auth/me").status_code == 401


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_wants_a_key_before_it_reads_anything(method, path, django_assert_num_queries):
    with django_assert_num_queries(0):
        answers = [api().send(method, path, BODIES.get(path)), api().send(method, path, b"{broken")]
    expected = answer_to(None)
    for answer in answers:
        del answer.headers["Allow"]  # it depends on the path
        status, content, headers = without_trace(answer)
        assert (status, content) == expected[:2]
        assert headers == {name: value for name, value in expected[2].items() if name != "Allow"}


@pytest.fixture
def deactivated() -> tuple[Account, Api]:
    account = make_account()
    connect(account)
    client = api(account)
    Account.objects.filter(pk=account.pk).update(is_active=False)
    return account, client


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_deactivated_account_is_told_so_and_nothing_happens(deactivated, method, path):
    _, client = deactivated
    before = list(Number.objects.values()), ApiKey.objects.filter(revoked_at=None).count()
    answer = client.send(method, path, BODIES.get(path))
    assert answer.status_code == 403
    assert answer.json() == refusal("Your account has been deactivated.", "account_deactivated")
    after = list(Number.objects.values()), ApiKey.objects.filter(revoked_at=None).count()
    assert after == before
    assert not Message.objects.exists()


def test_a_wrong_key_learns_nothing_of_a_deactivated_account(deactivated):
    account, _ = deactivated
    _, revoked = make_key(account, revoked_at=timezone.now())
    assert answer_to(f"Bearer {revoked}") == answer_to(f"Bearer {KEY}")


def test_a_reactivated_account_works_again(deactivated):
    account, client = deactivated
    Account.objects.filter(pk=account.pk).update(is_active=True)
    assert client.get("/auth/me").status_code == 200


def test_the_documents_calls_are_among_those_that_want_a_key():
    assert {
        ("GET", "/auth/me"),
        ("PUT", "/auth/me/credentials"),
        ("DELETE", "/auth/me/credentials"),
        ("POST", "/auth/me/credentials/verify"),
        ("POST", "/auth/me/rotate-key"),
        ("POST", "/send-message"),
        ("GET", f"/messages/{SOME_ID}"),
    } <= set(CALLS)
    assert not any(path == "/auth/register" for _, path in CALLS)
