"""The pages of webhooks: endpoints made and ended, what each was sent and answered, replay, a test event."""

from __future__ import annotations

import json
import threading
import uuid

import pytest
from django.db import connections
from playwright.sync_api import expect

from messaging.models import Message, MessageEvent, Status
from tests import factories
from tests.dashboard import data
from tests.messaging.dashboard.test_messages_browser import enter
from tests.support.people import join, make_owned, signed_in
from webhooks.models import Delivery, Endpoint
from webhooks.outgoing import delivery_log, endpoints, outbox
from webhooks.outgoing import worker as delivery_worker
from webhooks.outgoing.endpoints import Given

pytestmark = pytest.mark.django_db(transaction=True)

D = Delivery.Status
HOME = "/app/webhooks"


@pytest.fixture
def alice(db):
    return make_owned("Alice")


@pytest.fixture
def client(alice):
    return signed_in(alice)


def deliver() -> None:
    """Send what is due, beside the browser's own event loop."""

    def work() -> None:
        try:
            delivery_worker.drain(seconds=20, linger=0.35)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)


def text_of(answer, status: int = 200) -> str:
    """Return a page's text."""
    assert answer.status_code == status, answer.content[:400]
    return answer.content.decode()


def test_an_endpoint_is_made_its_secret_shown_once_and_tested(client, alice, receiver):
    assert "No endpoint yet" in text_of(client.get(HOME))
    refused = client.post(HOME, {"url": "ftp://example.com", "events": ["*"]})
    assert "https" in text_of(refused, 400)
    made = text_of(client.post(HOME, {"url": receiver.url + "/hook", "events": ["*"]}))
    assert "whsec_" in made
    endpoint = Endpoint.objects.get(account=alice)
    page = f"{HOME}/{endpoint.pk}"
    assert "whsec_" not in text_of(client.get(HOME)) + text_of(client.get(page))
    delivery = client.post(f"{page}/test")["Location"]
    assert "On its way" in text_of(client.get(delivery)) and "every 2s" in text_of(client.get(delivery))
    deliver()
    assert b"This is a test event" in receiver.got[0].body
    shown = text_of(client.get(delivery))
    for words in ("Delivered", "answer 200", "webhook-id", "This is a test event", "Replay"):
        assert words in shown, words
    assert "every 2s" not in shown
    assert f'href="{delivery}"' in text_of(client.get(page))
    assert f'href="{delivery}"' not in text_of(client.get(f"{page}?status=failed"))
    assert alice.audit_events.filter(action="webhook.created").exists()


def test_an_endpoint_is_changed_rotated_switched_and_removed(client, alice, receiver):
    endpoint, _secret = endpoints.create(alice, Given(url=receiver.url))
    page = f"{HOME}/{endpoint.pk}"
    given = {"url": receiver.url + "/new", "description": "shop", "events": ["message.received"]}
    assert client.post(page, given)["Location"] == page
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.events) == (receiver.url + "/new", ["message.received"])
    assert "whsec_" in text_of(client.post(f"{page}/rotate"))
    client.post(f"{page}/switch")
    assert "Switched off" in text_of(client.get(page))
    client.post(f"{page}/test")
    assert "This endpoint is disabled" in text_of(client.get(page))
    client.post(f"{page}/switch")
    assert "Well" in text_of(client.get(page))
    assert client.post(f"{page}/remove")["Location"] == HOME
    assert client.get(page).status_code == 404


def test_an_endpoint_gets_headers_of_its_own_which_stay_are_replaced_and_end(client, alice, receiver):
    given = {"url": receiver.url, "events": ["*"]}
    first = {"headers": "X-Shop: blue\r\n\r\nAuthorization:  Basic c2VjcmV0  "}
    assert "c2VjcmV0" not in text_of(client.post(HOME, given | first))
    endpoint = Endpoint.objects.get(account=alice)
    page = f"{HOME}/{endpoint.pk}"
    shown = text_of(client.get(page))
    assert "X-Shop, Authorization" in shown and "blue" not in shown and "c2VjcmV0" not in shown

    def sent() -> dict[str, str]:
        receiver.forget()
        client.post(f"{page}/test")
        deliver()
        return {name.lower(): value for name, value in receiver.got[0].headers.items()}

    headers = sent()
    assert (headers["x-shop"], headers["authorization"]) == ("blue", "Basic c2VjcmV0")
    assert client.post(page, given | {"headers": ""}).status_code == 302
    assert sent()["x-shop"] == "blue"
    assert client.post(page, given | {"headers": "X-Other: 1"}).status_code == 302
    headers = sent()
    assert headers["x-other"] == "1" and "x-shop" not in headers
    assert client.post(page, given | {"no_headers": "on"}).status_code == 302
    assert "x-other" not in sent()
    assert "Send no headers" not in text_of(client.get(page))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("X-Shop blue", "Write each as a name, a colon and a value."),
        ("X-Shop: a\nX-Shop: b", "X-Shop is given more than once."),
        ("Host: example.com", "This header is set by us or by the connection."),
        ("X <b>: 1", "cannot be the name of a header."),
        ("X-Shop: über", "Must be 1 to 500 visible ASCII characters."),
        ("X-Shop:", "Must be 1 to 500 visible ASCII characters."),
        ("\n".join(f"X-{n}: 1" for n in range(11)), "Must have at most 10 headers."),
    ],
)
def test_a_wrong_header_is_told_at_its_field_and_nothing_is_stored(client, alice, receiver, text, fault):
    shown = text_of(client.post(HOME, {"url": receiver.url, "events": ["*"], "headers": text}), 400)
    assert fault in shown and "<b>" not in shown
    assert shown.index('id="id_headers"') < shown.index(fault)
    assert not Endpoint.objects.filter(account=alice).exists()


