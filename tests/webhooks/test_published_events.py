"""What really happens is published in the words of /developers/events: every body fits its JSON Schema."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from django.utils import timezone

from accounts.models import Number
from billing.mails import QuotaWarning
from devstack.meta import inbound
from messaging.inbound.apply_callbacks import open_envelope
from messaging.models import Message, Status
from messaging.send import pacing
from tests import factories
from tests.factories import TOKEN, api, connect
from tests.messaging.inbound.test_meta_examples import bodies
from tests.support.meta import (
    all_callbacks,
    apply_callbacks,
    envelope,
    know_template,
    make_due,
    person,
    post,
    queue,
    status_for,
    text_item,
)
from webhooks.models import Delivery, Event
from webhooks.outgoing import pulling, quota_warnings
from webhooks.outgoing.catalogue import CATALOGUE

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("app_secret")]

_VALIDATORS = {
    name: jsonschema.Draft202012Validator(
        one.schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
    for name, one in CATALOGUE.items()
}


@pytest.fixture(autouse=True)
def everybody_listens(request):
    """Keep the events of Alice and Charlie."""
    for name in ("alice", "charlie"):
        pulling.page(request.getfixturevalue(name).pk, after=None)


def published(*types: str) -> list[dict]:
    """Return the data of what was published, in order; each body fits its schema and none has more."""
    found = []
    for event in Event.objects.order_by("txid", "id"):
        body = json.loads(event.body)
        assert body["event"] == event.type
        assert body["id"] == event.public_id
        _VALIDATORS[event.type].validate(body)
        assert set(body["data"]) == set(CATALOGUE[event.type].data["properties"]), event.type
        found.append(body)
    assert [one["event"] for one in found] == list(types)
    return [one["data"] for one in found]


# --- messages going out


def test_every_status_that_customers_are_told_of(number):
    message = make_due(number, status=Status.SUBMITTING, metadata={"orderId": "1234"})[0]
    for status in ("sent", "delivered", "read"):
        post(envelope(number, statuses=[status_for(message, status)]))
        apply_callbacks()
    told = published(*["message.status_updated"] * 3)
    assert [one["status"] for one in told] == ["sent", "delivered", "read"]
    assert {one["messageId"] for one in told} == {str(message.pk)}
    assert {one["to"] for one in told} == {message.recipient}
    assert [one["sequence"] for one in told] == sorted({one["sequence"] for one in told})
    assert all(one["metadata"] == {"orderId": "1234"} for one in told)
    assert [bool(one["readAt"]) for one in told] == [False, False, True]


def test_a_failure_with_its_reason(number):
    message = make_due(number, status=Status.SENT, wamid="wamid.f", due_at=None)[0]
    details = "Message Undeliverable."
    errors = [{"code": 131026, "title": "Message undeliverable", "error_data": {"details": details}}]
    post(envelope(number, statuses=[status_for(message, "failed", errors=errors)]))
    apply_callbacks()
    (told,) = published("message.status_updated")
    assert (told["status"], told["errorCode"], told["errorDetails"]) == ("failed", 131026, details)
    assert told["failedAt"] and told["failure"] and told["errorMessage"]


def test_a_repeated_report_is_no_event(number):
    message = make_due(number, status=Status.SUBMITTING)[0]
    for nonce in range(3):
        post(envelope(number, statuses=[status_for(message, "sent")], nonce=nonce))
        apply_callbacks()
    published("message.status_updated")


def test_a_message_refused_by_policy(alice, number):
    phone = person()
    api(alice).post_json("/suppressions", {"to": phone})
    answer = api(alice).post_json("/messages/bulk", {"messages": [{"to": phone, "message": "Hi"}]})
    assert answer.status_code == 202
    (told,) = published("message.status_updated")
    assert (told["status"], told["failure"]) == ("failed", "recipient_opted_out")
    assert told["batchId"] == answer.json()["data"]["batchId"]


def test_a_scheduled_message_and_its_cancellation(alice, number):
    at = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    body = {"to": person(), "message": "Hi", "sendAt": at.isoformat(), "metadata": {"a": [1, None]}}
    accepted = api(alice).post_json("/send-message", body).json()["data"]
    assert api(alice).post_json(f"/messages/{accepted['id']}/cancel", {}).status_code == 200
    scheduled, canceled = published("message.scheduled", "message.canceled")
    assert scheduled["scheduledFor"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert scheduled["messageId"] == canceled["messageId"] == accepted["id"]
    assert scheduled["sequence"] < canceled["sequence"]
    assert scheduled["metadata"] == canceled["metadata"] == {"a": [1, None]}


# --- messages coming in


@pytest.mark.django_db(transaction=True)
def test_every_type_of_message_that_a_person_can_write(meta, number):
    to = person()
    queue(number.account, to=to)
    kinds = [*inbound.TYPES, "holiday_card"]
    for kind in kinds:
        meta.writes(number, to, type=kind)
    all_callbacks(meta)
    told = published(*["message.received"] * len(kinds))
    assert {one["type"] for one in told} == set(kinds)
    assert {one["from"] for one in told} == {to}
    assert {one["phoneNumberId"] for one in told} == {number.phone_number_id}
    by_type = {one["type"]: one for one in told}
    assert by_type["image"]["media"]["id"]
    assert by_type["text"]["content"]["body"] == by_type["text"]["text"]
    assert by_type["button"]["buttonPayload"]


def test_callbacks_as_metas_examples_have_them(alice):
    named = set().union(*(open_envelope(raw).phone_number_ids for raw in bodies().values()))
    for ident in sorted(named):
        owner = alice if not Number.objects.exists() else factories.make_account()
        pulling.page(owner.pk, after=None)
        connect(owner, phone_number_id=ident)
    for raw in bodies().values():
        post(raw)
    apply_callbacks()
    count = Message.objects.filter(direction="in").count()
    assert count >= 10
    assert len(published(*["message.received"] * count)) == count


@pytest.mark.parametrize(
    "odd",
    [
        {"text": {"body": "a\x00b"}},
        {"text": {"body": "\ud800"}},
        {"text": {"body": "x" * 4096}},
        {"type": "x" * 300},
        {"text": None},
        {"type": "image", "image": {"id": 5}},
        {"type": "image", "image": None},
        {"type": "button", "button": {"payload": {"a": 1}}},
        {"type": "interactive", "interactive": []},
        {"context": "no object"},
        {"from": "US.13491208655302741918"},
        {"from": None},
    ],
    ids=lambda odd: ascii(odd)[:40],
)
def test_whatever_a_stranger_makes_of_it(number, odd):
    item = text_item("wamid.odd", person()) | odd
    post(envelope(number, messages=[item]))
    apply_callbacks()
    count = Message.objects.filter(direction="in").count()
    published(*["message.received"] * count)


# --- templates, numbers, the account


def test_a_template_that_meta_paused(number):
    template = know_template(number, "MARKETING")
    news = {
        "event": "PAUSED",
        "message_template_id": int(template.meta_id),
        "message_template_name": template.name,
        "message_template_language": template.language,
        "reason": "NONE",
        "other_info": {"title": "FIRST_PAUSE"},
    }
    body = envelope(number, field="message_template_status_update", **news)
    body["entry"][0]["id"] = template.waba_id
    post(body)
    apply_callbacks()
    (told,) = published("template.status_updated")
    assert (told["templateId"], told["status"]) == (template.meta_id, "PAUSED")


def test_a_number_that_is_held_and_resumes(alice, number):
    reason = "The access token has expired."
    pacing.hold(number.pk, sealed_token=number.access_token_sealed, reason=reason)
    pacing.hold(number.pk, sealed_token=number.access_token_sealed, reason=reason)
    fresh = {"whatsappAccessToken": TOKEN + "new", "whatsappPhoneNumberId": number.phone_number_id}
    assert api(alice).put_json("/auth/me/credentials", fresh).status_code == 200
    held, resumed = published("number.held", "number.resumed")
    assert held["phoneNumberId"] == resumed["phoneNumberId"] == number.phone_number_id
    assert (held["reason"], resumed["reason"]) == (reason, None)


def test_a_quota_that_runs_out(alice):
    now = timezone.now()
    warning = QuotaWarning(
        account_id=alice.pk, plan="basic", used=8_000, limit=10_000, percent=80, starts_at=now, ends_at=now
    )
    quota_warnings.publish([warning])
    (told,) = published("account.quota_warning")
    assert told["percent"] == 80


def test_a_test_event_that_was_asked_for(alice):
    made = api(alice).post_json("/webhook-endpoints", {"url": "https://good.example/hook"}).json()["data"]
    assert api(alice).post_json(f"/webhook-endpoints/{made['id']}/test").status_code < 300
    (told,) = published("webhook.test")
    assert told["message"]


def test_every_type_of_the_catalogue_is_tried_here():
    text = Path(__file__).read_text()
    assert [name for name in CATALOGUE if f'"{name}"' not in text] == []


def test_the_default_webhook_hears_the_payload_of_a_template_s_button(number, alice):
    """What the template document promises, with the endpoint set as the guide sets it."""
    set_up = api(alice).put_json("/auth/me/webhook", {"url": "https://hooks.example.com/in"})
    assert set_up.status_code == 200
    tapped = text_item("wamid.TAP", person(), type="button", button={"payload": "order-42", "text": "Yes"})
    post(envelope(number, messages=[tapped]))
    apply_callbacks()
    (told,) = Delivery.objects.select_related("event")
    assert str(told.endpoint_id) == set_up.json()["data"]["endpointId"]
    body = json.loads(told.event.body)
    assert (body["event"], body["data"]["buttonPayload"]) == ("message.received", "order-42")


@pytest.mark.parametrize(
    ("text", "parameters", "read"),
    [
        ("Welcome and congratulations!!", None, "Welcome and congratulations!!"),
        (
            "Hi {{1}}, {{2}}.",
            [{"type": "text", "text": "Sara"}, {"type": "text", "text": "{{1}}"}],
            "Hi Sara, {{1}}.",
        ),
        ("Hi {{name}}.", [{"type": "text", "parameter_name": "name", "text": "Sara"}], "Hi Sara."),
        ("Pay {{1}}.", [{"type": "currency", "currency": {"fallback_value": "5 €"}}], "Pay 5 €."),
        ("Hi {{1}}.", [], "Hi {{1}}."),
        (None, None, None),
    ],
)
def test_a_template_sent_in_metas_shape_is_read_with_its_values_everywhere(
    number, alice, text, parameters, read
):
    template = know_template(number, "UTILITY")
    template.components = [{"type": "BODY", "text": text}] if text else {"no": "list"}
    template.save()
    components = None if parameters is None else [{"type": "BODY", "parameters": parameters}]
    part = {"name": "hello_world", "language": "en_US"} | ({"components": components} if components else {})
    answer = api(alice).post_json("/send-message", {"to": person(), "template": part})
    ident = answer.json()["data"]["id"]
    shown = api(alice).get(f"/messages/{ident}").json()["data"]
    assert shown["body"] == read
    assert shown["template"] == part, "what Meta gets is what was asked for"
    Message.objects.update(status=Status.SUBMITTING)
    post(envelope(number, statuses=[status_for(Message.objects.get(), "sent")]))
    apply_callbacks()
    (told,) = published("message.status_updated")
    assert told["body"] == read
