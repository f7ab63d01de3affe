"""Analytics: counts that are right at every moment, whatever order things happen in."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from messaging.models import Message, Status, Tally
from messaging.reports import analytics
from messaging.status import daily_totals
from messaging.status.timeline import Change, Failure, record
from tests.factories import api, connect, faulty_fields, make_account, make_message
from tests.support import meta as support

pytestmark = pytest.mark.django_db

TEXT = {"to": "14155552671", "message": "Hello"}
SALE = {"type": "template", "content": {"type": "template", "template": {"name": "sale", "language": "en"}}}


def summary(account: Account, query: str = "") -> dict[str, Any]:
    """Read the statistics as a customer does."""
    answer = api(account).get(f"/analytics/summary{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()["data"]


def ends(account: Account, *statuses: Status, code: int | None = None, **fields: Any) -> Message:
    """Store a message and let it go through these statuses."""
    message = make_message(account, **fields)
    for status in statuses:
        failure = Failure("x", "X", code=code) if status == Status.FAILED else None
        record([Change(message.pk, status, failure=failure)])
    return message


def test_an_account_without_messages_has_zeros(alice):
    data = summary(alice)
    assert (data["total"], data["byStatus"], data["deliveryRate"], data["failureRate"]) == (0, {}, 0, 0)
    assert (data["byDay"], data["byTemplate"], data["byErrorCode"]) == ([], [], {})


def test_the_documents_own_numbers_come_out(alice):
    """980 delivered, 52 failed, 10 sent of 1042: 0.94 and 0.05."""
    day = datetime.now(UTC).date()
    for status, count in (("delivered", 980), ("failed", 52), ("sent", 10)):
        Tally.objects.create(account=alice, day=day, status=status, count=count)
    data = summary(alice)
    assert data["total"] == 1042
    assert data["byStatus"] == {"delivered": 980, "failed": 52, "sent": 10}
    assert (data["deliveryRate"], data["failureRate"]) == (0.94, 0.05)


@pytest.mark.parametrize(
    ("counts", "delivery", "failure"),
    [
        ({"read": 1}, 1.0, 0.0),
        ({"delivered": 1, "read": 1, "failed": 1}, 0.67, 0.33),
        ({"failed": 1}, 0.0, 1.0),
        ({"sent": 3}, 0.0, 0.0),
        ({"delivered": 1, "sent": 2}, 0.33, 0.0),
        ({"delivered": 1, "canceled": 1}, 0.5, 0.0),
    ],
)
def test_rates_are_parts_of_the_total_with_two_decimals(alice, counts, delivery, failure):
    """W40."""
    day = datetime.now(UTC).date()
    for status, count in counts.items():
        Tally.objects.create(account=alice, day=day, status=status, count=count)
    data = summary(alice)
    assert (data["deliveryRate"], data["failureRate"]) == (delivery, failure)


def test_every_message_is_in_the_total_once_wherever_it_stands(alice):
    """W41; the engine's own words are shown as processing."""
    ends(alice, Status.SENT)
    ends(alice, Status.SENT, Status.DELIVERED)
    ends(alice, Status.SENT, Status.DELIVERED, Status.READ)
    ends(alice, Status.FAILED)
    ends(alice, Status.CANCELED)
    for status in (Status.QUEUED, Status.SCHEDULED, Status.RETRYING, Status.SUBMITTING, Status.UNKNOWN):
        make_message(alice, status=status)
    data = summary(alice)
    assert data["total"] == 10 == sum(data["byStatus"].values())
    assert data["byStatus"] == {
        "sent": 1,
        "delivered": 1,
        "read": 1,
        "failed": 1,
        "canceled": 1,
        "queued": 1,
        "scheduled": 1,
        "retrying": 1,
        "processing": 2,
    }


def test_the_statistics_agree_with_the_list(alice):
    for status in (Status.SENT, Status.FAILED, Status.READ):
        ends(alice, status)
    make_message(alice)
    data = summary(alice)
    for status, count in data["byStatus"].items():
        assert api(alice).get(f"/messages?status={status}").json()["pagination"]["total"] == count


def test_dry_runs_inbound_messages_and_other_accounts_are_left_out(alice, charlie):
    ends(alice, Status.SENT, Status.DELIVERED, dry_run=True)
    make_message(alice, dry_run=True)
    make_message(alice, status=Status.RECEIVED, direction="in")
    ends(charlie, Status.SENT)
    assert summary(alice)["total"] == 0
    assert summary(charlie)["total"] == 1


def test_days_templates_and_error_codes_split_the_same_messages(alice):
    yesterday = timezone.now() - timedelta(days=1)
    ends(alice, Status.DELIVERED, created_at=yesterday, **SALE)
    ends(alice, Status.FAILED, code=131026, **SALE)
    ends(alice, Status.FAILED, code=131026)
    ends(alice, Status.FAILED, code=131047)
    data = summary(alice)
    today = timezone.now().astimezone(UTC).date()
    assert data["byDay"] == [
        {"day": (today - timedelta(days=1)).isoformat(), "byStatus": {"delivered": 1}},
        {"day": today.isoformat(), "byStatus": {"failed": 3}},
    ]
    assert data["byTemplate"] == [{"template": "sale", "byStatus": {"delivered": 1, "failed": 1}}]
    assert data["byErrorCode"] == {"131026": 2, "131047": 1}


