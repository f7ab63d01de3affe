"""The decided rows of the contract on keys, limits, credentials and callbacks (W35-W38, W46-W60)."""

from __future__ import annotations

import hashlib
import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.connections import remove_credentials
from accounts.models import Account, Number
from messaging.models import Message
from messaging.numbers import doctor
from tests.factories import TOKEN, api, faulty_fields, make_account, make_key, refusal
from tests.support import meta as support
from tests.support.classic import TEMPLATE, TEXT, send, shown

pytestmark = pytest.mark.django_db


# --- W35 to W38: rate limits


def test_rate_headers_stand_on_every_answer_to_a_known_key(ready):
    """W35."""
    who = api(ready)
    answers = [
        who.get("/auth/me"),
        who.get(f"/messages/{uuid.uuid4()}"),
        who.post_json("/send-message", {}),
        who.post_json("/send-message", "{"),
        who.post_json("/send-message", TEXT),
        who.get("/messages?limit=x"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 400, 400, 202, 400]
    left = [int(answer["X-RateLimit-Remaining"]) for answer in answers]
    assert left == sorted(left, reverse=True)
    for answer in answers:
        assert answer["X-RateLimit-Limit"] == "500"
        assert 0 < int(answer["X-RateLimit-Reset"]) - time.time() <= 61
        assert "Retry-After" not in answer


def test_rate_headers_of_register_are_those_of_the_address(client):
    """W35."""
    answer = api().post_json("/auth/register", {"name": "A", "email": "a@example.com"})
    assert answer["X-RateLimit-Limit"] == "5"
    assert answer["X-RateLimit-Remaining"] == "4"


def test_metas_webhook_has_no_rate_headers(app_secret, alice, number):
    """W35."""
    answers = [
        support.post(support.envelope(number, statuses=[])),
        support.post(support.envelope(number, statuses=[]), secret="wrong"),
        api().get("/webhooks/whatsapp?hub.mode=subscribe"),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 403]
    for answer in answers:
        assert not [name for name in answer.headers if name.lower().startswith("x-ratelimit")]


def test_a_refused_request_is_told_to_wait_and_is_not_counted():
    """W36."""
    who = api(make_account("free"))
    refused = [one for one in (who.get("/auth/me") for _ in range(45)) if one.status_code == 429]
    assert len(refused) >= 5
    for answer in refused:
        assert answer["X-RateLimit-Remaining"] == "0"
        assert 1 <= int(answer["Retry-After"]) <= 60
        assert answer.json()["success"] is False
        assert "details" not in answer.json()


def test_the_window_is_fixed_and_ends_on_a_whole_minute():
    """W37."""
    answer = api(make_account("free")).get("/auth/me")
    assert int(answer["X-RateLimit-Reset"]) % 60 == 0


def test_a_new_plan_has_its_limit_at_once():
    """W38."""
    account = make_account("free")
    who = api(account)
    assert who.get("/auth/me")["X-RateLimit-Limit"] == "20"
    Account.objects.filter(pk=account.pk).update(plan="enterprise")
    assert who.get("/auth/me")["X-RateLimit-Limit"] == "2000"


# --- W46 to W52: credentials, callbacks, deactivation


def test_removing_credentials_answers_with_the_envelope_and_may_be_repeated(ready):
    """W46."""
    for _ in range(2):
        answer = api(ready).send("DELETE", "/auth/me/credentials")
        assert answer.status_code == 200
        assert answer.json()["success"] is True
        assert answer.json()["data"]["byocConfigured"] is False


def test_credentials_are_saved_unchecked_and_the_token_is_never_shown_or_stored_in_the_clear():
    """W47."""
    account = make_account()
    body = {"whatsappAccessToken": TOKEN, "whatsappPhoneNumberId": "1234567890"}
    answer = api(account).put_json("/auth/me/credentials", body)
    assert answer.status_code == 200
    assert TOKEN not in answer.content.decode()
    me = api(account).get("/auth/me")
    assert me.json()["data"]["byocConfigured"] is True
    assert TOKEN not in me.content.decode()
    row = Number.objects.filter(account=account).values().get()
    assert TOKEN not in str(row)


def test_verifying_nothing_is_400():
    """W48."""
    answer = api(make_account()).post_json("/auth/me/credentials/verify")
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["credentials"]


@pytest.mark.django_db(transaction=True)
def test_what_meta_refuses_is_200_with_a_diagnosis_per_check(meta, alice):
    """W48."""
    good = meta.connect(alice)
    fine = api(alice).post_json("/auth/me/credentials/verify")
    assert (fine.status_code, fine.json()["data"]["verified"]) == (200, True)
    assert {line["check"] for line in fine.json()["data"]["checks"]} >= {"scopes", "callback", "app_secret"}
    assert "warnings" not in fine.json()["data"]
    meta.revoke(good)
    refused = api(alice).post_json("/auth/me/credentials/verify")
    assert (refused.status_code, refused.json()["data"]["verified"]) == (200, False)
    for line in refused.json()["data"]["checks"]:
        assert set(line) >= {"check", "ok", "message"}
    assert good.access_token.reveal() not in refused.content.decode()


@pytest.mark.django_db(transaction=True)
def test_without_an_app_secret_every_answer_warns_that_reports_will_be_refused(meta, alice, settings):
    meta.connect(alice)
    who, body = api(alice), {"to": "14155552671", "message": "Hi"}
    many = {"messages": [body]}
    calls = (("/auth/me/credentials/verify", None), ("/send-message", body), ("/messages/bulk", many))
    for path, sent in calls:
        assert "warnings" not in who.post_json(path, *([sent] if sent else [])).json()["data"], path
    settings.META_APP_SECRET = ""
    for path, sent in calls:
        data = who.post_json(path, *([sent] if sent else [])).json()["data"]
        assert data["warnings"] == [doctor.UNPROVEN], path
        lines = {line["check"]: line for line in data.get("checks", [])}
        assert not lines or lines["app_secret"]["ok"] is False
        assert not any("reports will arrive" in line["message"] for line in lines.values())
    assert "warnings" not in who.post_json("/send-message", body | {"dry_run": True}).json()["data"]


@pytest.mark.django_db(transaction=True)
def test_messages_whose_credentials_were_removed_fail_and_say_so(meta, alice, number):
    """W49."""
    message = support.queue(alice)
    remove_credentials(alice)
    support.drain()
    found = shown(alice, message.pk)
    assert found["status"] == "failed"
    assert "credentials" in found["errorMessage"].lower()
    assert not meta.ledger()


def test_a_callback_for_an_unknown_number_is_taken_and_dropped(app_secret):
    """W50."""
    answer = support.post(support.envelope("999999999", statuses=[support.status_item("wamid.X", "sent")]))
    assert answer.status_code == 200
    assert support.apply_callbacks() == 1


def test_both_callback_paths_shake_hands_each_with_its_own_token(settings, alice, number):
    """W50."""
    settings.META_VERIFY_TOKEN = "shared-token"

    def shake(path: str, token: str) -> Any:
        query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}
        return api().get(path, query)

    own = f"/webhooks/whatsapp/{number.callback_key}"
    for path, token in (("/webhooks/whatsapp", "shared-token"), (own, number.verify_token)):
        answer = shake(path, token)
        assert (answer.status_code, answer.content) == (200, b"1158201444")
        assert answer["Content-Type"].startswith("text/plain")
    assert shake(own, "shared-token").status_code == 403
    assert shake("/webhooks/whatsapp", number.verify_token).status_code == 403
    assert shake("/webhooks/whatsapp", "").status_code == 403


