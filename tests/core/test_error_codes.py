"""Beside its sentence a refusal of the root API has a word of the catalogue, so that programs can branch."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from accounts.models import Account
from billing import quota
from core.errors import Refusal
from core.http.classic import STATUS, error_body
from core.http.error_catalogue import API_ERRORS, RECEIVERS
from tests.factories import api, connect, make_account, make_key

TEXT = {"to": "14155552671", "message": "Hello"}
HIDDEN = {"revoked_api_key", "expired_api_key"}


@pytest.mark.parametrize("code", sorted(STATUS | RECEIVERS))
def test_every_code_is_in_the_catalogue_and_leads_to_its_page(client, code):
    body = error_body(Refusal(code, "No."))
    assert body["code"] == ("invalid_api_key" if code in HIDDEN else code)
    assert body["code"] in API_ERRORS
    assert urlsplit(body["doc_url"]).path == f"/developers/errors/{body['code']}"
    assert client.get(urlsplit(body["doc_url"]).path).status_code == 200


@pytest.mark.django_db
def test_the_reasons_that_share_403_are_told_apart(settings):
    settings.MONTHLY_MESSAGES = {**settings.MONTHLY_MESSAGES, "free": 1}
    account = make_account("free")
    connect(account)
    who = api(account)
    assert who.post_json("/send-message", TEXT).status_code == 202
    answers = [
        who.post_json("/send-message", TEXT),
        who.post_json("/messages/bulk", {"messages": [TEXT]}),
        api(make_key(account, scopes=("whatsapp:send",))[1]).get("/auth/me"),
    ]
    Account.objects.filter(pk=account.pk).update(is_active=False)
    answers.append(who.get("/auth/me"))
    assert [answer.status_code for answer in answers] == [403] * 4
    assert [answer.json()["code"] for answer in answers] == [
        "quota_exceeded",
        "plan_not_eligible",
        "insufficient_scope",
        "account_deactivated",
    ]
    assert quota.usage(account.pk).used == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/nowhere", None, "not_found"),
        ("GET", "/messages/none", None, "not_found"),
        ("DELETE", "/send-message", None, "method_not_allowed"),
        ("POST", "/healthz", None, "method_not_allowed"),
        ("POST", "/send-message", "{", "invalid_request"),
        ("POST", "/send-message", {}, "invalid_request"),
        ("POST", "/webhooks/whatsapp", {}, "invalid_signature"),
    ],
)
def test_answers_from_every_corner_carry_it(method, path, body, code):
    answer = api(make_account()).send(method, path, body)
    assert answer.json()["code"] == code
    assert answer.json()["error"]
