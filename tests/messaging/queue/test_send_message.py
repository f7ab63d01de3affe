"""`POST /send-message` accepts: 202 and a row that will be sent, with its first timeline entry."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Account
from messaging.models import Message, MessageEvent
from tests.factories import APP_SECRET, Api, api, connect, make_account, redis_at

pytestmark = pytest.mark.django_db

TO = "14155552671"
TEXT = {"to": TO, "message": "Hi Sarah! Your order #1234 has shipped."}
TEMPLATE = {"to": TO, "template": {"name": "hello_world", "language": "en_US"}}


@pytest.fixture
def account() -> Account:
    return make_account(plan="enterprise")


@pytest.fixture
def who(account) -> Api:
    connect(account, app_secret=APP_SECRET)
    return api(account)


def accepted(who: Api, body: dict) -> tuple[dict, Message]:
    answer = who.post_json("/send-message", body)
    assert answer.status_code == 202, answer.content
    assert set(answer.json()) == {"success", "data"}
    assert answer.json()["success"] is True
    data = answer.json()["data"]
    assert set(data) == {"id", "status", "scheduledFor"}
    assert uuid.UUID(data["id"]).version == 7
    return data, Message.objects.get(pk=data["id"])


def test_a_text_is_queued(who, account):
    data, message = accepted(who, TEXT | {"metadata": {"orderId": "1234"}})
    assert (data["status"], data["scheduledFor"]) == ("queued", None)
    assert (message.status, message.direction, message.source) == ("queued", "out", "whatsapi")
    assert (message.account, message.connection) == (account, account.connections.get())
    assert (message.recipient, message.type, message.body) == (TO, "text", TEXT["message"])
    assert message.content == {"type": "text", "text": {"body": TEXT["message"]}}
    assert message.metadata == {"orderId": "1234"}
    assert message.dry_run is False
    assert message.api_key.prefix == who.key[:12]
    assert (message.attempts, message.wamid, message.sent_at) == (0, None, None)


def test_it_is_due_now_by_the_databases_clock(who):
    _, message = accepted(who, TEXT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        (now,) = cursor.fetchone()
    assert message.due_at <= now
    assert message.created_at == message.due_at


def test_it_begins_its_timeline(who):
    _, message = accepted(who, TEXT)
    event = MessageEvent.objects.get()
    assert (event.message, event.sequence, event.status) == (message, 1, "queued")
    assert event.at == message.created_at
    assert message.sequence == 1


def test_a_template_is_kept_in_the_shape_of_the_request(who):
    components = [{"type": "body", "parameters": [{"type": "text", "text": "Sarah"}]}]
    body = {"to": TO, "template": {"name": "order_ready", "language": "en_US", "components": components}}
    _, message = accepted(who, body)
    assert (message.type, message.body) == ("template", None)
    assert message.content["template"]["name"] == "order_ready"
    assert message.content["template"]["components"] == components


@pytest.mark.parametrize("text", ["x", "x" * 4096, "😀" * 4096, " a \n", "\u202e", "<b>", "' OR 1=1", "Z̷̡͘"])
def test_a_text_arrives_as_it_was_written(who, text):
    data, message = accepted(who, {"to": TO, "message": text})
    assert message.body == text
    assert who.get(f"/messages/{data['id']}").json()["data"]["body"] == text


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"a": None, "b": True, "c": [1, 2.5, "x", {}], "d": {"e": {"f": []}}},
        {"": "", "😀": "😀", "e\u0301": "\u202e", "$where": "1", "__proto__": {"a": 1}, "a.b[0]": "\\u0000"},
        {"a": "x" * (16 * 1024 - len('{"a":""}'))},
        {str(n): n for n in range(900)},
    ],
)
def test_metadata_is_read_back_equal(who, metadata):
    data, _ = accepted(who, TEXT | {"metadata": metadata})
    assert who.get(f"/messages/{data['id']}").json()["data"]["metadata"] == metadata


@pytest.mark.parametrize("extra", [{}, {"metadata": None}])
def test_metadata_left_out_is_an_empty_object(who, extra):
    data, _ = accepted(who, TEXT | extra)
    assert who.get(f"/messages/{data['id']}").json()["data"]["metadata"] == {}


@pytest.mark.parametrize(
    "spelling", ["{:%Y-%m-%dT%H:%M:%SZ}", "{:%Y-%m-%dT%H:%M:%S.000Z}", "{:%Y-%m-%dT%H:%M:%S}"]
)
def test_a_send_for_later_is_scheduled(who, spelling):
    moment = (datetime.now(UTC) + timedelta(days=2)).replace(microsecond=0)
    data, message = accepted(who, TEXT | {"sendAt": spelling.format(moment)})
    assert data["status"] == "scheduled"
    assert data["scheduledFor"] == f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    assert (message.status, message.due_at, message.scheduled_for) == ("scheduled", moment, moment)
    assert message.expires_at > moment
    assert MessageEvent.objects.get().status == "scheduled"
    found = who.get(f"/messages/{data['id']}").json()["data"]
    assert (found["status"], found["scheduledFor"]) == ("scheduled", data["scheduledFor"])


def test_a_zone_is_turned_into_utc(who):
    data, _ = accepted(who, TEXT | {"sendAt": _in_kiritimati()})
    assert data["scheduledFor"].endswith("T10:00:00Z")


def _in_kiritimati() -> str:
    day = (datetime.now(UTC) + timedelta(days=3)).date()
    return f"{day}T00:00:00+14:00"


def test_a_dry_run_needs_no_credentials(account):
    who = api(account)
    data, message = accepted(who, TEXT | {"dry_run": True})
    assert (data["status"], message.dry_run, message.connection) == ("queued", True, None)
    assert who.get(f"/messages/{data['id']}").json()["data"]["dryRun"] is True


@pytest.mark.parametrize("extra", [{"dry_run": False}, {"dry_run": None}, {"dryRun": False}])
def test_a_dry_run_that_is_not_true_simulates_nothing(who, extra):
    _, message = accepted(who, TEXT | extra)
    assert message.dry_run is False


def test_what_it_does_not_know_changes_nothing(who):
    evil = {
        "id": str(uuid.uuid4()),
        "status": "delivered",
        "wamid": "wamid.X",
        "account": str(uuid.uuid4()),
        "account_id": str(uuid.uuid4()),
        "due_at": "2020-01-01T00:00:00Z",
        "lease_token": 99,
        "direction": "in",
        "source": "dashboard",
        "createdAt": "2020-01-01T00:00:00Z",
        "from": "+15550000000",
        "biz_opaque_callback_data": "x",
    }
    data, message = accepted(who, TEXT | evil)
    assert data["id"] != evil["id"]
    assert (message.status, message.wamid, message.direction) == ("queued", None, "out")
    assert message.due_at > timezone.now() - timedelta(minutes=5)
    assert "biz_opaque_callback_data" not in str(message.content)


def test_each_send_is_a_message_of_its_own(who):
    ids = {accepted(who, TEXT)[0]["id"] for _ in range(5)}
    assert len(ids) == Message.objects.count() == 5


def test_sends_to_one_person_are_one_conversation(who):
    first, second = accepted(who, TEXT)[1], accepted(who, TEMPLATE)[1]
    other = accepted(who, TEXT | {"to": "447911123456"})[1]
    assert first.contact_id == second.contact_id != other.contact_id


def statements(captured: CaptureQueriesContext) -> list[str]:
    """What was asked of the tables; transactions and settings left out."""
    words = [query["sql"].split()[0].upper() for query in captured.captured_queries]
    return [word for word in words if word not in ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "SET")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # the key with its account and number; the recipient; what is stored, with what it costs
        (TEXT, ["SELECT", "WITH", "WITH"]),
        # and the template's category
        (TEMPLATE, ["SELECT", "WITH", "SELECT", "WITH"]),
        (TEXT | {"dry_run": True}, ["SELECT", "WITH", "WITH"]),
    ],
    ids=["text", "template", "dry run"],
)
def test_it_costs_few_queries(who, body, expected):
    accepted(who, body)  # the contact is known, the key was used just now
    with CaptureQueriesContext(connection) as captured:
        assert who.post_json("/send-message", body).status_code == 202
    assert statements(captured) == expected, [query["sql"][:80] for query in captured.captured_queries]


def test_it_is_accepted_without_redis(who):
    """Redis only wakes workers and counts."""
    with redis_at():
        accepted(who, TEXT)