def test_callbacks_are_refused_when_no_secret_is_known(settings, alice, number):
    """W50."""
    settings.META_APP_SECRET = ""
    payload = support.envelope(number, statuses=[])
    for how in ({"secret": None}, {"secret": ""}, {"secret": "guess"}):
        assert support.post(payload, **how).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_a_number_belongs_to_one_account_at_a_time(meta, alice):
    """W51."""
    number = meta.connect(alice)
    token = number.access_token.reveal()
    body = {"whatsappAccessToken": token, "whatsappPhoneNumberId": number.phone_number_id}
    other = make_account()
    answer = api(other).put_json("/auth/me/credentials", body)
    assert answer.status_code == 409
    remove_credentials(alice)
    assert api(other).put_json("/auth/me/credentials", body).status_code == 200


def test_a_deactivated_account_is_403_and_a_wrong_key_stays_401(ready):
    """W52."""
    who = api(ready)
    Account.objects.filter(pk=ready.pk).update(is_active=False)
    for method, path in (("GET", "/auth/me"), ("POST", "/send-message"), ("GET", "/messages")):
        answer = who.send(method, path, TEXT if method == "POST" else None)
        assert answer.status_code == 403
        assert answer.json()["success"] is False
    wrong = api("sk_live_" + "0" * 48).get("/auth/me")
    assert wrong.status_code == 401
    assert wrong.json() == refusal("Invalid API key.", "invalid_api_key")


