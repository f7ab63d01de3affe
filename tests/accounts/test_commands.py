"""`create_account` and `connect_number`: what operators, tests and demos rely on."""

from __future__ import annotations

import json
import re
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Account, ApiKey, Number, User
from devstack.meta import seed
from tests.factories import APP_SECRET, TOKEN, api, make_account

pytestmark = pytest.mark.django_db

NEW = ["--name", "Acme", "--email", "ada@acme.example"]


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def created(*more: str) -> dict[str, str]:
    return json.loads(run("create_account", *NEW, "--json", *more))


def test_create_account_prints_one_json_object():
    made = created("--plan", "pro", "--password", "correct horse battery")
    assert set(made) == {"account_id", "agent_id", "api_key", "v1_key"}
    account = Account.objects.get(pk=made["account_id"])
    assert (account.name, account.email, account.plan) == ("Acme", "ada@acme.example", "pro")
    assert str(account.agents.get(is_default=True).pk) == made["agent_id"]
    assert re.fullmatch(r"sk_live_[0-9a-f]{48}", made["api_key"])
    assert re.fullmatch(r"mk_live_[0-9A-Za-z]{22}_[0-9a-z]{10}", made["v1_key"])
    owner = account.memberships.get(role="owner").user
    assert owner.check_password("correct horse battery")
    assert not owner.is_staff


def test_both_keys_of_create_account_work():
    made = created("--plan", "pro")
    for name in ("api_key", "v1_key"):
        assert api(made[name]).get("/auth/me").json()["data"]["plan"] == "pro"


def test_create_account_prints_lines_for_people():
    text = run("create_account", *NEW)
    assert re.search(r"^account_id\s+[0-9a-f-]{36}$", text, re.MULTILINE)
    assert re.search(r"^api_key\s+sk_live_[0-9a-f]{48}$", text, re.MULTILINE)


def test_create_account_makes_an_operator_when_asked():
    created("--staff", "--password", "correct horse battery")
    owner = User.objects.get()
    assert owner.is_staff and owner.is_superuser


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--plan", "gold"], "plan"),
        (["--password", "short"], "10"),
    ],
)
def test_create_account_says_what_is_wrong(more, says):
    with pytest.raises(CommandError) as caught:
        created(*more)
    assert says in str(caught.value)
    assert not Account.objects.exists() and not ApiKey.objects.exists()


def test_create_account_does_not_make_a_second_one():
    created()
    with pytest.raises(CommandError) as caught:
        run("create_account", "--name", "Acme", "--email", "ADA@acme.example")
    assert "exists" in str(caught.value)
    assert Account.objects.count() == 1


@pytest.mark.parametrize("email", ["not an address", "ada@", ""])
def test_create_account_wants_an_address(email):
    with pytest.raises(CommandError):
        run("create_account", "--name", "Acme", "--email", email)
    assert not Account.objects.exists()


def number(account: Account | str, **changes: str | None) -> list[str]:
    options = {
        "account": str(account.pk) if isinstance(account, Account) else account,
        "phone": "+15557654321",
        "phone-number-id": "106540352242922",
        "waba-id": "102290129340398",
        "access-token": TOKEN,
        "app-secret": APP_SECRET,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return [part for name, value in options.items() if value is not None for part in (f"--{name}", value)]


def test_connect_number_stores_even_what_meta_could_not_confirm():
    """Nobody listens where the tests' settings look for Meta."""
    account = make_account()
    made = json.loads(run("connect_number", *number(account), "--json"))
    stored = Number.objects.get()
    assert made["connection_id"] == str(stored.pk)
    assert made["verified"] is False
    assert (made["callback_key"], made["verify_token"]) == (stored.callback_key, stored.verify_token)
    assert {check["ok"] for check in made["checks"]} <= {None, False}
    assert stored.display_phone == "15557654321"
    assert (stored.access_token.reveal(), stored.app_secret.reveal()) == (TOKEN, APP_SECRET)
    assert TOKEN not in str(made) and APP_SECRET not in str(made)


def test_connect_number_takes_secrets_from_the_environment(monkeypatch):
    monkeypatch.setenv("HERMOD_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("HERMOD_APP_SECRET", APP_SECRET)
    run("connect_number", *number(make_account(), access_token=None, app_secret=None))
    stored = Number.objects.get()
    assert (stored.access_token.reveal(), stored.app_secret.reveal()) == (TOKEN, APP_SECRET)


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": None},
        {"phone": "15557654321"},
        {"phone": "+1 555 765 4321"},
        {"phone": "+15557654321\n"},
        {"phone": "+١٥٥٥٧٦٥٤٣٢١"},
        {"phone_number_id": "abc"},
        {"phone_number_id": "../12345"},
        {"phone_number_id": "1234"},
        {"waba_id": "12345/67890"},
        {"access_token": TOKEN + "\r\nX-Evil: 1"},
        {"access_token": TOKEN + " x"},
        {"access_token": "short"},
        {"app_secret": APP_SECRET + "\nx"},
    ],
    ids=lambda changes: ascii(changes).replace(TOKEN, "EAA").replace(APP_SECRET, "secret"),
)
def test_connect_number_says_what_is_wrong(changes, monkeypatch):
    monkeypatch.delenv("HERMOD_ACCESS_TOKEN", raising=False)
    with pytest.raises(CommandError) as caught:
        run("connect_number", *number(make_account(), **changes))
    assert TOKEN not in str(caught.value)
    assert not Number.objects.exists()


@pytest.mark.parametrize("account", ["0190d5a4-7d5e-7abc-8def-0123456789ab", "1", "", "x" * 100])
def test_connect_number_wants_an_account(account):
    with pytest.raises(CommandError) as caught:
        run("connect_number", *number(account))
    assert "account" in str(caught.value).lower()


@pytest.mark.django_db(transaction=True)
def test_connect_number_does_not_take_anothers_number(meta, alice):
    given = seed.number(0)
    meta.connect(alice, 0)
    changes = {"phone_number_id": given.phone_number_id, "access_token": given.access_token}
    changes["app_secret"] = seed.APP_SECRET
    with pytest.raises(CommandError) as caught:
        run("connect_number", *number(make_account(), **changes))
    assert "another account" in str(caught.value)
    assert Number.objects.count() == 1
