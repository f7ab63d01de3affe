"""The decided rows of /v1 on idempotency, rate and quota (J29-J41)."""

from __future__ import annotations

import re
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db.models import F

from accounts.models import ApiKey, Number
from billing import quota
from core import correlation
from messaging.models import IdempotencyKey, Message
from messaging.queue import idempotency
from tests.factories import Api
from tests.support.v1 import AGENTS, MESSAGES, TEMPLATES, Customer, make_customer, refused
from tests.support.v1_messages import send

pytestmark = pytest.mark.django_db


# --- J29 to J37: idempotency


def once(
    org: Customer, key: str, body: dict[str, Any] | None = None, path: str = MESSAGES, **more: Any
) -> Any:
    """Send with an Idempotency-Key."""
    body = org.text() if body is None else body
    return org.api(**more).post_json(path, body, HTTP_IDEMPOTENCY_KEY=key)


def test_the_same_request_again_is_the_same_answer_and_sends_nothing(org):
    """J29 (another key of the organisation), J32, J37."""
    first, second = once(org, "k1"), once(org, "k1")
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.content == first.content
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert "Idempotency-Replayed" not in second
    assert second["X-Correlation-ID"] != first["X-Correlation-ID"]
    assert Message.objects.count() == 1


def test_the_order_of_a_bodys_members_does_not_make_it_another(org):
    """J30."""
    body = org.text()
    once(org, "k1", body)
    assert once(org, "k1", dict(reversed(body.items())))["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    "change", [{"path": TEMPLATES}, {"body": {"to": "+15550000000"}}], ids=["another path", "another body"]
)
def test_another_request_with_the_same_key_is_refused_and_names_the_first(org, change):
    """J30, J32."""
    first = once(org, "k1")
    body = org.text() | change.get("body", {})
    error = refused(
        once(org, "k1", body, change.get("path", MESSAGES)),
        422,
        "idempotency_key_in_use_with_different_params",
        kind="idempotency_error",
        original_correlation_id=first["X-Correlation-ID"],
    )
    assert error["correlation_id"] != error["original_correlation_id"]


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ({"to": "x"}, "invalid_phone_number"),
        ({"agent_id": str(uuid.uuid4())}, "agent_not_authorized"),
        ({"from": "+19999999999"}, "from_phone_not_found_for_agent"),
    ],
)
def test_a_refused_request_leaves_the_key_free(org, spoilt, code):
    """J31: fix and retry."""
    assert once(org, "k1", org.text() | spoilt).json()["error"]["code"] == code
    assert once(org, "k1").status_code == 202
    assert "Idempotent-Replayed" not in once(org, "k2")


