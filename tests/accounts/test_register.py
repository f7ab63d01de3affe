"""`POST /auth/register`: an account with its agent, owner and key; the key is shown in this answer only."""

from __future__ import annotations

import re
import threading

import pytest
from django.db import connection

from accounts.models import Account, Agent, ApiKey, Membership, User
from tests.factories import api, faulty_fields, make_account

GOOD = {"name": "Acme Ltd", "email": "ada@acme.example"}


def register(body=None, **changes):
    return api().post_json("/auth/register", (GOOD | changes) if body is None else body)


def nothing_stored() -> bool:
    return not (
        Account.objects.exists()
        or User.objects.exists()
        or ApiKey.objects.exists()
        or Agent.objects.exists()
        or Membership.objects.exists()
    )


@pytest.mark.django_db
def test_it_gives_a_key_and_the_free_plan():
    answer = register()
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"success", "data"}
    assert body["success"] is True
    assert set(body["data"]) == {"apiKey", "plan"}
    assert re.fullmatch(r"sk_live_[0-9a-f]{48}", body["data"]["apiKey"])
    assert body["data"]["plan"] == "free"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_the_key_works_at_once_and_is_never_shown_again():
    key = register().json()["data"]["apiKey"]
    who = api(key)
    answers = [who.get("/auth/me"), register(), who.post_json("/auth/me/credentials/verify")]
    assert answers[0].status_code == 200
    assert all(key.encode() not in answer.content for answer in answers)
    assert key not in str(list(ApiKey.objects.values()))


@pytest.mark.django_db
def test_it_makes_an_agent_an_owner_and_one_key():
    register()
    account = Account.objects.get()
    assert (account.name, account.email, account.plan) == ("Acme Ltd", "ada@acme.example", "free")
    agent = account.agents.get()
    assert (agent.name, agent.is_default) == ("Acme Ltd", True)
    member = account.memberships.get()
    assert (member.role, member.user.email) == ("owner", "ada@acme.example")
    assert not member.user.is_staff and not member.user.is_superuser
    assert not member.user.has_usable_password()
    key = account.api_keys.get()
    assert (key.kind, key.scopes, key.expires_at) == ("sk_live", ["*"], None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "email", ["ada@acme.example", "Ada@ACME.example", "ADA@ACME.EXAMPLE", " ada@acme.example "]
)
def test_an_address_registers_once_in_any_case(email):
    first = register().json()["data"]["apiKey"]
    answer = register(email=email, name="Somebody else")
    assert answer.status_code == 409
    body = answer.json()
    assert set(body) == {"success", "error", "code", "doc_url"}
    assert "sk_live_" not in str(body)
    assert Account.objects.count() == ApiKey.objects.count() == User.objects.count() == 1
    assert api(first).get("/auth/me").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ["name", "email"]),
        ({}, ["name", "email"]),
        ({"name": "Acme"}, ["email"]),
        ({"email": "ada@acme.example"}, ["name"]),
        ({"name": None, "email": None}, ["name", "email"]),
        ({"name": "", "email": ""}, ["name", "email"]),
        ({"name": "  ", "email": "\t"}, ["name", "email"]),
        ({"name": 1, "email": ["a@b.example"]}, ["name", "email"]),
        ({"name": {}, "email": True}, ["name", "email"]),
        (GOOD | {"name": "x" * 201}, ["name"]),
        (GOOD | {"email": "x" * 250 + "@acme.example"}, ["email"]),
        (GOOD | {"password": 12345678901}, ["password"]),
        (GOOD | {"password": "x" * 201}, ["password"]),
        ([GOOD], [""]),
        (b"name=Acme&email=ada@acme.example", [""]),
    ],
)
def test_it_names_every_faulty_field(body, fields):
    answer = register(body)
    assert answer.status_code == 400
    assert faulty_fields(answer) == fields
    assert all(set(fault) == {"field", "message"} and fault["message"] for fault in answer.json()["details"])
    assert nothing_stored()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "email",
    [
        "ada",
        "ada@",
        "@acme.example",
        "ada@acme",
        "ada@acme..example",
        "ada acme@acme.example",
        "ada@acme.example\nBcc: eve@evil.example",
        "ada@acme.example\r\n",
        "ada@acme.example, eve@evil.example",
        "Ada <ada@acme.example>",
        "ada@acme.example\u202e",
        "<script>@acme.example",
    ],
)
def test_it_refuses_what_is_no_address(email):
    answer = register(email=email)
    # White space around an address is forgiven, inside it is not.
    if email.strip() == GOOD["email"]:
        assert answer.status_code == 201
        assert Account.objects.get().email == GOOD["email"]
        return
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["email"]
    assert nothing_stored()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "password", ["sh0rt!", "password123", "1234567890", "ada@acme.example", "acmeltd123"]
)
def test_it_refuses_a_weak_password(password):
    answer = register(password=password, name="acmeltd123")
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["password"]
    assert password not in answer.content.decode()
    assert nothing_stored()


@pytest.mark.django_db
def test_a_password_lets_the_owner_sign_in():
    assert register(password="correct horse battery").status_code == 201
    owner = User.objects.get()
    assert owner.check_password("correct horse battery")
    assert "correct" not in owner.password


@pytest.mark.django_db
def test_registering_with_a_persons_address_does_not_change_the_persons_password():
    """Somebody who belongs to another account: whoever knows the address must not get in."""
    person = User.objects.create_user("ada@acme.example", "correct horse battery")
    Membership.objects.create(account=make_account(), user=person)
    assert register(password="stolen horse battery").status_code == 201
    person.refresh_from_db()
    assert person.check_password("correct horse battery")


@pytest.mark.django_db
def test_what_it_does_not_know_changes_nothing():
    answer = register(
        plan="enterprise",
        is_active=False,
        is_staff=True,
        messagesSent=5,
        id="0190d5a4-7d5e-7abc-8def-0123456789ab",
        apiKey="sk_live_" + "0" * 48,
        role="member",
        __proto__={"plan": "pro"},
    )
    assert answer.json()["data"]["plan"] == "free"
    assert answer.json()["data"]["apiKey"] != "sk_live_" + "0" * 48
    account = Account.objects.get()
    assert (account.plan, account.is_active, account.messages_sent) == ("free", True, 0)
    assert not User.objects.get().is_staff


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "Ææß 字 😀", "a\nb", "' OR 1=1 --", "{{7*7}}", "x" * 200]
)
def test_a_name_is_kept_as_it_came(name):
    key = register(name=name).json()["data"]["apiKey"]
    assert api(key).get("/auth/me").json()["data"]["name"] == name


@pytest.mark.django_db(transaction=True)
def test_of_parallel_registrations_one_wins():
    statuses: list[int] = []
    ready = threading.Barrier(8)

    def go(address: str) -> None:
        """From an address of its own: registering is limited by address."""
        ready.wait()
        try:
            statuses.append(api(REMOTE_ADDR=address).post_json("/auth/register", GOOD).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=[f"192.0.2.{n}"]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [409] * 7
    assert Account.objects.count() == ApiKey.objects.count() == 1
