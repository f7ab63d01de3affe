"""The decided rows of the contract on what is read afterwards: timelines, lists, numbers (W14-W41)."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Number
from messaging.models import Message, Status
from messaging.status.timeline import Change, Failure, record
from tests.factories import api, connect, faulty_fields, make_account, make_message
from tests.support import meta as support
from tests.support.classic import ISO, TEXT, TO, later, send, shown

pytestmark = pytest.mark.django_db


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
    Number.objects.filter(account=ready).update(
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
