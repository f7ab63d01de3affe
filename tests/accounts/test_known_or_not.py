"""Who asks learns neither from words nor from time whether an address is known; nor locks its owner out."""

from __future__ import annotations

import re
import statistics
import time
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts.models import Account, User
from accounts.registration import register
from tests.support.people import PASSWORD, make_owned, make_person

pytestmark = pytest.mark.django_db

WRONG = "quite another passphrase"


@pytest.fixture(autouse=True)
def nobody_has_tried() -> None:
    cache.clear()


@pytest.fixture
def alice() -> Account:
    return make_owned("Alice", "free", password=PASSWORD)


def sign_in(email: str, password: str, *, at: str = "192.0.2.1", host: str = "127.0.0.1") -> Any:
    form = {"login": email, "password": password}
    return Client().post("/accounts/login/", form, REMOTE_ADDR=at, HTTP_HOST=host)


def sign_up(email: str, at: str) -> Any:
    form = {"name": "Olive", "email": email, "password1": WRONG}
    return Client().post("/accounts/signup/", form, REMOTE_ADDR=at)


def reset(email: str, at: str) -> Any:
    return Client().post("/accounts/password/reset/", {"email": email}, REMOTE_ADDR=at)


FORMS = {
    "sign in": lambda email, at: sign_in(email, WRONG, at=at),
    "sign up": sign_up,
    "reset": reset,
}


def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each hash of a password that is worked out; it is what takes the time here."""
    from django.contrib.auth.hashers import Argon2PasswordHasher as Hasher

    made: list[str] = []
    for name in ("encode", "verify"):
        real = getattr(Hasher, name)

        def noted(self: Any, *args: Any, _real: Any = real, _name: str = name) -> Any:
            made.append(_name)
            return _real(self, *args)

        monkeypatch.setattr(Hasher, name, noted)
    return made


@pytest.mark.parametrize("form_name", FORMS)
def test_a_known_address_costs_as_many_hashes_and_mails_as_an_unknown_one(form_name, alice, monkeypatch):
    made = hashes(monkeypatch)
    costs, answers = [], []
    without_password = make_person("keyless@example.com")
    for number, email in enumerate((alice.email, without_password.email, "nobody@example.com")):
        made.clear()
        mail.outbox.clear()
        answer = FORMS[form_name](email, f"192.0.2.{number}")
        costs.append((len(made), len(mail.outbox)))
        page = re.sub(r'(csrfmiddlewaretoken" value=|X-CSRFToken": )"\w+"', "", answer.content.decode())
        answers.append((answer.status_code, answer.headers.get("Location"), page.replace(email, "")))
    assert costs[0] == costs[1] == costs[2]
    assert answers[0] == answers[1] == answers[2]


def test_the_time_of_a_wrong_password_does_not_tell_known_from_unknown(alice):
    took: dict[str, list[float]] = {alice.email: [], "nobody@example.com": []}
    for number in range(8):
        for email, times in took.items():
            began = time.perf_counter()
            sign_in(email, WRONG, at=f"198.51.100.{number}")
            times.append(time.perf_counter() - began)
    # The time is what a stranger would measure; a hash that is missing would make it a fiftieth.
    known, unknown = (statistics.median(times[1:]) for times in took.values())
    assert 0.6 < known / unknown < 1.7


def test_registering_by_api_hashes_for_a_person_who_is_known_as_for_a_new_one(monkeypatch):
    made = hashes(monkeypatch)
    make_person("known@example.com")
    for email in ("known@example.com", "new@example.com"):
        made.clear()
        register(name="Acme", email=email, password=WRONG)
        assert made == ["encode"]
    assert not User.objects.get(email="known@example.com").has_usable_password()


def test_wrong_passwords_slow_down_who_guesses_and_nobody_else(alice):
    for _ in range(5):
        assert "not correct" in sign_in(alice.email, WRONG).content.decode()
    assert "Too many failed" in sign_in(alice.email, PASSWORD).content.decode()
    assert sign_in(alice.email, PASSWORD, at="192.0.2.9").status_code == 302


@pytest.mark.parametrize("again", ["localhost", "127.0.0.1:81", "[::1]:9"])
def test_another_host_gives_no_further_guesses(alice, again):
    for _ in range(5):
        sign_in(alice.email, WRONG)
    assert "Too many failed" in sign_in(alice.email, WRONG, host=again).content.decode()


def test_guesses_from_one_ipv6_network_count_together(alice):
    for number in range(5):
        sign_in(alice.email, WRONG, at=f"2001:db8::{number}")
    assert "Too many failed" in sign_in(alice.email, WRONG, at="2001:db8::ffff").content.decode()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8320", "LOCALHOST:1", "[::1]"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("path", ["/accounts/password/reset/", "/accounts/signup/"])
def test_mails_lead_to_the_public_url_whatever_host_the_request_named(path, known, host, alice, settings):
    settings.PUBLIC_URL = "https://hermod.example.com"
    email = alice.email if known else "nobody@example.com"
    form = {"email": email, "name": "Olive", "password1": WRONG}
    Client().post(path, form, HTTP_HOST=host, HTTP_X_FORWARDED_HOST="evil.example")
    (sent,) = mail.outbox
    text = sent.subject + sent.body
    for link in re.findall(r"https?://\S+", text):
        assert link.startswith("https://hermod.example.com/accounts/"), link
    assert host.lower() not in text.lower() and "evil" not in text
    assert "hermod.example.com" in text or "code" in text.lower()
