"""Signing up and in: an address is proven first, an account registered by API is claimed by its key."""

from __future__ import annotations

import re

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.cache import cache
from django.test import Client

from accounts import keys, registration
from accounts.models import Account, ApiKey, User
from core.errors import Refusal
from tests import factories
from tests.support.people import PASSWORD, make_owned, make_person, signed_in

pytestmark = pytest.mark.django_db
CODE = re.compile(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b")


def sign_up(email: str, name: str = "Olive") -> Client:
    """Fill in the sign-up form in a fresh browser."""
    client = Client()
    answer = client.post(
        "/accounts/signup/", {"name": name, "email": email, "password1": PASSWORD, "zone": "Asia/Amman"}
    )
    assert answer.status_code == 302, answer.content.decode()[-3000:]
    return client


def type_code(client: Client, code: str) -> str:
    """Type the code of a mail; return where that leads."""
    answer = client.post("/accounts/confirm-email/", {"code": code})
    return answer.headers.get("Location", f"stays with {answer.status_code}")


def test_a_new_person_proves_the_address_and_has_an_account():
    client = sign_up("olive@example.com")
    assert client.get("/app").headers["Location"].startswith("/accounts/login/")
    code = CODE.search(mail.outbox[0].body)[0]
    assert type_code(client, code) == "/app"
    assert client.get("/app").headers["Location"] == "/app/start"
    assert client.get("/app/start").headers["Location"] == "/app/setup"
    user = User.objects.get(email="olive@example.com")
    assert (user.name, user.timezone) == ("Olive", "Asia/Amman")
    account = Account.objects.get(email="olive@example.com")
    assert account.claimed_at is not None
    assert account.memberships.get().role == "owner"
    assert account.agents.get().is_default
    assert not account.api_keys.exists(), "a key that nobody saw"


def test_a_wrong_code_opens_nothing():
    client = sign_up("olive@example.com")
    assert type_code(client, "AAAA-AAAA").startswith("stays")
    assert not EmailAddress.objects.filter(verified=True).exists()


@pytest.mark.parametrize("development", [True, False])
def test_only_a_development_server_shows_the_code(development, settings):
    settings.DEVELOPMENT = development
    client = sign_up("olive@example.com")
    code = CODE.search(mail.outbox[0].body)[0]
    assert (code in client.get("/accounts/confirm-email/").content.decode()) is development
    if not development:  # nor does a session that remembers one from before
        session = client.session
        session["development_code"] = code
        session.save()
        assert code not in client.get("/accounts/confirm-email/").content.decode()


def test_signing_up_does_not_tell_whether_an_address_is_known():
    make_owned("Alice", "free")
    known = Account.objects.get().email
    pages = []
    for email in (known, "nobody@example.com"):
        page = sign_up(email).get("/accounts/confirm-email/").content.decode()
        pages.append(re.sub(r'value="\w{64}"', "", page.replace(email, "")))
    assert pages[0] == pages[1]
    assert "set a password here" in mail.outbox[0].body


def test_a_password_is_not_enough_without_a_proven_address():
    # Registering by API lets anybody choose a password for any address.
    registration.register(name="Squatter", email="victim@example.com", password=PASSWORD)
    client = Client()
    client.post("/accounts/login/", {"login": "victim@example.com", "password": PASSWORD})
    assert client.get("/app").headers["Location"].startswith("/accounts/login/")


@pytest.fixture
def registered():
    """An account registered through the API, and the person who proved its address later."""
    fresh = registration.register(name="Acme", email="acme@example.com")
    user = User.objects.get(email="acme@example.com")
    registration.prove(user, user.email)
    return fresh, user


def test_an_account_registered_by_api_is_nobodys_until_its_key_is_shown(registered):
    fresh, user = registered
    client = signed_in(user)
    assert client.get("/app").headers["Location"] == "/app/start"
    assert "Is “Acme” yours?" in client.get("/app/start").content.decode()
    body = {"do": "claim", "id": str(fresh.account.pk)}
    _, other = factories.make_key(factories.make_account())
    for wrong in (other, "sk_live_" + "0" * 48, "nonsense"):
        answer = client.post("/app/start", body | {"key": wrong})
        assert answer.status_code == 400
        assert "not a working key" in answer.content.decode()
    assert client.post("/app/start", body | {"key": fresh.api_key.reveal()}).headers["Location"] == "/app"
    assert client.get("/app").status_code == 200
    assert keys.authenticate(fresh.api_key.reveal()).account_id == fresh.account.pk


def test_the_way_from_the_api_to_the_dashboard_needs_no_password_from_before():
    fresh = registration.register(name="Acme", email="acme@example.com")
    sign_up("acme@example.com")
    told = re.search(r"/accounts/password/reset/\S*", mail.outbox[-1].body)[0]
    client = Client()
    assert client.get(told).status_code == 200
    client.post(told, {"email": "acme@example.com"})
    link = re.search(r"/accounts/password/reset/key/\S+", mail.outbox[-1].body)[0]
    form = client.get(link).headers["Location"]
    client.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    cache.clear()  # a person takes longer than the ten seconds between two mails
    client.post("/accounts/login/", {"login": "acme@example.com", "password": PASSWORD})
    assert type_code(client, CODE.search(mail.outbox[-1].body)[0]) == "/app"
    body = {"do": "claim", "id": str(fresh.account.pk), "key": fresh.api_key.reveal()}
    assert client.post("/app/start", body).headers["Location"] == "/app"
    assert client.get("/app").status_code == 200


def test_an_address_that_a_stranger_registered_is_given_back(registered):
    fresh, user = registered
    factories.connect(fresh.account)
    client = signed_in(user)
    answer = client.post("/app/start", {"do": "release", "id": str(fresh.account.pk)})
    assert answer.headers["Location"] == "/app/start"
    client.get("/app/start")
    mine = Account.objects.get(email="acme@example.com")
    assert mine.pk != fresh.account.pk
    assert not mine.connections.exists(), "the stranger's number came along"
    with pytest.raises(Refusal):
        keys.authenticate(fresh.api_key.reveal())
    assert not Account.objects.get(pk=fresh.account.pk).is_active


def test_nobody_claims_or_releases_what_is_not_under_their_address(registered):
    fresh, _ = registered
    client = signed_in(make_person("mallory@example.com"))
    for body in ({"do": "claim", "key": fresh.api_key.reveal()}, {"do": "release"}):
        client.post("/app/start", body | {"id": str(fresh.account.pk)})
    account = Account.objects.get(pk=fresh.account.pk)
    assert account.claimed_at is None
    assert account.is_active


def test_a_stranger_cannot_put_an_account_among_those_of_a_known_person():
    alice = make_owned("Alice")
    owner = alice.memberships.get().user
    User.objects.filter(pk=owner.pk).update(email="alice@other.example")
    registration.register(name="Trap", email="alice@other.example")
    page = signed_in(alice).get("/app").content.decode()
    assert "Trap" not in page


def test_a_second_factor_is_asked_for_and_its_secret_is_sealed():
    from allauth.mfa.models import Authenticator
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    alice = make_owned("Alice", password=PASSWORD)
    owner = alice.memberships.get().user
    secret = generate_totp_secret()
    TOTP.activate(owner, secret)
    assert secret not in str(Authenticator.objects.get(type="totp").data)
    client = Client()
    answer = client.post("/accounts/login/", {"login": owner.email, "password": PASSWORD})
    assert answer.headers["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/app").status_code == 302


def test_a_person_reads_in_their_own_language_and_time_zone():
    alice = make_owned("Alice")
    client = signed_in(alice)
    answer = client.post("/app/profile", {"name": "Alice", "language": "ar", "timezone": "Asia/Amman"})
    assert answer.headers["Location"] == "/app/profile"
    page = client.get("/app/profile").content.decode()
    assert '<html lang="ar" dir="rtl"' in page
    assert client.post("/app/profile", {"language": "xx"}).status_code == 400
    assert client.post("/app/profile", {"timezone": "../../etc/passwd"}).status_code == 400


def test_the_operators_command_vouches_for_the_address():
    from django.core.management import call_command

    call_command("create_account", name="Demo", email="Demo@example.com", password=PASSWORD, plan="pro")
    client = Client()
    client.post("/accounts/login/", {"login": "demo@example.com", "password": PASSWORD})
    assert client.get("/app").status_code == 200
    assert ApiKey.objects.count() == 2


def test_second_factors_are_sealed_anew_when_the_key_is_rotated(settings):
    from allauth.mfa.models import Authenticator
    from allauth.mfa.totp.internal.auth import TOTP

    from accounts import vault
    from accounts.rotation import rotate

    owner = make_owned("Alice").memberships.get().user
    TOTP.activate(owner, "A" * 32)
    before = Authenticator.objects.get(type="totp").data["secret"]
    settings.CREDENTIALS_KEYS = [vault.new_key(), *settings.CREDENTIALS_KEYS]
    counts = list(rotate())
    assert (counts[-1].resealed, counts[-1].unreadable) == (1, 0)
    after = Authenticator.objects.get(type="totp").data["secret"]
    assert after != before
    assert vault.is_current(after)
    settings.CREDENTIALS_KEYS = settings.CREDENTIALS_KEYS[:1]
    assert vault.unseal(after, context="mfa").reveal() == "A" * 32


def test_a_crash_and_an_old_form_are_pages_and_tell_nothing(settings, monkeypatch):
    from accounts import team

    client = signed_in(make_owned("Alice"))
    monkeypatch.setattr(team, "members", lambda account: 1 / 0)
    answer = client.get("/app/team")
    assert answer.status_code == 500
    page = answer.content.decode()
    assert "Something went wrong on our side" in page
    assert answer.headers["X-Correlation-ID"] in page
    assert "ZeroDivision" not in page
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    answer = strict.post("/app/settings", {"name": "x"})
    assert answer.status_code == 403
    assert "This form is too old" in answer.content.decode()