def test_a_range_of_days_includes_both_ends(alice):
    now = timezone.now()
    for days in (0, 1, 2, 3):
        ends(alice, Status.SENT, created_at=now - timedelta(days=days))
        make_message(alice, created_at=now - timedelta(days=days))
    day = now.astimezone(UTC).date()
    first, last = day - timedelta(days=2), day - timedelta(days=1)
    data = summary(alice, f"?from={first}&to={last}")
    assert data["byStatus"] == {"sent": 2, "queued": 2}
    assert summary(alice, f"?from={day}")["total"] == 2
    assert summary(alice, f"?to={day - timedelta(days=3)}")["total"] == 2


@pytest.mark.parametrize("query", ["?from=0001-01-01", "?to=9999-12-31", "?from=0001-01-01&to=9999-12-31"])
def test_the_widest_range_is_everything(alice, query):
    ends(alice, Status.SENT)
    assert summary(alice, query)["total"] == 1


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "to=2026-13-01",
        "from=2026-1-1",
        "from=",
        "from=20260101",
        "to=2026-02-30",
        "from=2026-01-01T00:00:00Z",
        "from=2026-01-02&to=2026-01-01",
        "from=2026-01-01&from=2026-01-02",
    ],
)
def test_a_day_that_is_none_is_400_and_named(alice, query):
    answer = api(alice).get(f"/analytics/summary?{query}")
    assert answer.status_code == 400
    assert faulty_fields(answer) == [query.partition("=")[0]]


def test_compacting_keeps_every_sum(alice, charlie):
    for _ in range(3):
        ends(alice, Status.SENT, Status.DELIVERED, Status.READ, **SALE)
        ends(alice, Status.SENT, Status.FAILED, code=131026)
    ends(charlie, Status.DELIVERED)
    before = summary(alice), summary(charlie)
    rows = Tally.objects.count()
    daily_totals.compact()
    assert (summary(alice), summary(charlie)) == before
    assert Tally.objects.count() < rows
    daily_totals.compact()
    assert (summary(alice), summary(charlie)) == before
    assert not Tally.objects.filter(count=0).exists()


@pytest.mark.django_db(transaction=True)
def test_compacting_beside_recording_loses_nothing(alice):
    messages = [make_message(alice) for _ in range(24)]

    def work(index: int) -> None:
        if index % 4 == 0:
            daily_totals.compact()
        else:
            for message in messages[index::8]:
                record([Change(message.pk, Status.SENT)])
                record([Change(message.pk, Status.DELIVERED)])

    support.together(8, work)
    daily_totals.compact()
    data = summary(alice)
    done = [message for index in range(8) if index % 4 for message in messages[index::8]]
    assert data["byStatus"] == {"delivered": len(done), "queued": len(messages) - len(done)}


def test_the_same_callback_twice_counts_once(app_secret, alice, number):
    message = support.queue(alice)
    for _ in range(3):
        support.says(number, support.status_for(message, "delivered", at=1_760_000_000))
    assert summary(alice)["byStatus"] == {"delivered": 1}


def test_a_retry_takes_the_failure_back_and_counts_the_new_end(alice):
    connect(alice)
    message = ends(alice, Status.SENT, Status.FAILED, code=131026)
    assert summary(alice)["byStatus"] == {"failed": 1}
    assert api(alice).post_json(f"/messages/{message.pk}/retry").status_code == 202
    data = summary(alice)
    assert data["byStatus"] == {"queued": 1}
    assert (data["byErrorCode"], data["failureRate"]) == ({}, 0)
    record([Change(message.pk, Status.DELIVERED)])
    assert summary(alice)["byStatus"] == {"delivered": 1}


def test_a_refused_item_of_a_bulk_counts_as_failed_and_its_retry_corrects_that(alice):
    connect(alice)
    who = api(alice)
    who.post_json("/suppressions", {"to": TEXT["to"]})
    sale = {"to": TEXT["to"], "template": {"name": "sale", "language": "en"}}
    data = who.post_json("/messages/bulk", {"messages": [TEXT, sale]}).json()["data"]
    assert summary(alice)["byStatus"] == {"failed": 2}
    who.send("DELETE", f"/suppressions/{TEXT['to']}")
    for failure in data["failures"]:
        assert who.post_json(f"/messages/{failure['id']}/retry").status_code == 202
    found = summary(alice)
    assert found["byStatus"] == {"queued": 2}
    assert (found["byTemplate"], found["byDay"]) == ([], [])


def test_a_refused_dry_run_of_a_bulk_is_not_counted(alice):
    connect(alice)
    who = api(alice)
    who.post_json("/suppressions", {"to": TEXT["to"]})
    answer = who.post_json("/messages/bulk", {"messages": [TEXT | {"dry_run": True}]})
    assert answer.json()["data"]["failedCount"] == 1
    assert summary(alice)["total"] == 0


def test_a_late_success_after_a_failure_leaves_one_message_in_the_total(app_secret, alice, number):
    message = support.queue(alice)
    for status in ("failed", "delivered", "read"):
        more = {"errors": [{"code": 131026, "title": "x"}]} if status == "failed" else {}
        support.says(number, support.status_for(message, status, **more))
    data = summary(alice)
    shown = api(alice).get(f"/messages/{message.pk}").json()["data"]["status"]
    assert data["total"] == 1
    assert data["byStatus"] == {shown: 1}


def test_a_message_of_many_days_ago_is_counted_on_the_day_it_was_accepted(alice):
    created = timezone.now() - timedelta(days=40)
    ends(alice, Status.READ, created_at=created)
    assert [one["day"] for one in summary(alice)["byDay"]] == [created.astimezone(UTC).date().isoformat()]


def test_no_counts_are_made_for_an_account_that_is_not_there():
    assert analytics.summary(Account(pk=uuid.uuid4())).total == 0
    assert not make_account().messages.exists()
