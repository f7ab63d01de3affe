"""Callbacks are read item by item, whatever they look like."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from messaging.meta.callback_envelope import Envelope
from messaging.meta.callbacks import (
    AccountChange,
    Broken,
    InboundMessage,
    MessageEcho,
    MetaError,
    StatusUpdate,
    TemplateChange,
    UserPreference,
    ValueErrors,
    parse,
)
from messaging.meta.codes import Outcome
from tests.support.examples import PERSON, PERSON_NAME, PHONE_NUMBER_ID, callbacks

WABA, NUMBER = "102290129340398", "106540352242922"
AT = datetime(2025, 6, 18, 16, 22, 53, tzinfo=UTC)
STATUS = {"id": "wamid.S", "status": "delivered", "timestamp": "1750263773", "recipient_id": "16505551234"}
TEXT = {
    "from": "16505551234",
    "id": "wamid.M",
    "timestamp": "1750263773",
    "type": "text",
    "text": {"body": "hi"},
}


def callback(field="messages", time=None, **value):
    value.setdefault("metadata", {"display_phone_number": "15550783881", "phone_number_id": NUMBER})
    entry = {"id": WABA, "changes": [{"field": field, "value": value}]}
    if time is not None:
        entry["time"] = time
    return {"object": "whatsapp_business_account", "entry": [entry]}


def only(payload):
    [item] = parse(payload)
    assert item.waba_id == WABA
    return item


def message(**changes):
    found = only(callback(messages=[{**TEXT, **changes}]))
    assert isinstance(found, InboundMessage), found
    return found


def test_a_callback_of_every_kind_is_read_without_a_broken_part():
    for name, example in callbacks().items():
        items = parse(example)
        assert items, name
        assert not [item for item in items if isinstance(item, Broken)], name
        assert all(item.waba_id and item.phone_number_id == PHONE_NUMBER_ID for item in items), name
        assert Envelope.of(example).phone_number_ids == {PHONE_NUMBER_ID}
        expected = AccountChange if name.startswith("group_") else InboundMessage
        assert all(isinstance(item, expected) for item in items), name


TEXTS = {
    "button_message": "No more news",
    "contacts_message": "Zoë Brânză",
    "image_message": "The loaf of Sunday",
    "button_reply_message": "Another day",
    "list_reply_message": "Tomorrow",
    "location_message": "The bakery, 3 Quay Street, Bergen",
    "order_message": None,
    "reaction_message": "🥖",
    "system_message": "Noor Haddad moved from 14155550137 to 14155550199",
    "text_message": "Have you any rye left?",
    "text_from_an_ad_message": "I saw your ad. Do you deliver?",
    "text_about_a_product_message": "Is this one made without yeast?",
    "unsupported_message": None,
}


@pytest.mark.parametrize("name", TEXTS)
def test_an_inbound_message_of_every_kind_shows_its_text(name):
    [item] = parse(callbacks()[name])
    assert item.text == TEXTS[name]
    assert item.sender == PERSON
    assert item.profile_name == (None if name == "system_message" else PERSON_NAME)
    assert item.opens_window is (name not in {"system_message", "reaction_message"})


def test_a_status_is_read_whole():
    raw = {
        **STATUS,
        "recipient_user_id": "US.1",
        "biz_opaque_callback_data": "hm:1",
        "pricing": {"billable": True},
        "conversation": {"id": "c"},
    }
    assert only(callback(statuses=[raw])) == StatusUpdate(
        waba_id=WABA,
        phone_number_id=NUMBER,
        wamid="wamid.S",
        status="delivered",
        at=AT,
        ref="hm:1",
        recipient_id="16505551234",
        recipient_user_id="US.1",
        errors=(),
        pricing={"billable": True},
        conversation={"id": "c"},
        raw=raw,
    )


def test_a_failed_status_brings_its_errors():
    errors = [{"code": 131049, "title": "Kept", "error_data": {"details": "why"}}, {"code": "x"}, 7]
    found = only(callback(statuses=[{**STATUS, "status": "failed", "errors": errors}]))
    assert found.errors == (MetaError(131049, "Kept", "why"), MetaError(None, None, None))
    assert found.errors[0].meta.outcome is Outcome.FAIL_RECIPIENT


def test_a_status_with_contacts_is_no_message_and_one_without_recipient_is_fine():
    raw = {"id": "wamid.S", "status": "sent", "timestamp": "1750263773", "recipient_user_id": "US.1"}
    found = only(callback(contacts=[{"user_id": "US.1"}], statuses=[raw]))
    assert isinstance(found, StatusUpdate)
    assert (found.recipient_id, found.recipient_user_id) == (None, "US.1")


@pytest.mark.parametrize("status", ["played", "deleted", "warning", "something_new"])
def test_an_unknown_status_is_kept_as_given(status):
    assert only(callback(statuses=[{**STATUS, "status": status}])).status == status


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        ("1750263773", AT),
        (1750263773, AT),
        ("1750263773000", AT),
        (1750263773250, AT.replace(microsecond=250_000)),
    ],
)
def test_seconds_and_milliseconds_are_both_times(timestamp, at):
    assert only(callback(statuses=[{**STATUS, "timestamp": timestamp}])).at == at


@pytest.mark.parametrize("timestamp", [None, "", "now", "٣", 0, -1, 1.5, True, "9" * 17, 10**400, [], {}])
def test_a_status_without_a_usable_time_is_broken(timestamp):
    assert isinstance(only(callback(statuses=[{**STATUS, "timestamp": timestamp}])), Broken)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"type": "video", "video": {"caption": "c"}}, "c"),
        ({"type": "image", "image": {"id": "1"}}, None),
        ({"type": "audio", "audio": {"id": "1", "voice": True}}, None),
        ({"type": "document", "document": {"filename": "a.pdf"}}, "a.pdf"),
        ({"type": "document", "document": {"filename": "a.pdf", "caption": "bill"}}, "bill"),
        ({"type": "button", "button": {"payload": "P"}}, "P"),
        (
            {"type": "interactive", "interactive": {"type": "nfm_reply", "nfm_reply": {"body": "Sent"}}},
            "Sent",
        ),
        (
            {
                "type": "interactive",
                "interactive": {
                    "type": "call_permission_reply",
                    "call_permission_reply": {"response": "accept"},
                },
            },
            "accept",
        ),
        ({"type": "interactive"}, None),
        ({"type": "interactive", "interactive": {"type": "list_reply"}}, None),
        ({"type": "reaction", "reaction": {"message_id": "wamid.X", "emoji": ""}}, None),
        ({"type": "location", "location": {"latitude": 37.4, "longitude": -122.1}}, "37.4, -122.1"),
        ({"type": "location", "location": {}}, None),
        ({"type": "contacts", "contacts": [{"name": {"formatted_name": "A"}}, 3, {}]}, "A"),
        ({"type": "order", "order": {"text": "Love these!"}}, "Love these!"),
        ({"type": "edit", "edit": {"message": {"type": "text", "text": {"body": "new"}}}}, "new"),
        ({"type": "edit", "edit": {"message": {"type": "edit", "edit": {}}}}, None),
        ({"type": "revoke", "revoke": {"original_message_id": "wamid.O"}}, None),
        ({"type": "text", "text": "odd"}, None),
        ({"type": "text", "text": {"body": "a\x00b"}}, "ab"),
        ({"type": "text", "text": {"body": "x" * 4096}}, "x" * 4096),
        ({"type": "text", "text": {"body": "half \ud83d"}}, "half ?"),
        ({"type": "hologram", "hologram": {"body": "?"}}, None),
        ({"type": None}, None),
    ],
)
def test_a_message_of_any_type_shows_its_best_text(changes, text):
    assert message(**changes).text == text


@pytest.mark.parametrize(
    ("changes", "context"),
    [
        ({}, None),
        ({"context": {"id": "wamid.Q"}}, "wamid.Q"),
        ({"context": {"forwarded": True}}, None),
        ({"context": None}, None),
        ({"type": "reaction", "reaction": {"message_id": "wamid.R"}}, "wamid.R"),
        ({"type": "edit", "edit": {"original_message_id": "wamid.E"}}, "wamid.E"),
        ({"type": "revoke", "revoke": {"original_message_id": "wamid.V"}}, "wamid.V"),
    ],
)
def test_a_message_names_the_one_it_is_about(changes, context):
    assert message(**changes).context_wamid == context


@pytest.mark.parametrize(
    ("kind", "opens"),
    [
        *((kind, True) for kind in ("text", "unsupported", "hologram", "button")),
        *((kind, False) for kind in ("system", "reaction", "edit", "revoke")),
    ],
)
def test_only_what_a_person_newly_writes_opens_the_window(kind, opens):
    assert message(type=kind).opens_window is opens


def test_a_hidden_number_is_known_by_its_user_id():
    raw = {**TEXT, "from_user_id": "US.2"}
    del raw["from"]
    contacts = [
        {"user_id": "US.1", "profile": {"name": "Alice"}},
        {"user_id": "US.2", "profile": {"name": "Bob"}},
    ]
    found = only(callback(contacts=contacts, messages=[raw]))
    assert (found.sender, found.sender_user_id, found.profile_name) == (None, "US.2", "Bob")


def test_the_user_id_of_a_sender_is_taken_from_the_contacts():
    contacts = [{"wa_id": "16505551234", "user_id": "US.1", "profile": None}]
    found = only(callback(contacts=contacts, messages=[TEXT]))
    assert (found.sender_user_id, found.profile_name) == ("US.1", None)


def test_somebody_elses_name_is_not_borrowed():
    contacts = [{"wa_id": "4915112345678", "profile": {"name": "Somebody"}}]
    assert only(callback(contacts=contacts, messages=[TEXT])).profile_name is None


def test_errors_of_a_number_stand_beside_its_messages():
    payload = callback(
        messages=[TEXT], statuses=[STATUS], errors=[{"code": 130429, "title": "Rate limit hit"}]
    )
    first, second, third = parse(payload)
    assert isinstance(first, InboundMessage)
    assert isinstance(second, StatusUpdate)
    assert isinstance(third, ValueErrors)
    assert third.errors == (MetaError(130429, "Rate limit hit", None),)


def test_a_template_decision_is_read_with_the_language_of_graph():
    value = {
        "event": "PAUSED",
        "message_template_id": 1689556908129832,
        "message_template_name": "order_confirmation",
        "message_template_language": "en-US",
        "reason": "NONE",
        "message_template_category": "UTILITY",
        "other_info": {"title": "FIRST_PAUSE"},
    }
    found = only(callback("message_template_status_update", 1750263773, metadata=None, **value))
    assert isinstance(found, TemplateChange)
    assert (found.event, found.template_id, found.language) == ("PAUSED", "1689556908129832", "en_US")
    assert (found.reason, found.category, found.title, found.at) == (None, "UTILITY", "FIRST_PAUSE", AT)
    assert found.phone_number_id is None


def test_a_template_score_and_category_are_read():
    score = only(
        callback("message_template_quality_update", message_template_id="7", new_quality_score="YELLOW")
    )
    moved = only(
        callback(
            "template_category_update",
            message_template_id=7,
            previous_category="UTILITY",
            new_category="MARKETING",
        )
    )
    warned = only(
        callback(
            "template_category_update",
            message_template_id=7,
            new_category="UTILITY",
            correct_category="MARKETING",
        )
    )
    assert (score.template_id, score.quality) == ("7", "YELLOW")
    assert (moved.previous_category, moved.category) == ("UTILITY", "MARKETING")
    assert (warned.category, warned.correct_category) == ("UTILITY", "MARKETING")


@pytest.mark.parametrize(
    "field", ["account_update", "phone_number_quality_update", "security", "never_heard_of"]
)
def test_any_other_news_is_kept_whole(field):
    found = only(callback(field, 1750263773, event="SOMETHING", more=[1]))
    assert isinstance(found, AccountChange)
    assert (found.field, found.event, found.at, found.raw["more"]) == (field, "SOMETHING", AT, [1])


def test_a_decision_is_the_event_of_a_review():
    assert only(callback("account_review_update", decision="APPROVED")).event == "APPROVED"


def test_a_message_change_with_nothing_known_in_it_is_kept():
    assert isinstance(only(callback("messages", groups=[{}])), AccountChange)


def test_a_marketing_choice_is_read():
    raw = {"wa_id": "16505551234", "category": "marketing_messages", "value": "stop", "timestamp": 1750263773}
    found = only(callback("user_preferences", user_preferences=[raw]))
    assert isinstance(found, UserPreference)
    assert (found.wa_id, found.value, found.category, found.at) == (
        "16505551234",
        "stop",
        "marketing_messages",
        AT,
    )


def test_an_echo_of_the_phone_app_is_read():
    raw = {"from": "15550783881", "to": "16505551234", "id": "wamid.E", "timestamp": "1750263773"}
    found = only(
        callback("smb_message_echoes", message_echoes=[{**raw, "type": "text", "text": {"body": "yo"}}])
    )
    assert isinstance(found, MessageEcho)
    assert (found.wamid, found.recipient_id, found.text) == ("wamid.E", "16505551234", "yo")


def test_a_broken_item_costs_none_of_the_others():
    good = [{**STATUS, "id": f"wamid.{n}"} for n in range(990)]
    bad = [None, 1, "x", [], {}, {"id": "wamid.X"}, {"id": 5}, {**STATUS, "id": ""}, {**STATUS, "status": 1}]
    mixed = [item for pair in zip(bad, good, strict=False) for item in pair] + good[len(bad) :]
    items = parse(callback(statuses=mixed))
    assert sum(isinstance(item, StatusUpdate) for item in items) == 990
    assert sum(isinstance(item, Broken) for item in items) == len(bad)
    assert all(item.phone_number_id == NUMBER for item in items)


def test_every_entry_change_and_number_is_read():
    payload = callback(statuses=[STATUS])
    other = callback(statuses=[{**STATUS, "id": "wamid.T"}], metadata={"phone_number_id": 123456})
    payload["entry"][0]["changes"].append("broken")
    payload["entry"] += [None, {"id": "1"}, {**other["entry"][0], "id": "99"}]
    items = parse(payload)
    kinds = [type(item).__name__ for item in items]
    assert kinds == ["StatusUpdate", "Broken", "Broken", "Broken", "StatusUpdate"]
    assert (items[4].waba_id, items[4].phone_number_id) == ("99", "123456")
    assert Envelope.of(payload).phone_number_ids == {NUMBER, "123456"}
    assert Envelope.of(payload).waba_ids == {WABA, "99"}


@pytest.mark.parametrize(
    "payload",
    [None, 1, "x", [], {}, {"entry": None}, {"entry": {}}, {"object": "page", "entry": []}],
)
def test_what_is_no_callback_is_one_broken_item(payload):
    [item] = parse(payload)
    assert isinstance(item, Broken)
    assert Envelope.of(payload).phone_number_ids == set()
