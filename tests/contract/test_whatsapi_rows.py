"""The decided rows W1 to W60 of the contract: each test is one promise about what a customer sees."""

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
from accounts.models import Account, Connection
from messaging.models import Message, Status
from messaging.timeline import Change, Failure, record
from tests.factories import TOKEN, api, connect, faulty_fields, make_account, make_key, make_message, refusal
from tests.support import meta as support
from tests.support.fixtures import alice, app_secret, charlie, meta, number

__all__ = ["alice", "app_secret", "charlie", "meta", "number"]

pytestmark = pytest.mark.django_db

TO = "14155552671"
TEXT = {"to": TO, "message": "Hello"}
TEMPLATE = {"to": TO, "template": {"name": "hello_world", "language": "en_US"}}
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def later(**delta: float) -> str:
    """Return a moment in the future as a customer writes it."""
    return (timezone.now() + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def send(who: Account, body: dict[str, Any], **more: Any) -> Any:
    """Send one message."""
    return api(who).post_json("/send-message", body, **more)


def shown(who: Account, ident: object) -> dict[str, Any]:
    """Return a message as its owner reads it."""
    answer = api(who).get(f"/messages/{ident}")
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


@pytest.fixture
def ready() -> Account:
    """A paying customer with credentials."""
    account = make_account("pro")
    connect(account)
    return account


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
    assert send(ready, TEXT | {"futureField": {"a": 1}, "dryrun": True}).status_code == 202
    assert Message.objects.get().dry_run is False


@pytest.mark.parametrize(
    "moment",
    [
        "2020-01-01T00:00:00Z",
        "tomorrow",
        "",
        "2026-13-01T00:00:00Z",
        1893456000,
        "2090-01-01T00:00:00Z",
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
    """W11 as decided in 0.3."""
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


# --- W14 to W20: reading and retrying


def test_a_template_message_shows_the_template_it_was_sent_with(ready):
    """W14."""
    components = [{"type": "body", "parameters": [{"type": "text", "text": "Sarah"}]}]
    body = {"to": TO, "template": {"name": "order_ready", "language": "en_US", "components": components}}
    found = shown(ready, send(ready, body).json()["data"]["id"])
    assert found["body"] is None
    assert found["template"]["name"] == "order_ready"
    assert found["template"]["components"] == components
    assert "order_ready" in str(found["template"])


@pytest.mark.django_db(transaction=True)
def test_the_timeline_leaves_processing_out_and_is_oldest_first(meta, alice, number):
    """W15."""
    message = support.queue(alice)
    support.drain()
    support.reaches(message, "read")
    found = shown(alice, message.pk)
    assert [entry["status"] for entry in found["timeline"]] == ["queued", "sent", "delivered", "read"]
    assert all(ISO.fullmatch(entry["at"]) for entry in found["timeline"])
    assert [entry["at"] for entry in found["timeline"]] == sorted(entry["at"] for entry in found["timeline"])


def test_metas_whole_seconds_do_not_put_a_delivery_before_the_sending(app_secret, alice, number):
    """W15: Meta's clock has no fractions; a delivery in the same second still comes after."""
    base = (timezone.now() - timedelta(seconds=10)).replace(microsecond=800_000)
    message = support.queue(alice)
    message.events.update(at=base)
    Message.objects.filter(pk=message.pk).update(created_at=base)
    record([Change(message.pk, Status.SENT, at=base + timedelta(milliseconds=100))])
    for status in ("read", "delivered"):
        support.says(number, support.status_for(message, status, at=int(base.timestamp())))
    steps = [entry["status"] for entry in shown(alice, message.pk)["timeline"]]
    assert steps == ["queued", "sent", "delivered", "read"]


def test_metadata_comes_back_as_given_and_is_an_empty_object_when_left_out(ready):
    """W16."""
    given = {"orderId": "1234", "nested": {"list": [1, 2.5, None, True, "ü"]}}
    assert shown(ready, send(ready, TEXT | {"metadata": given}).json()["data"]["id"])["metadata"] == given
    assert shown(ready, send(ready, TEXT).json()["data"]["id"])["metadata"] == {}
    assert shown(ready, send(ready, TEXT | {"metadata": None}).json()["data"]["id"])["metadata"] in ({}, None)


@pytest.mark.parametrize("metadata", [{"x": "y" * 17_000}, [], "text", 5])
def test_metadata_is_an_object_of_at_most_16_kilobytes(ready, metadata):
    """W16."""
    answer = send(ready, TEXT | {"metadata": metadata})
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["metadata"]


def test_the_list_is_newest_first_in_pages_that_say_where_they_stand(ready):
    """W17."""
    idents = [send(ready, TEXT).json()["data"]["id"] for _ in range(5)]
    answer = api(ready).get("/messages?limit=2&page=2").json()
    assert answer["success"] is True
    assert [one["id"] for one in answer["data"]] == idents[::-1][2:4]
    assert {name: answer["pagination"][name] for name in ("page", "limit", "total", "totalPages")} == {
        "page": 2,
        "limit": 2,
        "total": 5,
        "totalPages": 3,
    }


@pytest.mark.parametrize(
    "query",
    [
        "limit=abc",
        "limit=0",
        "limit=-1",
        "limit=1.5",
        "page=0",
        "page=-3",
        "page=x",
        "page=",
        "limit=",
        "status=unknown",
        "status=SENT",
        "status=",
        "batchId=nonsense",
        "status=sent&status=failed",
    ],
)
def test_a_list_refuses_what_it_cannot_read_and_names_the_parameter(ready, query):
    """W18."""
    answer = api(ready).get(f"/messages?{query}")
    assert answer.status_code == 400, answer.content
    assert faulty_fields(answer) == [query.partition("=")[0]]


def test_a_limit_above_200_is_200_and_an_unknown_batch_is_an_empty_list(ready):
    """W18."""
    answer = api(ready).get("/messages?limit=5000")
    assert answer.status_code == 200
    assert answer.json()["pagination"]["limit"] == 200
    empty = api(ready).get(f"/messages?batchId={uuid.uuid4()}")
    assert empty.status_code == 200
    assert empty.json()["data"] == []


@pytest.mark.parametrize("ident", ["foreign", "unknown", "not-a-uuid", "1", "%00", "../auth/me", "é" * 36])
def test_a_foreign_a_malformed_and_an_unknown_id_are_the_same_404(ready, ident):
    """W19."""
    foreign = make_message(make_account("pro"), status=Status.FAILED)
    path = {"foreign": str(foreign.pk), "unknown": str(uuid.uuid4())}.get(ident, ident)
    for method, end in (("GET", ""), ("POST", "/retry"), ("POST", "/cancel")):
        answer = api(ready).send(method, f"/messages/{path}{end}")
        assert answer.status_code == 404, (method, end, answer.content)
        assert answer.json()["success"] is False
        assert "details" not in answer.json()
    foreign.refresh_from_db()
    assert foreign.status == Status.FAILED


@pytest.mark.django_db(transaction=True)
def test_a_retried_message_keeps_its_id_forgets_its_failure_and_goes_out_again(meta, alice, number):
    """W20."""
    message = support.queue(alice, to=support.person())
    failure = Failure("recipient_unreachable", "Not on WhatsApp.", code=131026)
    record([Change(message.pk, Status.FAILED, failure=failure)])
    assert shown(alice, message.pk)["failedAt"]

    answer = api(alice).post_json(f"/messages/{message.pk}/retry")
    assert answer.status_code == 202
    assert answer.json() == {"success": True, "data": {"id": str(message.pk), "status": "queued"}}
    found = shown(alice, message.pk)
    assert found["status"] == "queued"
    assert found["failedAt"] is found["errorMessage"] is found["errorCode"] is found["failure"] is None
    assert [entry["status"] for entry in found["timeline"]] == ["queued", "failed", "queued"]

    support.drain()
    support.reaches(message, "delivered", "read")
    assert len(meta.ledger(message)) == 1


@pytest.mark.parametrize("status", [one for one in Status if one not in (Status.FAILED, Status.RECEIVED)])
def test_only_failed_messages_can_be_retried(ready, status):
    """W20 and the 409 of the document's table."""
    message = make_message(ready, status=status)
    answer = api(ready).post_json(f"/messages/{message.pk}/retry")
    assert answer.status_code == 409
    assert "details" not in answer.json()
    message.refresh_from_db()
    assert message.status == status
    assert "submitting" not in answer.json()["error"] and "unknown" not in answer.json()["error"]


# --- W21, W22: the worker's own retries, and Meta's events


@pytest.mark.django_db(transaction=True)
def test_a_passing_fault_is_retried_by_itself_and_shown_as_retrying(meta, alice, number):
    """W21."""
    meta.options(error_500_before=100)
    message = support.queue(alice)
    support.drain()
    found = shown(alice, message.pk)
    assert found["status"] in ("retrying", "processing"), found
    assert found["failedAt"] is None


@pytest.mark.django_db(transaction=True)
def test_a_lasting_refusal_fails_at_once_with_a_reason(meta, alice, number):
    """W21."""
    message = support.queue(alice, what=None, to=support.person("0001"))
    support.drain()
    support.reaches(message, "failed")
    found = shown(alice, message.pk)
    assert found["errorMessage"]
    assert found["failedAt"]


@pytest.mark.parametrize(
    ("arrive", "ends", "steps"),
    [
        (["read", "delivered", "sent"], "read", {"queued", "sent", "delivered", "read"}),
        (["delivered", "failed"], "delivered", {"queued", "delivered"}),
        (["read", "failed"], "read", {"queued", "read"}),
        (["sent", "sent", "delivered", "delivered"], "delivered", {"queued", "sent", "delivered"}),
    ],
)
def test_events_of_meta_never_move_a_message_backwards(app_secret, alice, number, arrive, ends, steps):
    """W22."""
    message = support.queue(alice)
    Message.objects.filter(pk=message.pk).update(status="submitting", submitted_at=timezone.now())
    start = time.time() - 60
    for index, status in enumerate(arrive):
        more = {"errors": [{"code": 131026, "title": "Undeliverable"}]} if status == "failed" else {}
        support.says(number, support.status_for(message, status, at=start + index, **more))
    found = shown(alice, message.pk)
    assert found["status"] == ends
    got = [entry["status"] for entry in found["timeline"]]
    assert set(got) - {"failed"} <= steps
    assert len(got) == len(set(got))
    assert found["failedAt"] is None


# --- W23: paused


def test_a_paused_number_refuses_its_own_accounts_sends_with_503_and_nobody_elses(ready):
    """W23."""
    other = make_account("pro")
    connect(other)
    failed = make_message(ready, status=Status.FAILED)
    now = timezone.now()
    Connection.objects.filter(account=ready).update(
        breaker_open_since=now, paused_until=now + timedelta(seconds=30)
    )
    calls = [("/send-message", TEXT), ("/messages/bulk", {"messages": [TEXT]})]
    for path, body in [*calls, (f"/messages/{failed.pk}/retry", None)]:
        answer = api(ready).post_json(path, body)
        assert answer.status_code == 503, (path, answer.content)
        assert 1 <= int(answer["Retry-After"]) <= 30
        assert answer.json()["success"] is False
    assert send(other, TEXT).status_code == 202
    assert send(ready, TEXT | {"dry_run": True}).status_code == 202
    for path in ("/messages", f"/messages/{failed.pk}", "/analytics/summary", "/auth/me"):
        assert api(ready).get(path).status_code == 200


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


# --- W39 to W41: numbers


@pytest.mark.django_db(transaction=True)
def test_messages_sent_counts_what_meta_accepted(meta, alice, number):
    """W39."""
    support.queue(alice)
    support.queue(alice, to=support.person("0001"))
    send(alice, TEXT | {"dry_run": True})
    assert api(alice).get("/auth/me").json()["data"]["messagesSent"] == 0
    support.drain()
    accepted = len(meta.ledger())
    assert api(alice).get("/auth/me").json()["data"]["messagesSent"] == accepted


def test_the_summary_counts_reading_as_delivery_and_everything_as_total(alice, number):
    """W40, W41."""
    ends = [Status.DELIVERED, Status.READ, Status.FAILED]
    for status in ends:
        record([Change(support.queue(alice).pk, status)])
    support.queue(alice)
    send(alice, TEXT | {"sendAt": later(days=1)})
    data = api(alice).get("/analytics/summary").json()["data"]
    assert data["total"] == 5 == sum(data["byStatus"].values())
    assert data["byStatus"] == {"delivered": 1, "read": 1, "failed": 1, "queued": 1, "scheduled": 1}
    assert (data["deliveryRate"], data["failureRate"]) == (0.4, 0.2)


def test_an_empty_summary_has_rates_of_zero(ready):
    """W40."""
    data = api(ready).get("/analytics/summary").json()["data"]
    assert (data["total"], data["byStatus"], data["deliveryRate"], data["failureRate"]) == (0, {}, 0, 0)


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
    row = Connection.objects.filter(account=account).values().get()
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
    meta.revoke(good)
    refused = api(alice).post_json("/auth/me/credentials/verify")
    assert (refused.status_code, refused.json()["data"]["verified"]) == (200, False)
    for line in refused.json()["data"]["checks"]:
        assert set(line) >= {"check", "ok", "message"}
    assert good.access_token.reveal() not in refused.content.decode()


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


def test_a_number_belongs_to_one_account_at_a_time(ready):
    """W51."""
    taken = Connection.objects.get(account=ready).phone_number_id
    body = {"whatsappAccessToken": TOKEN, "whatsappPhoneNumberId": taken}
    other = make_account()
    answer = api(other).put_json("/auth/me/credentials", body)
    assert answer.status_code == 409
    remove_credentials(ready)
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

    monkeypatch.setattr("messaging.queueing.queue", crash)
    answer = send(ready, TEXT)
    assert answer.status_code == 500
    assert answer.json()["success"] is False
    assert "hunter2" not in answer.content.decode()
    assert set(answer.json()) == {"success", "error", "doc_url"}


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
    Connection.objects.filter(account=ready).update(
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