def test_a_replay_does_not_depend_on_todays_numbers(org):
    """J43."""
    first = once(org, "k1")
    Number.objects.update(is_active=False)
    again = once(org, "k1")
    assert again.content == first.content
    assert again["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["x" * 256, "a\tb", "ü" * 256])
def test_a_key_that_is_too_long_is_refused(org, key):
    """J35."""
    sent_as = key.encode().decode("latin-1")
    refused(once(org, sent_as), 422, "invalid_request_body", param="Idempotency-Key")


@pytest.mark.parametrize("key", ["x" * 255, "order 12345 — geliefert", "日" * 255])
def test_any_readable_key_of_255_characters_is_one(org, key):
    """J35: any text that the client chose."""
    sent_as = key.encode().decode("latin-1")
    once(org, sent_as)
    assert once(org, sent_as)["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("key", ["", "  "])
def test_an_empty_key_is_none(org, key):
    """J35."""
    once(org, key)
    assert "Idempotent-Replayed" not in once(org, key)
    assert Message.objects.count() == 2


def test_a_key_on_a_look_up_does_nothing(org):
    """J36."""
    ident = send(org).json()["id"]
    for _ in range(2):
        answer = org.api().get(f"{MESSAGES}/{ident}", HTTP_IDEMPOTENCY_KEY="k1")
        assert "Idempotent-Replayed" not in answer
    assert not IdempotencyKey.objects.exists()


def test_a_key_counts_as_new_after_a_day(org):
    """Contract 2.6."""
    once(org, "k1")
    IdempotencyKey.objects.update(created_at=F("created_at") - timedelta(hours=24, seconds=1))
    assert "Idempotent-Replayed" not in once(org, "k1")


def test_a_replay_counts_against_the_rate(org):
    """J37, and contract 2.6: a 429 leaves the key as it was."""
    key = org.key(rate_limit_per_minute=2)
    codes = [
        Api(key).post_json(MESSAGES, org.text(), HTTP_IDEMPOTENCY_KEY="k1").status_code for _ in range(6)
    ]
    assert codes[0] == 202 and 429 in codes
    assert once(org, "k1")["Idempotent-Replayed"] == "true"


@pytest.mark.django_db(transaction=True)
def test_a_twin_of_a_request_under_way_waits_and_is_told_whose_it_is(monkeypatch):
    """J32, J33, J34: the first one's row is not committed, and vanishes with its request."""
    org = make_customer()
    monkeypatch.setattr(idempotency, "WAIT_MILLISECONDS", 50)
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            print_ = idempotency.fingerprint("POST", MESSAGES, org.text())
            values = ["0", org.account.pk, "k1", print_, "req_FIRST", idempotency.LIFETIME_HOURS]
            cursor.execute(idempotency._CLAIM, values)
            token = correlation._current.set("req_FIRST")
            idempotency._note_first(org.account, "k1")
            correlation._current.reset(token)
            answer = once(org, "k1")
            refused(
                answer,
                409,
                "idempotency_key_in_progress",
                kind="idempotency_error",
                original_correlation_id="req_FIRST",
            )
            assert answer["Retry-After"] == "1"
    finally:
        other.close()
    assert once(org, "k1").status_code == 202


# --- J38 to J40: rate


def test_a_key_has_sixty_requests_a_minute_unless_it_was_given_others(org):
    """Contract 2.7, J38, J39."""
    for limit, fields in ((60, {}), (3, {"rate_limit_per_minute": 3})):
        begun = int(time.time())
        who = Api(org.key(**fields))
        answers = [who.get(AGENTS) for _ in range(2 * limit + 1)]  # the window may turn once
        last = answers[-1]
        if last.status_code != 429:
            last = next(one for one in answers if one.status_code == 429)
        error = refused(last, 429, "rate_limit_exceeded", kind="rate_limit_error")
        assert last["X-RateLimit-Limit"] == str(limit)
        assert last["X-RateLimit-Remaining"] == "0"
        wait = int(last["Retry-After"])
        assert 1 <= wait <= 60
        assert begun < int(last["X-RateLimit-Reset"]) <= time.time() + 60
        assert f" {wait} seconds" in error["message"]
        assert all("X-RateLimit-Limit" not in one for one in answers if one.status_code == 200)


def test_each_key_has_its_own_counter(org):
    """Contract 2.7."""
    used_up = Api(org.key(rate_limit_per_minute=1))
    assert 429 in [used_up.get(AGENTS).status_code for _ in range(3)]
    assert Api(org.key(rate_limit_per_minute=1)).get(AGENTS).status_code == 200


def test_a_rotated_key_goes_on_in_the_window_of_the_one_before(org):
    old = org.key("*", rate_limit_per_minute=2)
    assert Api(old).get(AGENTS).status_code == 200
    new = Api(old).post_json("/auth/me/rotate-key").json()["data"]["apiKey"]
    assert [Api(new).get(AGENTS).status_code for _ in range(2)] == [200, 429]


def test_without_a_key_nothing_is_counted(client):
    """J40."""
    for _ in range(70):
        assert client.get(AGENTS).status_code == 401


# --- J41: quota


def test_an_accepted_message_is_charged_once_and_nothing_else_is(org, settings):
    """J37, J41: a replay, a refusal and a look-up cost nothing; what is used up is a 402."""
    settings.MONTHLY_MESSAGES = {"free": 1, "basic": 1, "pro": 2, "enterprise": 0}
    once(org, "k1")
    once(org, "k1")
    send(org, org.text(to="x"))
    send(org, org.text(**{"from": "+19999999999"}))
    org.api(kind=ApiKey.Kind.MK_TEST).post_json(MESSAGES, org.text())
    assert quota.usage(org.account.pk).used == 1
    assert send(org).status_code == 202
    error = refused(send(org), 402, "quota_exceeded", kind="quota_error", limit=2, used=2, remaining=0)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", error["resets_at"])
    refused(once(org, "k2"), 402, "quota_exceeded")
    settings.MONTHLY_MESSAGES = settings.MONTHLY_MESSAGES | {"pro": 3}
    assert "Idempotent-Replayed" not in once(org, "k2")
