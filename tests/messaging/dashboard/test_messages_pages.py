"""The pages of messages: what they show, how few queries they take, that nothing foreign is on them."""

from __future__ import annotations

import csv
import io
import re
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.http import requestlog
from messaging.models import Batch, Contact, Message, Status, Suppression, Tally
from tests import factories
from tests.dashboard import data
from tests.support.people import make_owned, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(db):
    return make_owned("Alice")


@pytest.fixture
def number(alice):
    return factories.connect(alice, waba_id="102290129340398")


@pytest.fixture
def page(alice):
    """Return a function that opens a page as Alice and returns its text."""
    client = signed_in(alice)

    def open_(path: str, status: int = 200, **headers: str) -> str:
        answer = client.get(path, headers=headers or None)
        assert answer.status_code == status, answer.content[:500]
        if answer.streaming:
            return b"".join(answer).decode()
        return answer.content.decode()

    open_.client = client
    return open_


EMPTY = [
    ("/app", "Nothing to draw yet"),
    ("/app/messages", "No messages yet"),
    ("/app/messages?status=failed", "Nothing matches"),
    ("/app/conversations", "Nobody has written yet"),
    ("/app/conversations?show=all", "No conversations yet"),
    ("/app/conversations?q=%2B14155550100", "Nobody found"),
    ("/app/suppressions", "The list is empty"),
    ("/app/suppressions?q=14155550100", "Not on the list"),
    ("/app/log", "No calls yet"),
]


@pytest.mark.parametrize(("path", "taught"), EMPTY)
def test_an_empty_page_says_what_belongs_there(page, path, taught):
    assert taught in page(path)


# --- the list


def test_the_list_is_filtered_by_status_number_id_and_day(alice, number, page):
    contact = data.make_contact(number, phone="14155550100")
    made = {
        word: factories.make_message(
            alice, status=Status(word), recipient="14155550100", contact=contact, body=word
        )
        for word in ("failed", "sent", "unknown")
    }
    other = factories.make_message(alice, recipient="14155550101", body="somebody else", wamid="wamid.Z")
    shown = {message.pk: message.body for message in [*made.values(), other]}

    def found(query: str) -> set[str]:
        text = page(f"/app/messages?{query}")
        return {body for ident, body in shown.items() if f"/app/messages/{ident}" in text}

    assert found("") == set(shown.values())
    assert found("status=failed") == {"failed"}
    assert found("status=processing") == {"unknown"}, "the engine's words are shown as customers know them"
    assert found("q=%2B1+(415)+555-0100") == {"failed", "sent", "unknown"}
    assert found(f"q={made['sent'].pk}") == {"sent"}
    assert found("q=wamid.Z") == {"somebody else"}
    assert found("from=2020-01-01&to=2020-01-02") == set()
    assert found("from=2020-01-01") == set(shown.values())
    assert found("from=yesterday&status=lost&batch=7&before=x") == set(shown.values()), (
        "nonsense filters nothing"
    )
    assert found("q=%00") == set(shown.values())


def test_the_list_goes_on_behind_the_last_message(alice, page):
    made = [factories.make_message(alice) for _ in range(26)]
    first = page("/app/messages")
    assert f"/app/messages/{made[0].pk}" not in first
    cursor = made[1].pk
    assert f"before={cursor}" in first
    assert f"/app/messages/{made[0].pk}" in page(f"/app/messages?before={cursor}")


def test_an_open_list_is_answered_only_when_something_changed(alice, page):
    message = factories.make_message(alice)
    rows = page("/app/messages", **{"HX-Request": "true", "HX-Target": "message-rows"})
    assert "<html" not in rows and str(message.pk) in rows
    again = rows.partition('hx-get="')[2].partition('"')[0].replace("&amp;", "&")
    assert page(again, 204) == ""
    Message.objects.filter(pk=message.pk).update(status=Status.SENT, sequence=2)
    assert "Sent" in page(again)


def test_the_csv_holds_what_the_list_shows_and_runs_in_no_spreadsheet(alice, page):
    factories.make_message(alice, body="=cmd()", status=Status.UNKNOWN, metadata={"order": 7})
    factories.make_message(alice, body="kept out", status=Status.SENT)
    rows = list(csv.DictReader(io.StringIO(page("/app/messages/export?status=processing"))))
    told = [(row["text"], row["status"], row["metadata"]) for row in rows]
    assert told == [("'=cmd()", "processing", '{"order":7}')]


# --- one message


