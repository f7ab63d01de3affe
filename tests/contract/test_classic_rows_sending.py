"""The decided rows of the contract on sending: schedules, bulk, idempotency (W1-W13, W24-W34)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from messaging.models import Message, Status
from tests.factories import api, connect, faulty_fields, make_account, make_message
from tests.support import meta as support
from tests.support.classic import TEMPLATE, TEXT, TO, later, send, shown

pytestmark = pytest.mark.django_db


# --- W1 to W3: envelope, register


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/me"),
        ("GET", "/messages"),
        ("GET", "/analytics/summary"),
        ("GET", "/suppressions"),
        ("GET", "/auth/me/keys"),
        ("GET", "/auth/me/onboarding"),
        ("DELETE", "/auth/me/credentials"),
        ("POST", "/auth/me/rotate-key"),
    ],
)
def test_every_success_says_success_and_carries_data(ready, method, path):
    """W1."""
    answer = api(ready).send(method, path)
    assert answer.status_code == 200, answer.content
    assert answer.json()["success"] is True
    assert "data" in answer.json()


def test_register_is_a_creation_with_a_key_that_works(client):
    """W2."""
    answer = api().post_json("/auth/register", {"name": "Ann", "email": "ann@example.com"})
    assert answer.status_code == 201
    assert set(answer.json()["data"]) >= {"apiKey", "plan"}
    assert api(answer.json()["data"]["apiKey"]).get("/auth/me").json()["data"]["email"] == "ann@example.com"


@pytest.mark.parametrize("again", ["ann@example.com", "ANN@example.com", " ann@example.com "])
def test_a_second_key_is_never_handed_out_for_an_address_that_has_an_account(again):
    """W2."""
    assert api().post_json("/auth/register", {"name": "A", "email": "ann@example.com"}).status_code == 201
    answer = api().post_json("/auth/register", {"name": "Mallory", "email": again})
    assert answer.status_code == 409
    assert answer.json()["success"] is False
    assert "apiKey" not in answer.content.decode()


def test_a_password_is_possible_at_register_and_never_needed():
    """W3."""
    with_one = {"name": "A", "email": "a@example.com", "password": "correct horse battery"}
    assert api().post_json("/auth/register", with_one).status_code == 201
    assert api().post_json("/auth/register", {"name": "B", "email": "b@example.com"}).status_code == 201
    weak = api().post_json("/auth/register", {"name": "C", "email": "c@example.com", "password": "123"})
    assert weak.status_code == 400
    assert faulty_fields(weak) == ["password"]


# --- W4 to W8: what a send may hold


@pytest.mark.parametrize(
    "extra", [{}, {"message": "Hi", "template": TEMPLATE["template"]}, {"message": None}]
)
def test_exactly_one_of_message_and_template_is_taken(ready, extra):
    """W4."""
    answer = send(ready, {"to": TO} | extra)
    assert answer.status_code == 400
    assert faulty_fields(answer)
    assert not Message.objects.exists()


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "x" * 4097])
def test_an_empty_or_too_long_message_is_refused(ready, text):
    """W5."""
    answer = send(ready, {"to": TO, "message": text})
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["message"]


@pytest.mark.parametrize("char", ["x", "é", "漢", "👍"])
def test_the_longest_message_is_counted_in_characters_and_not_in_bytes(ready, char):
    """W5."""
    answer = send(ready, {"to": TO, "message": char * 4096})
    assert answer.status_code == 202
    assert shown(ready, answer.json()["data"]["id"])["body"] == char * 4096
    assert send(ready, {"to": TO, "message": char * 4097}).status_code == 400


@pytest.mark.parametrize(
    "to",
    [
        "+14155552671",
        "1 415 555 2671",
        "1-415-555-2671",
        "(415)5552671",
        "04155552671",
        "123456",
        "1234567890123456",
        "١٤١٥٥٥٥٢٦٧١",
        "14155552671\n",
        "",
        14155552671,
        None,
        ["14155552671"],
    ],
)
def test_a_number_is_digits_only_and_is_never_repaired(ready, to):
    """W6."""
    answer = send(ready, {"to": to, "message": "Hi"})
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["to"]
    assert not Message.objects.exists()


@pytest.mark.parametrize("to", ["14155552671", "447911123456", "919876543210", "61412345678"])
def test_the_documents_own_numbers_are_taken(ready, to):
    """W6."""
    answer = send(ready, {"to": to, "message": "Hi"})
    assert answer.status_code == 202
    assert shown(ready, answer.json()["data"]["id"])["to"] == to


def test_unknown_fields_are_ignored(ready):
    """W7."""
    assert send(ready, TEXT | {"futureField": {"a": 1}, "drying": True}).status_code == 202
    assert Message.objects.get().dry_run is False


@pytest.mark.parametrize(
    "moment",
    [
        "2020-01-01T00:00:00Z",
        "tomorrow",
        "",
        "2026-13-01T00:00:00Z",
        1893456000,
        "9990-01-01T00:00:00Z",
        "now",
        True,
    ],
)
def test_a_moment_that_is_past_unreadable_or_too_far_is_refused(ready, moment):
    """W8."""
    value = timezone.now().isoformat() if moment == "now" else moment
    answer = send(ready, TEXT | {"sendAt": value})
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["sendAt"]


def test_a_moment_without_a_zone_is_utc_and_one_with_a_zone_is_converted(ready):
    """W8."""
    moment = (timezone.now() + timedelta(days=2)).replace(microsecond=0)
    bare = moment.strftime("%Y-%m-%dT%H:%M:%S")
    kolkata = (moment + timedelta(hours=5, minutes=30)).strftime("%Y-%m-%dT%H:%M:%S+05:30")
    for text in (bare, bare + "Z", bare + ".000Z", kolkata):
        answer = send(ready, TEXT | {"sendAt": text})
        assert answer.status_code == 202, answer.content
        assert answer.json()["data"]["scheduledFor"] == bare + "Z", text


# --- W9 to W13: schedules, credentials, dry runs


@pytest.mark.django_db(transaction=True)
def test_a_scheduled_send_waits_and_its_timeline_shows_both_steps(meta, alice, number):
    """W9."""
    at = later(hours=2)
    answer = send(alice, TEMPLATE | {"sendAt": at})
    assert answer.status_code == 202
    assert answer.json()["data"]["status"] == "scheduled"
    assert answer.json()["data"]["scheduledFor"] == at
    ident = answer.json()["data"]["id"]
    support.drain()
    assert shown(alice, ident)["status"] == "scheduled"
    assert not meta.ledger()

    support.let_time_pass(alice)
    support.drain()
    steps = [entry["status"] for entry in shown(alice, ident)["timeline"]]
    assert steps[:2] == ["scheduled", "queued"]
    assert "sent" in steps
    assert len(meta.ledger()) == 1


def test_scheduled_items_of_a_bulk_count_as_queued(ready):
    """W10."""
    items = [TEXT, TEXT | {"to": "14155552672", "sendAt": later(days=1)}]
    data = api(ready).post_json("/messages/bulk", {"messages": items}).json()["data"]
    assert (data["totalMessages"], data["queued"], data["failedCount"]) == (2, 2, 0)


def test_a_send_without_credentials_is_refused_at_once_and_names_the_step():
    """W11."""
    account = make_account("pro")
    for path, body in (("/send-message", TEXT), ("/messages/bulk", {"messages": [TEXT]})):
        answer = api(account).post_json(path, body)
        assert answer.status_code == 400
        assert "PUT /auth/me/credentials" in answer.json()["error"]
        assert faulty_fields(answer) == ["credentials"]
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_dry_run_needs_no_credentials_and_walks_to_delivered_without_meta(meta, alice):
    """W11, W12."""
    answer = send(alice, TEXT | {"dry_run": True})
    assert answer.status_code == 202
    assert answer.json()["data"]["status"] == "queued"
    support.drain()
    support.let_time_pass(alice)
    support.drain()
    found = shown(alice, answer.json()["data"]["id"])
    assert found["dryRun"] is True
    assert [entry["status"] for entry in found["timeline"]] == ["queued", "sent", "delivered"]
    assert found["status"] == "delivered"
    assert found["sentAt"] and found["deliveredAt"] and not found["readAt"]
    assert not meta.ledger()
    assert api(alice).get("/auth/me").json()["data"]["messagesSent"] == 0


@pytest.mark.parametrize("body", [{"to": "+1"}, {"to": TO, "message": ""}, {"to": TO}])
def test_a_dry_run_is_validated_like_a_real_send(ready, body):
    """W12."""
    dry, real = send(ready, body | {"dry_run": True}), send(ready, body)
    assert dry.status_code == real.status_code == 400
    assert dry.content == real.content


@pytest.mark.parametrize("value", ["true", 1, [], "yes"])
def test_dry_run_is_a_boolean(ready, value):
    """W13."""
    answer = send(ready, TEXT | {"dry_run": value})
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["dry_run"]


# --- W24 to W28: bulk


def test_bulk_on_the_free_plan_is_403_and_says_how_to_upgrade():
    """W24."""
    account = make_account("free")
    connect(account)
    answer = api(account).post_json("/messages/bulk", {"messages": [TEXT]})
    assert answer.status_code == 403
    assert "upgrade" in answer.json()["error"].lower()
    assert not Message.objects.exists()


@pytest.mark.parametrize("messages", [[], None, "text", {}, [[]], [None], [TEXT] * 101])
def test_a_bulk_that_is_empty_malformed_or_over_the_cap_is_400(messages):
    """W25, W26."""
    account = make_account("basic")
    connect(account)
    answer = api(account).post_json("/messages/bulk", {"messages": messages})
    assert answer.status_code == 400
    assert all(name.startswith("messages") for name in faulty_fields(answer))
    if messages and len(messages) > 100:
        assert "100" in answer.json()["details"][0]["message"]
    assert not Message.objects.exists()


def test_one_malformed_item_refuses_the_whole_bulk_and_is_named(ready):
    """W27."""
    items = [TEXT, TEXT, {"to": "+1", "message": "x"}, {"to": TO, "message": ""}]
    answer = api(ready).post_json("/messages/bulk", {"messages": items})
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["messages[2].to", "messages[3].message"]
    assert not Message.objects.exists()


def test_a_bulk_costs_one_request(ready):
    """W28."""
    who = api(ready)
    first = int(who.get("/auth/me")["X-RateLimit-Remaining"])
    answer = who.post_json("/messages/bulk", {"messages": [TEXT] * 50})
    assert answer.status_code == 202
    assert int(answer["X-RateLimit-Remaining"]) == first - 1


# --- W29 to W34: idempotency


@pytest.mark.parametrize("route", ["send", "bulk", "retry"])
def test_a_key_makes_every_route_that_sends_answer_once(ready, route):
    """W29, W33."""
    failed = make_message(ready, status=Status.FAILED)
    path, body = {
        "send": ("/send-message", TEXT),
        "bulk": ("/messages/bulk", {"messages": [TEXT, TEXT]}),
        "retry": (f"/messages/{failed.pk}/retry", None),
    }[route]
    who = api(ready)
    first = who.post_json(path, body, HTTP_IDEMPOTENCY_KEY="k")
    count = Message.objects.count()
    again = who.post_json(path, body, HTTP_IDEMPOTENCY_KEY="k")
    assert first.status_code == again.status_code == 202
    assert first.content == again.content
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert again["Content-Type"] == first["Content-Type"]
    assert Message.objects.count() == count
    assert int(again["X-RateLimit-Remaining"]) == int(first["X-RateLimit-Remaining"]) - 1


def test_a_key_is_ignored_on_get(ready):
    """W29."""
    who = api(ready)
    for _ in range(2):
        answer = who.get("/messages", HTTP_IDEMPOTENCY_KEY="k")
        assert answer.status_code == 200
        assert "Idempotency-Replayed" not in answer
    assert who.post_json("/send-message", TEXT, HTTP_IDEMPOTENCY_KEY="k").status_code == 202


def test_a_refused_request_leaves_its_key_for_the_corrected_one(ready):
    """W31."""
    who = api(ready)
    refused = who.post_json("/send-message", {"to": "+1", "message": "x"}, HTTP_IDEMPOTENCY_KEY="k")
    assert refused.status_code == 400
    fixed = who.post_json("/send-message", TEXT, HTTP_IDEMPOTENCY_KEY="k")
    assert fixed.status_code == 202
    assert "Idempotency-Replayed" not in fixed


def test_the_same_body_written_otherwise_is_the_same_and_another_is_409(ready):
    """W32."""
    who = api(ready)
    first = who.post_json("/send-message", '{"to":"14155552671","message":"Hello"}', HTTP_IDEMPOTENCY_KEY="k")
    spaced = '{ "message" : "\\u0048ello",\n "to" : "14155552671" }'
    again = who.post_json("/send-message", spaced, HTTP_IDEMPOTENCY_KEY="k")
    assert (again.status_code, again.content) == (202, first.content)
    other = who.post_json("/send-message", TEXT | {"message": "Other"}, HTTP_IDEMPOTENCY_KEY="k")
    assert other.status_code == 409
    assert "details" not in other.json()
    elsewhere = who.post_json("/messages/bulk", {"messages": [TEXT]}, HTTP_IDEMPOTENCY_KEY="k")
    assert elsewhere.status_code == 409
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_replay_tells_the_original_even_when_the_message_has_moved_on(meta, alice, number):
    """W33."""
    who = api(alice)
    first = who.post_json("/send-message", TEMPLATE, HTTP_IDEMPOTENCY_KEY="k")
    support.drain()
    support.reaches(Message.objects.get(), "delivered", "read")
    again = who.post_json("/send-message", TEMPLATE, HTTP_IDEMPOTENCY_KEY="k")
    assert again.content == first.content
    assert again.json()["data"]["status"] == "queued"
    assert len(meta.ledger()) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tinside", "ümlaut", "\x7f", " lead", "trail "])
def test_a_key_that_cannot_be_one_is_400(ready, key):
    """W34."""
    answer = send(ready, TEXT, HTTP_IDEMPOTENCY_KEY=key)
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["Idempotency-Key"]
    assert not Message.objects.exists()


@pytest.mark.parametrize("key", ["x", "x" * 255, "user-99-order-1234-shipped", "a b~!"])
def test_a_key_of_1_to_255_printable_characters_is_taken(ready, key):
    """W34."""
    assert send(ready, TEXT, HTTP_IDEMPOTENCY_KEY=key).status_code == 202