# --- W55 to W60


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        '"text"',
        "null",
        "5",
        '{"to": 1e999}',
        '{"to":"1","to":"2"}',
        b"\xff\xfe{}",
        "NaN",
        "[" * 100000,
        '{"a":' * 50 + "1" + "}" * 50,
    ],
)
def test_a_body_that_is_no_json_object_is_400_in_the_envelope(ready, body):
    """W55."""
    answer = api(ready).send("POST", "/send-message", body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["success"] is False
    assert isinstance(answer.json()["error"], str)
    assert isinstance(answer.json()["details"], list)


def test_a_body_that_is_too_large_is_refused_in_the_envelope(ready):
    """W55."""
    answer = send(ready, TEXT | {"metadata": {"x": "y" * 300_000}})
    assert answer.status_code in (400, 413)
    assert answer.json()["success"] is False
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("POST", "/send-message/", 404),
        ("GET", "/send-message", 405),
        ("DELETE", "/messages", 405),
        ("PATCH", "/auth/me", 405),
        ("PUT", "/analytics/summary", 405),
    ],
)
def test_an_unknown_path_and_a_wrong_method_answer_in_the_envelope(ready, method, path, status):
    """W56."""
    answer = api(ready).send(method, path)
    assert answer.status_code == status
    assert answer.json()["success"] is False
    assert isinstance(answer.json()["error"], str)
    if status == 405:
        assert answer["Allow"]


def test_a_crash_is_a_500_in_the_envelope_that_tells_nothing(ready, monkeypatch):
    """W57."""

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("database password is hunter2")

    monkeypatch.setattr("messaging.queue.accept.queue", crash)
    answer = send(ready, TEXT)
    assert answer.status_code == 500
    assert answer.json()["success"] is False
    assert "hunter2" not in answer.content.decode()
    assert set(answer.json()) == {"success", "error", "code", "doc_url"}


def test_the_checks_come_in_their_order():
    """W58: 401, 403 deactivated, 429, 400, then 409, plan, 503."""
    account = make_account("free")
    _key, text = make_key(account, rate_limit_per_minute=1)
    bad = api("sk_live_" + "f" * 48).post_json("/messages/bulk", "{")
    assert bad.status_code == 401

    Account.objects.filter(pk=account.pk).update(is_active=False)
    assert api(text).post_json("/messages/bulk", "{").status_code == 403
    Account.objects.filter(pk=account.pk).update(is_active=True)

    assert api(text).post_json("/messages/bulk", "{").status_code in (400, 403, 429)
    statuses = {api(text).post_json("/send-message", "{").status_code for _ in range(3)}
    assert 429 in statuses


def test_a_malformed_body_is_400_before_the_pause_and_a_replay_works_during_it(ready):
    """W58."""
    who = api(ready)
    first = who.post_json("/send-message", TEXT, HTTP_IDEMPOTENCY_KEY="k")
    now = timezone.now()
    Number.objects.filter(account=ready).update(
        breaker_open_since=now, paused_until=now + timedelta(seconds=30)
    )
    assert who.post_json("/send-message", {"to": "x"}).status_code == 400
    again = who.post_json("/send-message", TEXT, HTTP_IDEMPOTENCY_KEY="k")
    assert (again.status_code, again.content) == (202, first.content)
    assert (
        who.post_json("/send-message", TEXT | {"message": "B"}, HTTP_IDEMPOTENCY_KEY="k").status_code == 409
    )
    assert who.post_json("/send-message", TEXT).status_code == 503


def test_a_browsers_session_does_not_open_the_api(client, django_user_model):
    """W59."""
    user = django_user_model.objects.create_superuser("admin@example.com", "correct horse battery")
    client.force_login(user)
    answer = client.get("/auth/me")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


def test_hello_world_is_a_template_like_any_other(ready):
    """W60."""
    message = Message.objects.get(pk=send(ready, TEMPLATE).json()["data"]["id"])
    assert message.type == "template"
    assert message.content["template"]["name"] == "hello_world"
    assert "components" not in message.content["template"]


def test_what_is_stored_of_a_key_is_its_digest_only():
    """1.2: shown once, at register and at rotate."""
    answer = api().post_json("/auth/register", {"name": "A", "email": "a@example.com"})
    key = answer.json()["data"]["apiKey"]
    row = Account.objects.get().api_keys.get()
    assert bytes(row.digest) == hashlib.sha256(key.encode()).digest()
    assert key not in str(vars(row))
    assert datetime.now(UTC) - row.created_at < timedelta(hours=1)
    rotated = api(key).post_json("/auth/me/rotate-key")
    assert rotated.status_code == 200
    assert re.fullmatch(r"sk_live_[0-9a-f]{48}", rotated.json()["data"]["apiKey"])
    assert api(key).get("/auth/me").status_code == 401