def test_a_failed_message_says_why_who_acts_and_what_to_do(alice, page):
    message = factories.make_message(
        alice,
        status=Status.FAILED,
        failure="recipient_unreachable",
        error_code=131026,
        error_message="Not there.",
    )
    text = page(f"/app/messages/{message.pk}")
    for sentence in (
        "Why it failed",
        "Not there.",
        "Who can mend it",
        "/developers/errors/131026",
        "Send again",
    ):
        assert sentence in text


def test_a_failed_message_is_sent_again_and_a_waiting_one_canceled_once(alice, number, page):
    failed = factories.make_message(alice, status=Status.FAILED, connection=number)
    back = page.client.post(f"/app/messages/{failed.pk}/retry")
    assert back["Location"] == f"/app/messages/{failed.pk}"
    failed.refresh_from_db()
    assert failed.status == Status.QUEUED and failed.due_at is not None
    assert "queued again" in page(back["Location"])
    page.client.post(f"/app/messages/{failed.pk}/cancel")
    failed.refresh_from_db()
    assert failed.status == Status.CANCELED
    page.client.post(f"/app/messages/{failed.pk}/cancel")
    assert "already handed to WhatsApp, or has ended" in page(f"/app/messages/{failed.pk}")


def test_an_open_message_asks_until_it_has_ended(alice, page):
    message = factories.make_message(alice, status=Status.QUEUED)
    text = page(f"/app/messages/{message.pk}")
    assert 'hx-trigger="every 2s"' in text
    again = text.partition('hx-get="')[2].partition('"')[0]
    assert page(again, 204, **{"HX-Target": "message-now"}) == ""
    Message.objects.filter(pk=message.pk).update(status=Status.READ, sequence=4)
    ended = page(again, **{"HX-Target": "message-now"})
    assert "hx-get" not in ended and "<html" not in ended


def test_a_batch_shows_how_far_it_is(alice, page):
    batch = Batch.objects.create(account=alice, total=3, refused=1, created_at="2026-01-01T00:00:00Z")
    for status in (Status.QUEUED, Status.SENT, Status.FAILED):
        factories.make_message(alice, status=status, batch=batch)
    text = page(f"/app/batches/{batch.pk}")
    assert 'value="2"' in text and 'max="3"' in text and "every 2s" in text
    Message.objects.filter(batch=batch).update(status=Status.SENT)
    assert "every" not in page(f"/app/batches/{batch.pk}", **{"HX-Target": "batch-now"})


# --- overview


def test_the_overview_counts_what_ended_and_what_waits(alice, number, page):
    today = timezone.now().date()
    for status, count in (("delivered", 6), ("read", 2), ("failed", 2)):
        Tally.objects.create(account=alice, day=today, status=status, count=count)
    factories.make_message(alice, status=Status.QUEUED, due_at=timezone.now())
    factories.make_message(alice, status=Status.FAILED, error_message="Not there.")
    text = page("/app")
    assert "80 %" in text and "20 %" in text, "delivered and failed"
    figures = [part.partition("<")[0] for part in text.split('class="figure">')[1:]]
    assert figures == ["11", "80 %", "20 %", "1"]
    assert "<svg" in text and "As a table" in text
    assert "Not there." in text
    assert "Not verified yet" in text


def test_the_chart_is_drawn_in_every_language(alice, page):
    Tally.objects.create(account=alice, day=timezone.now().date(), status="delivered", count=7)
    text = page("/app", **{"Accept-Language": "ar"})
    drawn = text.partition('<svg class="chart"')[2].partition("</svg>")[0]
    assert 'dir="rtl"' in text and "<rect" in drawn
    assert not re.search(r'="[0-9]+,[0-9]', drawn), "a comma is no decimal point in SVG"


# --- suppressions


def test_a_number_is_added_as_people_write_it_and_removed(alice, page):
    page.client.post("/app/suppressions", {"to": "+1 (415) 555-0100", "note": "asked by mail"})
    row = Suppression.objects.get(account=alice)
    assert (row.phone, row.note, row.marketing_only) == ("14155550100", "asked by mail", False)
    assert "asked by mail" in page("/app/suppressions?q=%2B14155550100")
    page.client.post("/app/suppressions/remove", {"to": "14155550100"})
    assert not Suppression.objects.exists()
    refused = page.client.post("/app/suppressions", {"to": "call me"})
    assert refused.status_code == 400 and "country code" in refused.content.decode()


# --- the request log