def test_a_message_shows_the_webhooks_that_told_of_it(client, alice, receiver):
    endpoint, _secret = endpoints.create(alice, Given(url=receiver.url, events=["*"]))
    message = factories.make_message(alice, status=Status.SENT)
    other = factories.make_message(alice, status=Status.SENT)
    for one in (message, other):
        at = MessageEvent.objects.get(message=one).recorded_at
        told = {"messageId": str(one.pk), "at": str(at)}
        outbox.publish([outbox.Announcement(alice.pk, "message.status_updated", told, str(one.pk), 1)])
    receiver.answer = lambda got: (500, {})
    deliver()
    mine = Delivery.objects.get(event__subject=str(message.pk))
    text = text_of(client.get(f"/app/messages/{message.pk}"))
    assert f"{HOME}/{endpoint.pk}/{mine.pk}" in text and "500" in text
    assert str(Delivery.objects.exclude(pk=mine.pk).get().pk) not in text


def test_what_was_given_up_is_replayed_in_a_browser(visit, alice, receiver):
    endpoint, _secret = endpoints.create(alice, Given(url=receiver.url, events=["*"]))
    delivery = delivery_log.send_test(alice, endpoint.pk)
    receiver.answer = lambda got: (500, {})
    deliver()
    Delivery.objects.filter(pk=delivery.pk).update(status=D.FAILED, due_at=None)
    receiver.forget()
    tab = visit()
    enter(tab, alice)
    tab.open(f"{HOME}/{endpoint.pk}")
    tab.page.get_by_role("link", name="webhook.test").click()
    expect(tab.page.locator("h1")).to_contain_text("Given up")
    tab.page.get_by_role("button", name="Replay").click()
    expect(tab.page.locator("h1")).to_contain_text("On its way")
    deliver()
    expect(tab.page.locator("h1")).to_contain_text("Delivered")
    assert [got.id for got in receiver.got] == [f"evt_{delivery.event_id.hex}"]
    tab.assert_clean()


def test_what_strangers_answer_shows_as_text_and_foreign_ids_are_unknown(alice, client, receiver):
    attack = data.attack("answer")
    endpoint, _secret = endpoints.create(alice, Given(url=receiver.url, description=attack))
    delivery = delivery_log.send_test(alice, endpoint.pk)
    deliver()
    delivery.log.update(response=attack, error=attack)
    delivery.event.__class__.objects.filter(pk=delivery.event_id).update(
        body=json.dumps({"type": "webhook.test", "data": {"text": attack}})
    )
    charlie = signed_in(make_owned("Charlie"))
    page = f"{HOME}/{endpoint.pk}"
    for path in (HOME, page, f"{page}/{delivery.pk}"):
        text = text_of(client.get(path))
        assert "<script>window.pwned" not in text and "pwned" in text, path
        assert charlie.get(path).status_code == (200 if path == HOME else 404), path
    assert b"pwned" not in charlie.get(HOME).content
    for action in ("", "/test", "/switch", "/rotate", "/remove", "/replay", f"/{delivery.pk}/replay"):
        for ident in (endpoint.pk, uuid.uuid4(), "nonsense"):
            given = {"url": receiver.url, "events": ["*"]}
            assert charlie.post(f"{HOME}/{ident}{action}", given).status_code == 404, action
    endpoint.refresh_from_db()
    assert endpoint.enabled and endpoint.removed_at is None


def test_a_member_looks_and_replays_but_changes_nothing(alice, receiver):
    endpoint, _secret = endpoints.create(alice, Given(url=receiver.url))
    member = signed_in(join(alice, "member", "mo@example.com"))
    page = f"{HOME}/{endpoint.pk}"
    assert "Add an endpoint" not in text_of(member.get(HOME))
    for path in (HOME, page, f"{page}/switch", f"{page}/rotate", f"{page}/remove"):
        assert member.post(path, {"url": receiver.url, "events": ["*"]}).status_code == 403, path
    assert member.post(f"{page}/replay", {"hours": "24"})["Location"] == page
    assert Message.objects.count() == 0


def test_the_page_makes_no_more_endpoints_than_the_plan_has():
    account = make_owned("Freya", plan="free")
    page = signed_in(account)
    form = {"url": "https://example.com/hook", "events": "*"}
    assert page.post("/app/webhooks", form).status_code == 200
    answer = page.post("/app/webhooks", form)
    assert answer.status_code == 400
    assert "Your plan has 1 webhook endpoint." in answer.content.decode()
    assert Endpoint.objects.filter(account=account).count() == 1
