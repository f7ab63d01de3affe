"""`GET /auth/me`: exactly the documented keys, in two queries, and nothing of the API key."""

from __future__ import annotations

import pytest

from accounts.models import Account
from tests.factories import api, connect, make_account

pytestmark = pytest.mark.django_db


def test_it_shows_the_documented_keys_and_no_others():
    account = make_account(plan="pro", name="Acme", email="ada@acme.example")
    who = api(account)
    answer = who.get("/auth/me")
    assert answer.status_code == 200
    assert answer.json() == {
        "success": True,
        "data": {
            "name": "Acme",
            "email": "ada@acme.example",
            "plan": "pro",
            "messagesSent": 0,
            "byocConfigured": False,
            "webhookUrl": None,
        },
    }
    assert who.key.encode() not in answer.content


def test_it_follows_what_happened():
    account = make_account()
    Account.objects.filter(pk=account.pk).update(messages_sent=42)
    connect(account)
    data = api(account).get("/auth/me").json()["data"]
    assert (data["messagesSent"], data["byocConfigured"]) == (42, True)


def test_it_shows_everybody_only_themselves():
    for account in (make_account(), make_account()):
        assert api(account).get("/auth/me").json()["data"]["email"] == account.email


def test_it_costs_three_queries(django_assert_num_queries):
    who = api(make_account())
    who.get("/auth/me")
    with django_assert_num_queries(3):  # the key with its account; the number; the endpoint
        assert who.get("/auth/me").status_code == 200
