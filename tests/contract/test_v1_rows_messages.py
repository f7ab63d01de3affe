"""The decided rows of /v1 on keys, messages, agents and numbers (J1-J7, J25-J28, J49-J51, J55-J58)."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import agents, keys
from accounts.models import Agent, ApiKey, Number
from messaging.models import Message, Status
from messaging.status.timeline import Change, Failure, record
from messaging.status.transitions import FAILED
from tests import factories
from tests.factories import Api
from tests.support.v1 import AGENTS, MESSAGES, PHONE, TEMPLATES, TO, Customer, add, make_customer, refused
from tests.support.v1_messages import send, sent, status

pytestmark = pytest.mark.django_db


# --- J1, J57, J58: keys


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"revoked_at": timezone.now() - timedelta(days=1)}, "revoked_api_key"),
        ({"expires_at": timezone.now() - timedelta(days=1)}, "expired_api_key"),
    ],
)
def test_a_revoked_and_an_expired_key_have_codes_of_their_own(org, fields, code):
    """J1."""
    error = refused(
        org.api(**fields).get(f"{MESSAGES}/x"), 401, code, kind="authentication_error", param=None
    )
    assert code.partition("_")[0] in error["message"]


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic YTpi",
        "Bearer",
        "Bearer ",
        "Bearer mk_live_8aB3cDe4FgH5iJ6kLm7nOp_a1b2c3d4e5",
        f"Bearer {keys.new_mk()}",
        f"Bearer {keys.new_mk()[:-1]}",
        "Bearer mk_prod_8aB3cDe4FgH5iJ6kLm7nOp_a1b2c3d4e5",
    ],
    ids=range(9),
)
def test_whatever_is_no_key_is_an_invalid_key(header):
    """J1; each says in words what is wrong."""
    more = {} if header is None else {"HTTP_AUTHORIZATION": header}
    answer = Api().get(f"{MESSAGES}/x", **more)
    error = refused(answer, 401, "invalid_api_key", kind="authentication_error")
    assert error["message"] != keys.INVALID
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_mistyped_key_is_refused_without_a_look_at_the_database(org, django_assert_num_queries):
    """The checksum of contract 2.2: one character off, and nothing is asked."""
    key = org.key()
    place = 12
    typo = key[:place] + ("a" if key[place] != "a" else "b") + key[place + 1 :]
    with django_assert_num_queries(0):
        refused(Api(typo).post_json(MESSAGES, org.text()), 401, "invalid_api_key")
    assert send(org).status_code == 202


def test_a_test_key_walks_the_whole_way_without_meta(org):
    """mk_test_: a rehearsal that is flagged as one; it reads and refuses like a live key."""
    who = org.api(kind=ApiKey.Kind.MK_TEST)
    assert who.key and re.fullmatch(r"mk_test_[0-9A-Za-z]{22}_[0-9a-f]{10}", who.key)
    answer = who.post_json(MESSAGES, org.text())
    assert answer.status_code == 202
    assert answer.json()["dry_run"] is True
    assert Message.objects.get().dry_run is True
    refused(who.post_json(MESSAGES, org.text(to="1")), 422, "invalid_phone_number")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
def test_the_scheme_may_be_written_in_any_case(org, scheme):
    """J58."""
    answer = Api().get(AGENTS, HTTP_AUTHORIZATION=f"{scheme} {org.key()}")
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["key", "api_key", "access_token"])
def test_a_key_in_the_address_is_not_read(org, name):
    """J58."""
    refused(Api().get(f"{AGENTS}?{name}={org.key()}"), 401, "invalid_api_key")


def test_revocation_works_at_once_and_keeps_its_reason(org):
    """J56."""
    key, text = factories.make_key(org.account, kind=ApiKey.Kind.MK, scopes=("whatsapp:send",))
    assert Api(text).get(AGENTS).status_code == 200
    keys.revoke(org.account, key.pk, reason="left in a public repository")
    refused(Api(text).get(AGENTS), 401, "revoked_api_key")
    key.refresh_from_db()
    assert key.revoked_reason == "left in a public repository"
    assert [one.pk for one in keys.revoked(org.account)] == [key.pk]


# --- J2 to J5, J49 to J51: what a message shows


def failed_by_meta(org: Customer) -> Message:
    """Let Meta refuse a message in its answer to the send."""
    message = sent(org, status=Status.SUBMITTING, submitted_at=timezone.now(), due_at=timezone.now())
    why = Failure("recipient_unreachable", "Nobody there.", code=131026, detail={"http_status": 400})
    record([Change(message.pk, Status.FAILED, token=message.lease_token, failure=why)])
    return message


def test_a_message_that_meta_refused_at_once_was_handed_over_and_failed(org):
    """J2, J3, J5, J49."""
    shown = status(org, failed_by_meta(org).pk)
    assert shown["status"] == "failed"
    assert shown["sent_at"] and shown["failed_at"]
    assert shown["sent_at"] <= shown["failed_at"]
    assert shown["platform_message_id"] is None
    assert shown["failure_reason"] == "recipient_unreachable"


@pytest.mark.parametrize("slug", ["no_credentials", "meta_unreachable"])
def test_a_message_that_never_left_has_no_time_of_sending(org, slug):
    """J2."""
    submitted = timezone.now() if slug == "meta_unreachable" else None
    message = sent(org, status=Status.SUBMITTING, submitted_at=submitted, due_at=timezone.now())
    record([Change(message.pk, Status.FAILED, token=message.lease_token, failure=Failure(slug, "."))])
    shown = status(org, message.pk)
    assert (shown["status"], shown["sent_at"]) == ("failed", None)
    assert shown["failed_at"]


def test_a_message_that_failed_later_keeps_the_time_it_was_sent(org):
    """J2."""
    message = sent(org)
    early = timezone.now() - timedelta(seconds=90)
    Message.objects.filter(pk=message.pk).update(created_at=early - timedelta(seconds=5))
    record([Change(message.pk, Status.SENT, at=early, wamid="wamid.A")])
    before = status(org, message.pk)
    assert before["status"] == "sent" and before["sent_at"] and before["failed_at"] is None
    assert before["platform_message_id"] == "wamid.A"
    record([Change(message.pk, Status.FAILED, failure=FAILED)])
    after = status(org, message.pk)
    assert after["status"] == "failed"
    assert (after["sent_at"], after["platform_message_id"]) == (before["sent_at"], "wamid.A")
    assert after["failed_at"] > after["sent_at"]


@pytest.mark.parametrize(
    "state", [Status.QUEUED, Status.SCHEDULED, Status.RETRYING, Status.SUBMITTING, Status.UNKNOWN]
)
def test_until_meta_answers_a_message_is_queued_and_nothing_else(org, state):
    """J3."""
    shown = status(org, sent(org, status=state, submitted_at=timezone.now(), wamid=None).pk)
    assert shown["status"] == "queued"
    assert shown["sent_at"] is shown["failed_at"] is shown["platform_message_id"] is None
    assert "failure_reason" not in shown


def test_the_status_names_the_recipient(org):
    """J4."""
    assert status(org, send(org).json()["id"])["to"] == TO


def test_a_read_receipt_before_the_delivery_stays_and_a_late_failure_changes_nothing(org):
    """J50, J51."""
    message = sent(org)
    for change, expected in [(Status.READ, "read"), (Status.DELIVERED, "read"), (Status.FAILED, "read")]:
        record([Change(message.pk, change, wamid="wamid.B")])
        assert status(org, message.pk)["status"] == expected


def test_a_cancelled_message_has_failed_and_says_why(org):
    """The document has five statuses; the other API can cancel."""
    ident = send(org).json()["id"]
    factories.api(org.account).post_json(f"/messages/{ident}/cancel")
    shown = status(org, ident)
    assert (shown["status"], shown["failure_reason"]) == ("failed", "canceled")
    assert shown["failed_at"] and shown["sent_at"] is None


# --- J6, J7, J25 to J28, J55: agents and numbers


def test_an_agent_that_is_not_there_and_one_of_somebody_else_are_the_same(org):
    """J6."""
    other = make_customer("+15550001111")
    answers = [send(org, org.text(agent_id=one)) for one in (str(uuid.uuid4()), str(other.agent.pk))]
    for answer in answers:
        refused(answer, 403, "agent_not_authorized", kind="permission_error", available_phones=None)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"agent_id": ...}, "invalid_request_body", "agent_id"),
        ({"agent_id": None}, "invalid_request_body", "agent_id"),
        ({"agent_id": "x"}, "invalid_agent_id", "agent_id"),
        ({"agent_id": 7}, "invalid_agent_id", "agent_id"),
        ({"agent_id": "{12345678-1234-1234-1234-123456789012}"}, "invalid_agent_id", "agent_id"),
        ({"from": ...}, "invalid_request_body", "from"),
        ({"from": "15557654321"}, "invalid_from_phone", "from"),
        ({"from": ""}, "invalid_from_phone", "from"),
        ({"from": ["+15557654321"]}, "invalid_from_phone", "from"),
        ({"to": ...}, "invalid_request_body", "to"),
        # J48: nothing is guessed
        ({"to": "15551234567"}, "invalid_phone_number", "to"),
        ({"to": "+1 555 123 4567"}, "invalid_phone_number", "to"),
        ({"to": "+05551234567"}, "invalid_phone_number", "to"),
        ({"to": "+123456"}, "invalid_phone_number", "to"),
        ({"to": "+1234567890123456"}, "invalid_phone_number", "to"),
        ({"to": "+١٥٥٥١٢٣٤٥٦٧"}, "invalid_phone_number", "to"),
        ({"to": 15551234567}, "invalid_phone_number", "to"),
        # J9
        ({"text": ...}, "invalid_request_body", "text"),
        ({"text": "Hello"}, "invalid_request_body", "text"),
        ({"text": {}}, "invalid_request_body", "text.body"),
        ({"text": {"body": ""}}, "invalid_request_body", "text.body"),
        ({"text": {"body": " \n"}}, "invalid_request_body", "text.body"),
        ({"text": {"body": "x" * 4097}}, "invalid_request_body", "text.body"),
        ({"text": {"body": 5}}, "invalid_request_body", "text.body"),
    ],
)
def test_a_field_of_a_text_that_is_missing_or_wrong_is_named(org, change, code, param):
    """J7, J9, J48."""
    refused(send(org, org.text(**change)), 422, code, kind="validation_error", param=param)
    assert not Message.objects.exists()


def test_the_longest_text_is_counted_in_characters(org):
    """J9."""
    assert send(org, org.text(text={"body": "👍" * 4096})).status_code == 202


@pytest.mark.parametrize(
    ("template", "code", "param"),
    [
        (..., "invalid_request_body", "template"),
        ("order_shipped", "invalid_request_body", "template"),
        ({"language": "en"}, "invalid_template_name", "template.name"),
        ({"name": " ", "language": "en"}, "invalid_template_name", "template.name"),
        ({"name": 1, "language": "en"}, "invalid_request_body", "template.name"),
        ({"name": "x" * 513, "language": "en"}, "invalid_request_body", "template.name"),
        ({"name": "a"}, "invalid_request_body", "template.language"),
        ({"name": "a", "language": "english please"}, "invalid_request_body", "template.language"),
    ],
)
def test_what_names_a_template_is_checked(org, template, code, param):
    """J7."""
    answer = org.api().post_json(TEMPLATES, org.text(text=..., template=template))
    refused(answer, 422, code, param=param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        # J24
        ({"parameters": ["Sara"]}, "template.parameters"),
        ({"parameters": {"1": {"text": "Sara"}}}, "template.parameters.1"),
        ({"parameters": {"1": None}}, "template.parameters.1"),
        ({"header_parameters": {"label": ["x"]}}, "template.header_parameters.label"),
        ({"header_media_url": 7}, "template.header_media_url"),
        # J20, J22
        ({"buttons": {"index": 0}}, "template.buttons"),
        ({"buttons": ["x"]}, "template.buttons[0]"),
        ({"buttons": [{"url_suffix": "x"}]}, "template.buttons[0].index"),
        ({"buttons": [{"index": -1}]}, "template.buttons[0].index"),
        ({"buttons": [{"index": "0"}]}, "template.buttons[0].index"),
        ({"buttons": [{"index": True}]}, "template.buttons[0].index"),
        ({"buttons": [{"index": 1}, {"index": 0}, {"index": 1}]}, "template.buttons[2].index"),
        ({"buttons": [{"index": 0, "url_suffix": ["x"]}]}, "template.buttons[0].url_suffix"),
        ({"buttons": [{"index": 0, "action": "go"}]}, "template.buttons[0].action"),
    ],
)
def test_values_that_are_none_are_refused_with_their_path(org, fields, param):
    """J20, J22, J24."""
    answer = org.api().post_json(TEMPLATES, org.template(**fields))
    refused(answer, 422, "invalid_request_body", param=param)


def test_a_number_without_a_match_is_answered_with_those_that_would_do(org):
    """J26: active ones, with the plus, of this agent only."""
    add(org.account, org.agent, "+15550000009")
    add(org.account, org.agent, "+15550000008", is_active=False)
    add(org.account, org.agent, "+15550000007", display_phone="")
    gone = add(org.account, org.agent, "+15550000006")
    Number.objects.filter(pk=gone.pk).update(removed_at=timezone.now())
    org.another("Other", "+15550000005")
    error = refused(
        send(org, org.text(**{"from": "+19999999999"})),
        422,
        "from_phone_not_found_for_agent",
        kind="validation_error",
        available_phones=["+15550000009", PHONE],
    )
    assert PHONE in error["message"]
    for phone in ("+15550000008", "+15550000007", "+15550000006", "+15550000005"):
        refused(send(org, org.text(**{"from": phone})), 422, "from_phone_not_found_for_agent")
    assert send(org, org.text(**{"from": "+15550000009"})).status_code == 202


def test_an_agent_without_a_number_has_none_available(org):
    """J25."""
    lonely = org.another("Lonely", phone=None)
    answer = send(org, org.text(agent_id=str(lonely.pk)))
    refused(answer, 422, "from_phone_not_found_for_agent", available_phones=[])


def test_a_key_limited_to_agents_never_hears_of_another_ones_numbers(org):
    """J43, J55."""
    other = org.another()
    limited = org.api(agent_ids=[str(other.pk)])
    answer = limited.post_json(MESSAGES, org.text(**{"from": "+19999999999"}))
    refused(answer, 403, "agent_not_authorized", kind="permission_error", available_phones=None)
    allowed = org.text(agent_id=str(other.pk), **{"from": "+15557650001"})
    assert limited.post_json(MESSAGES, allowed).status_code == 202
    Number.objects.filter(agent=other).update(agent=org.agent)
    Agent.objects.filter(pk=other.pk).delete()
    refused(limited.post_json(MESSAGES, allowed), 403, "agent_not_authorized")


def test_a_message_of_an_agent_outside_the_keys_list_is_403_and_of_a_stranger_404(org):
    """J27."""
    mine = send(org).json()["id"]
    limited = org.api(agent_ids=[str(org.another().pk)])
    refused(limited.get(f"{MESSAGES}/{mine}"), 403, "agent_not_authorized")
    stranger = make_customer("+15550001111")
    refused(stranger.api().get(f"{MESSAGES}/{mine}"), 404, "message_not_found")


def test_messages_of_another_key_of_the_organisation_are_seen(org):
    """J28: each call here has a key of its own."""
    assert status(org, send(org).json()["id"])["status"] == "queued"


def test_a_message_stays_with_the_agent_it_was_sent_by(org):
    """A number given to another agent later takes nothing with it."""
    ident = send(org).json()["id"]
    agents.assign(org.account, org.number.pk, org.another(phone=None).pk)
    assert status(org, ident)["agent_id"] == str(org.agent.pk)


def test_a_classic_key_that_names_no_agent_has_the_default_one(org):
    """sk_live_ keys come from an API without agents."""
    answer = org.api("*", kind=ApiKey.Kind.SK).post_json(MESSAGES, org.text(agent_id=...))
    assert answer.status_code == 202
    assert answer.json()["agent_id"] == str(org.agent.pk)


def test_only_messages_of_this_api_are_shown(org):
    """Contract 2.3: not those of the other API, not what came in, not the dashboard's."""
    for source in set(Message.Source) - {Message.Source.V1}:
        refused(org.api().get(f"{MESSAGES}/{sent(org, source=source).pk}"), 404, "message_not_found")


# --- J52: a number for which WhatsApp keeps failing


@pytest.mark.parametrize("kind", ["text", "template"])
def test_a_paused_number_takes_messages_and_the_other_dialect_keeps_its_503(org, kind):
    """J52: 202 and the message waits; W23: the root API's documented 503."""
    until = timezone.now() + timedelta(seconds=30)
    Number.objects.filter(pk=org.number.pk).update(breaker_open_since=timezone.now(), paused_until=until)
    path, body = (MESSAGES, org.text()) if kind == "text" else (TEMPLATES, org.template())
    key = org.key("*", kind=ApiKey.Kind.SK)  # the address chooses the dialect, not the key
    for who in (org.api(), Api(key)):
        answer = who.post_json(path, body)
        assert (answer.status_code, answer.json()["status"]) == (202, "queued"), answer.content
    waiting = Message.objects.filter(account=org.account, status=Status.QUEUED, due_at__isnull=False)
    assert waiting.count() == 2
    root = Api(key).post_json("/send-message", {"to": TO[1:], "message": "Hello"})
    assert (root.status_code, root.json()["code"]) == (503, "upstream_unavailable")
