"""`GET /messages/:id`: the document's keys, oldest entry first; whatever is not yours does not exist."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime

import pytest

from messaging.models import Message, MessageEvent, Status
from tests.factories import Api, api, connect, make_account, make_message, refusal, without_trace

pytestmark = pytest.mark.django_db

DOCUMENTED = {
    "id",
    "to",
    "body",
    "status",
    "sentAt",
    "deliveredAt",
    "readAt",
    "failedAt",
    "errorMessage",
    "metadata",
    "timeline",
}
OURS = {"template", "scheduledFor", "errorCode", "failure", "wamid", "dryRun", "createdAt"}
WHEN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def at(second: int) -> datetime:
    return datetime(2026, 3, 28, 10, 0, second, 999_999, UTC)


@pytest.fixture
def account():
    return make_account(plan="enterprise")


@pytest.fixture
def who(account) -> Api:
    return api(account)


def test_it_shows_a_delivered_message_as_the_document_does(who, account):
    message = make_message(
        account,
        status=Status.DELIVERED,
        body="Hi Sarah! Your order #1234 has shipped.",
        metadata={"orderId": "1234"},
        wamid="wamid.X",
        sent_at=at(1),
        delivered_at=at(4),
        created_at=at(0),
    )
    MessageEvent.objects.all().delete()
    # Told in the wrong order: Meta's clock decides.
    for sequence, (status, second) in enumerate([("queued", 0), ("delivered", 4), ("sent", 1)], start=1):
        MessageEvent.objects.create(
            message=message, sequence=sequence, status=status, at=at(second), recorded_at=at(5)
        )
    answer = who.get(f"/messages/{message.pk}")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert {name: data[name] for name in DOCUMENTED} == {
        "id": str(message.pk),
        "to": "14155552671",
        "body": "Hi Sarah! Your order #1234 has shipped.",
        "status": "delivered",
        "sentAt": "2026-03-28T10:00:01Z",
        "deliveredAt": "2026-03-28T10:00:04Z",
        "readAt": None,
        "failedAt": None,
        "errorMessage": None,
        "metadata": {"orderId": "1234"},
        "timeline": [
            {"status": "queued", "at": "2026-03-28T10:00:00Z"},
            {"status": "sent", "at": "2026-03-28T10:00:01Z"},
            {"status": "delivered", "at": "2026-03-28T10:00:04Z"},
        ],
    }
    assert set(data) >= DOCUMENTED | OURS


def test_it_shows_why_a_message_failed(who, account):
    message = make_message(
        account,
        status=Status.FAILED,
        failed_at=at(3),
        error_code=131047,
        failure="outside_window",
        error_message="More than 24 hours have passed.",
        error_detail={"fbtrace_id": "internal"},
    )
    answer = who.get(f"/messages/{message.pk}")
    data = answer.json()["data"]
    assert (data["status"], data["failedAt"]) == ("failed", "2026-03-28T10:00:03Z")
    assert (data["errorMessage"], data["errorCode"]) == ("More than 24 hours have passed.", 131047)
    assert data["failure"] == "outside_window"
    assert "internal" not in answer.content.decode()


@pytest.mark.parametrize("status", [status for status in Status if status != Status.RECEIVED])
def test_it_shows_only_words_of_the_document(who, account, status):
    """``submitting`` and ``unknown`` are the engine's words; customers know both as processing."""
    message = make_message(account, status=status)
    shown = who.get(f"/messages/{message.pk}").json()["data"]["status"]
    assert shown in {
        "queued",
        "scheduled",
        "processing",
        "retrying",
        "sent",
        "delivered",
        "read",
        "failed",
        "canceled",
    }
    assert (shown == status) is (status not in (Status.SUBMITTING, Status.UNKNOWN))


def test_a_template_is_shown_as_it_was_asked_for(who, account):
    connect(account)
    template = {
        "name": "order_ready",
        "language": "en_US",
        "components": [{"type": "body", "parameters": [{"type": "text", "text": "Sarah"}]}],
    }
    sent = who.post_json("/send-message", {"to": "14155552671", "template": template})
    data = who.get(f"/messages/{sent.json()['data']['id']}").json()["data"]
    assert (data["template"], data["body"]) == (template, None)
    assert WHEN.fullmatch(data["createdAt"])
    assert [entry["status"] for entry in data["timeline"]] == ["queued"]
    assert WHEN.fullmatch(data["timeline"][0]["at"])


def test_an_id_is_read_in_any_case(who, account):
    message = make_message(account)
    assert who.get(f"/messages/{str(message.pk).upper()}").status_code == 200


@pytest.fixture
def unknown(who) -> tuple:
    answer = who.get(f"/messages/{uuid.uuid4()}")
    assert answer.status_code == 404
    assert answer.json() == refusal("No message found with this id.", "not_found")
    return _comparable(answer)


def _comparable(answer) -> tuple:
    status, content, headers = without_trace(answer)
    return status, content, {n: v for n, v in headers.items() if not n.startswith("X-RateLimit-")}


def test_a_strangers_message_does_not_exist(who, unknown):
    message = make_message(make_account())
    assert _comparable(who.get(f"/messages/{message.pk}")) == unknown


def test_an_inbound_message_does_not_exist(who, account, unknown):
    message = make_message(
        account, status=Status.RECEIVED, direction=Message.Direction.IN, source=Message.Source.META
    )
    assert _comparable(who.get(f"/messages/{message.pk}")) == unknown


@pytest.mark.parametrize(
    "ident",
    [
        "1",
        "x",
        "me",
        "%D9%A1",
        "%00",
        "%ff",
        "9" * 5_000,
        "00000000-0000-0000-0000-000000000000",
        "0190d5a47d5e7abc8def0123456789ab",
        "{0190d5a4-7d5e-7abc-8def-0123456789ab}",
        "urn:uuid:0190d5a4-7d5e-7abc-8def-0123456789ab",
        "0190d5a4-7d5e-7abc-8def-0123456789ab%0A",
        "0190d5a4-7d5e-7abc-8def-0123456789ag",
        "٠190d5a4-7d5e-7abc-8def-0123456789ab",
        "' OR 1=1 --",
        "..",
    ],
)
def test_a_malformed_id_is_like_an_unknown_one(who, unknown, ident):
    assert _comparable(who.get(f"/messages/{ident}")) == unknown


@pytest.mark.parametrize(
    "form", ["{0.hex}", "{{{0}}}", "urn:uuid:{0}", "{0}%0A", "{0}%20", "%20{0}", "{0}%00"]
)
def test_another_spelling_of_my_own_id_is_no_id(who, account, unknown, form):
    message = make_message(account)
    assert _comparable(who.get(f"/messages/{form.format(message.pk)}")) == unknown


def test_it_costs_three_queries(who, account, django_assert_num_queries):
    message = make_message(account)
    who.get("/auth/me")
    with django_assert_num_queries(3):  # the key, the message, its timeline
        assert who.get(f"/messages/{message.pk}").status_code == 200
