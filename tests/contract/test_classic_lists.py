"""Lists: filters, pages, cursors, batches and the CSV export show every message once and nobody else's."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from messaging.models import Message, Status
from tests.factories import api, connect, faulty_fields, make_account, make_message

pytestmark = pytest.mark.django_db

TEXT = {"to": "14155552671", "message": "Hello"}


@pytest.fixture
def owner() -> Account:
    """A customer with credentials."""
    account = make_account("enterprise")
    connect(account)
    return account


def listed(who: Any, query: str = "") -> list[str]:
    """Return the ids of a list."""
    answer = who.get(f"/messages{query}")
    assert answer.status_code == 200, answer.content
    return [one["id"] for one in answer.json()["data"]]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("queued", {"queued"}),
        ("scheduled", {"scheduled"}),
        ("processing", {"submitting", "unknown"}),
        ("retrying", {"retrying"}),
        ("sent", {"sent"}),
        ("delivered", {"delivered"}),
        ("read", {"read"}),
        ("failed", {"failed"}),
        ("canceled", {"canceled"}),
    ],
)
def test_a_filter_by_status_finds_exactly_what_is_shown_as_that(owner, status, words):
    for one in Status:
        if one != Status.RECEIVED:
            make_message(owner, status=one)
    answer = api(owner).get(f"/messages?status={status}").json()["data"]
    assert {one["status"] for one in answer} == {status}
    assert {one["id"] for one in answer} == {
        str(pk) for pk in Message.objects.filter(status__in=words).values_list("pk", flat=True)
    }


@pytest.mark.parametrize("word", ["submitting", "unknown", "received", "QUEUED", "all"])
def test_a_status_that_customers_do_not_know_is_400(owner, word):
    answer = api(owner).get(f"/messages?status={word}")
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["status"]


def test_filters_by_recipient_time_and_search_narrow_the_list(owner):
    who = api(owner)
    first = who.post_json("/send-message", TEXT).json()["data"]["id"]
    second = who.post_json("/send-message", TEXT | {"to": "14155552672"}).json()["data"]["id"]
    Message.objects.filter(pk=first).update(created_at=timezone.now() - timedelta(days=3), wamid="wamid.ABC")
    assert listed(who, "?to=14155552672") == [second]
    day_ago = (timezone.now() - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert listed(who, f"?createdFrom={day_ago}") == [second]
    assert listed(who, f"?createdTo={day_ago}") == [first]
    assert listed(who, f"?search={first}") == [first]
    assert listed(who, "?search=wamid.ABC") == [first]
    assert listed(who, "?search=14155552672") == [second]
    assert listed(who, "?search=%2B1%20415%20555%202672") == [second]
    assert listed(who, "?search=nothing") == []
    assert listed(who, "?to=14155552671&status=failed") == []


def test_a_message_of_an_account_without_credentials_is_found_by_its_recipient():
    """A dry run has no conversation; it has a recipient."""
    who = api(make_account("pro"))
    ident = who.post_json("/send-message", TEXT | {"dry_run": True}).json()["data"]["id"]
    assert listed(who, "?to=14155552671") == [ident]
    assert listed(who, "?search=14155552671") == [ident]


def test_the_cursor_covers_every_message_once(owner):
    for _ in range(57):
        make_message(owner)
    who, seen, query = api(owner), [], "?limit=10"
    for _ in range(20):
        answer = who.get(f"/messages{query}").json()
        seen += [one["id"] for one in answer["data"]]
        if not answer["pagination"]["nextCursor"]:
            break
        query = f"?limit=10&cursor={answer['pagination']['nextCursor']}"
    assert len(seen) == len(set(seen)) == 57
    assert seen == sorted(seen, reverse=True)


def test_the_cursor_is_not_disturbed_by_new_messages(owner):
    old = [str(make_message(owner).pk) for _ in range(6)]
    who = api(owner)
    first = who.get("/messages?limit=3").json()
    for _ in range(5):
        make_message(owner)
    second = listed(who, f"?limit=3&cursor={first['pagination']['nextCursor']}")
    assert [one["id"] for one in first["data"]] + second == old[::-1]


def test_the_cursor_keeps_the_filter(owner):
    for index in range(12):
        make_message(owner, status=Status.FAILED if index % 3 else Status.SENT)
    who = api(owner)
    first = who.get("/messages?limit=5&status=failed").json()
    rest = who.get(f"/messages?limit=5&status=failed&cursor={first['pagination']['nextCursor']}").json()
    assert {one["status"] for one in first["data"] + rest["data"]} == {"failed"}
    assert len(first["data"]) + len(rest["data"]) == 8
    assert rest["pagination"]["nextCursor"] is None


def test_pages_by_number_cover_every_message_once(owner):
    for _ in range(23):
        make_message(owner)
    who = api(owner)
    seen = [ident for page in range(1, 5) for ident in listed(who, f"?limit=7&page={page}")]
    assert len(seen) == len(set(seen)) == 23
    assert listed(who, "?limit=7&page=5") == []


def test_the_default_page_has_20_and_the_largest_200(owner):
    for _ in range(205):
        make_message(owner)
    who = api(owner)
    assert len(listed(who)) == 20
    assert len(listed(who, "?limit=200")) == len(listed(who, "?limit=999")) == 200


@pytest.mark.parametrize("query", ["page=100001&limit=1", "page=501&limit=200", "page=999999999999999999"])
def test_a_page_that_is_too_deep_is_400(owner, query):
    answer = api(owner).get(f"/messages?{query}")
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["page"]


@pytest.mark.parametrize(
    "query",
    [
        "status=sent&status=sent",
        "limit=1&limit=2",
        "page=1&page=2",
        "cursor=x",
        "cursor=",
        "to=%2B1",
        "to=",
        "createdFrom=yesterday",
        "createdTo=",
        f"search={'x' * 256}",
        "search=",
        "unknown=1&unknown=2",
    ],
)
def test_a_parameter_that_is_doubled_or_unreadable_is_400_and_named(owner, query):
    answer = api(owner).get(f"/messages?{query}")
    assert answer.status_code == 400
    assert faulty_fields(answer) == [query.partition("=")[0]]


@pytest.mark.parametrize("query", ["search=%00", "search=a%00b", "search=%ff%fe", "search=%F0%9F%98%80"])
def test_odd_characters_in_a_search_do_no_harm(owner, query):
    for path in ("/messages", "/messages/export"):
        answer = api(owner).get(f"{path}?{query}")
        assert answer.status_code in (200, 400), (path, answer.status_code)
        if answer.status_code == 200:
            b"".join(answer.streaming_content) if answer.streaming else answer.content


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_earliest_and_the_latest_moment_do_no_harm(owner, moment):
    make_message(owner)
    found = [api(owner).get(f"/messages?{name}={moment}") for name in ("createdFrom", "createdTo")]
    assert [answer.status_code for answer in found] == [200, 200]
    assert sum(len(answer.json()["data"]) for answer in found) == 1


def test_unknown_parameters_are_ignored(owner):
    make_message(owner)
    assert len(listed(api(owner), "?offset=5&sort=asc")) == 1


def test_foreign_and_inbound_messages_are_never_listed(owner):
    other = make_account("pro")
    theirs = make_message(other)
    make_message(owner, status=Status.RECEIVED, direction="in", wamid="wamid.in")
    who = api(owner)
    for query in (
        "",
        f"?search={theirs.pk}",
        "?to=14155552671",
        "?search=wamid.in",
        f"?cursor={uuid.uuid4()}",
    ):
        assert listed(who, query) == []


def test_a_list_item_is_the_message_without_its_timeline(owner):
    message = make_message(owner)
    (item,) = api(owner).get("/messages").json()["data"]
    whole = api(owner).get(f"/messages/{message.pk}").json()["data"]
    assert whole.pop("timeline")
    assert item == whole


# --- export


def exported(who: Any, query: str = "") -> list[dict[str, str]]:
    """Return the rows of an export."""
    answer = who.get(f"/messages/export{query}")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/csv")
    assert "attachment" in answer["Content-Disposition"]
    assert answer["X-RateLimit-Limit"]
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_the_export_shows_letters_metadata_and_the_template_with_its_text(owner):
    template = {"template": {"name": "hello_world", "language": "en_US"}}
    make_message(owner, type="template", content=template, body="مرحبا", metadata={"order": "ü1"})
    assert b"".join(api(owner).get("/messages/export").streaming_content).startswith(b"\xef\xbb\xbfid,")
    (row,) = exported(api(owner))
    assert (row["template"], row["templateLanguage"], row["body"]) == ("hello_world", "en_US", "مرحبا")
    assert json.loads(row["metadata"]) == {"order": "ü1"}


def test_the_export_holds_every_message_once_newest_first(owner):
    Message.objects.bulk_create(
        Message(
            account=owner,
            source="whatsapi",
            recipient="14155552671",
            type="text",
            body=f"text {index}",
            status=Status.SENT,
            created_at=timezone.now(),
        )
        for index in range(2_001)
    )
    rows = exported(api(owner))
    assert len({row["id"] for row in rows}) == len(rows) == 2_001
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)


def test_the_export_follows_the_filters_and_refuses_what_they_refuse(owner):
    failed = make_message(owner, status=Status.FAILED)
    make_message(owner, status=Status.SENT)
    make_message(make_account("pro"), status=Status.FAILED)
    assert [row["id"] for row in exported(api(owner), "?status=failed")] == [str(failed.pk)]
    answer = api(owner).get("/messages/export?status=x")
    assert answer.status_code == 400
    assert answer.json()["success"] is False


@pytest.mark.parametrize("body", ["=1+1", "@SUM(A1)", "+1", "-1", "\t=1", " =cmd|' /C calc'!A0", "＝1"])
def test_a_text_that_a_spreadsheet_would_run_is_exported_with_an_apostrophe(owner, body):
    make_message(owner, body=body)
    (row,) = exported(api(owner))
    # Behind a tab a spreadsheet that cuts at tabs begins another cell.
    assert row["body"] == "'" + body.replace("\t", "\t'")


def test_an_ordinary_text_is_exported_as_it_was_sent(owner):
    body = 'Hi "Sarah",\nyour order, #1234 😀'
    message = make_message(owner, body=body)
    (row,) = exported(api(owner))
    assert (row["body"], row["to"], row["status"]) == (body, message.recipient, "queued")