def test_the_log_shows_calls_with_their_answers_and_nothing_that_was_in_them(alice, page):
    api = factories.api(alice)
    api.post_json("/send-message?secret=in-the-query", {"to": "no", "message": "what was said"})
    ident = api.send("GET", "/auth/me")["X-Correlation-ID"]
    factories.api("sk_live_" + "0" * 48).send("GET", "/auth/me")
    requestlog.flush()
    assert len(requestlog.calls(alice.pk)) == 2, "a call without a known key is nobody's"
    text = page("/app/log")
    assert ident in text and "/send-message" in text and "Validation failed." in text
    assert "what was said" not in text and "in-the-query" not in text
    assert api.key not in text
    assert "/send-message" not in page(f"/app/log?q={ident}")
    assert "/auth/me" not in page("/app/log?failed=1")


def test_the_log_keeps_only_the_last_calls_of_an_account(alice, settings):
    settings.REQUEST_LOG_ENTRIES = 3
    api = factories.api(alice)
    idents = [api.send("GET", "/auth/me")["X-Correlation-ID"] for _ in range(5)]
    requestlog.flush()
    assert [call.correlation_id for call in requestlog.calls(alice.pk)] == idents[:1:-1]


def test_a_call_is_answered_and_the_log_says_so_when_redis_is_away(alice, page):
    with factories.redis_at():
        assert factories.api(alice).send("GET", "/auth/me").status_code == 200
        assert requestlog.flush() == 0
        assert "cannot be read right now" in page("/app/log")


# --- strangers


PAGES = [
    "/app",
    "/app/messages",
    "/app/messages/{failed}",
    "/app/messages/{sent}",
    "/app/messages/{inbound}",
    "/app/batches/{batch}",
    "/app/conversations",
    "/app/conversations?show=all",
    "/app/conversations/{contact}",
    "/app/suppressions",
    "/app/log",
    "/app/compose?template={template}",
    "/app/compose?kind=text&to=%3Cscript%3Ewindow.hacked%3D%22",
    "/app/compose/many?template={template}",
    "/app/templates",
    "/app/templates/{template}",
    "/app/templates/new",
]


def test_stored_scripts_show_as_text_on_every_page(alice, number, page):
    made = {name: row.pk for name, row in data.fill(number).items()}
    seen = set()
    for path in PAGES:
        text = page(path.format(**made))
        assert "<script>window.pwned" not in text and "<img src=x" not in text, path
        assert "<script>window.hacked" not in text
        seen |= {one.partition("&quot;")[0] for one in text.split("window.pwned=&quot;")[1:]}
    assert {
        "profile",
        "inbound",
        "body",
        "error",
        "details",
        "title",
        "note",
        "verified",
        "reason",
        "template body",
    } <= seen


def without_token(answer) -> bytes:
    """Return a page without the token that each answer has anew."""
    return re.sub(rb'"X-CSRFToken": "[^"]+"|value="[A-Za-z0-9]{64}"', b"", answer.content)


CHANGES = [
    "/app/messages/{failed}/retry",
    "/app/messages/{sent}/cancel",
    "/app/conversations/{contact}",
]


def test_a_foreign_id_is_as_unknown_as_a_random_one(alice, number):
    made = {name: row.pk for name, row in data.fill(number).items()}
    client = signed_in(make_owned("Charlie"))
    random = dict.fromkeys(made, uuid.uuid4())
    for path in PAGES:
        foreign = client.get(path.format(**made))
        hidden = "{" in path and "?" not in path
        assert foreign.status_code == (404 if hidden else 200), path
        assert b"pwned" not in foreign.content and str(made["failed"]).encode() not in foreign.content, path
        if hidden:
            assert without_token(foreign) == without_token(client.get(path.format(**random))), path
    for path in CHANGES:
        answers = [client.post(path.format(**ids), {"body": "Hi"}) for ids in (made, random)]
        assert [answer.status_code for answer in answers] == [404, 404], path
    assert client.post("/app/suppressions/remove", {"to": "14155550199"}).status_code == 302
    assert Suppression.objects.count() == 1
    assert client.get("/app/messages/not-an-id").status_code == 404


# --- speed


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/app", 14),
        ("/app/messages", 4),
        ("/app/messages?status=sent&q=14160000001", 6),
        ("/app/conversations", 6),
        ("/app/conversations?show=all", 6),
        ("/app/conversations?q=14160000001", 7),
        ("/app/suppressions", 4),
        ("/app/log", 3),
        ("/app/compose", 5),
        ("/app/templates", 5),
    ],
)
def test_a_page_takes_as_many_queries_for_many_messages_as_for_few(alice, number, page, path, most):
    counts = []
    for count in (3, 60):
        Message.objects.all().delete()
        Contact.objects.all().delete()
        data.make_many(alice, number, count)
        page(path)
        with CaptureQueriesContext(connection) as made:
            page(path)
        counts.append(len(made))
    assert counts[0] == counts[1] <= most, [query["sql"][:90] for query in made.captured_queries]
