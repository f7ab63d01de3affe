"""Any message of any type and any field can be injected, as a customer or Meta would send it."""

import pytest

from devstack.meta import inbound
from tests.support.examples import callbacks
from tests.support.waiting import eventually


@pytest.mark.parametrize("kind", sorted(inbound.TYPES))
def test_it_injects_a_message_of_type(meta, kind):
    made = meta.writes("14155552671", type=kind, name="Sheena Nelson")
    message = eventually(lambda: meta.receiver.messages())[0]
    assert message["type"] == kind and kind in message and message["id"] == made["id"]
    assert message["from"] == "14155552671" and message["timestamp"].isdigit()
    value = meta.receiver.values()[0]
    if kind == "system":
        assert "contacts" not in value and message["system"]["type"] == "user_changed_number"
    else:
        assert value["contacts"][0]["profile"] == {"name": "Sheena Nelson"}
        assert value["contacts"][0]["user_id"].startswith("US.")
    if kind == "unsupported":
        assert message["errors"][0]["code"] == 131051


def test_it_passes_on_what_is_given(meta):
    context = {"from": meta.number.phone[1:], "id": "wamid.x"}
    answer = {"type": "list_reply", "list_reply": {"id": "a", "title": "A", "description": "d"}}
    meta.writes("14155552671", type="interactive", interactive=answer, context=context, timestamp=1700000000)
    message = eventually(lambda: meta.receiver.messages())[0]
    assert message["interactive"] == answer and message["context"] == context
    assert message["timestamp"] == "1700000000"
    meta.writes("14155552671", type="hologram", hologram={"depth": 3})
    assert eventually(lambda: len(meta.receiver.messages()) == 2 and meta.receiver.messages())[1][
        "hologram"
    ] == {"depth": 3}


def test_it_hides_the_number_of_a_user_with_a_username(meta):
    meta.writes("14155552671", text="hi", hide_phone=True)
    message = eventually(lambda: meta.receiver.messages())[0]
    assert "from" not in message and message["from_user_id"].startswith("US.")
    assert "wa_id" not in meta.receiver.values()[0]["contacts"][0]


@pytest.mark.parametrize(
    "field",
    [
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
        "phone_number_quality_update",
        "phone_number_name_update",
        "account_update",
        "account_review_update",
        "account_alerts",
        "business_capability_update",
        "user_preferences",
        "user_id_update",
        "security",
        "calls",
        "history",
        "smb_message_echoes",
        "flows",
        "something_new",
    ],
)
def test_it_injects_any_field(meta, field):
    value = {"event": "X", "nested": {"a": [1, 2, "ü"]}}
    meta.writes("1", field=field, value=value)
    entry = eventually(lambda: meta.receiver.posts)[0].body["entry"][0]
    assert entry["changes"] == [{"value": value, "field": field}]
    assert entry["id"] == meta.number.waba_id and isinstance(entry["time"], int)


def test_it_injects_a_message_of_every_kind_unchanged(meta):
    messages = {name: one for name, one in callbacks().items() if name.endswith("_message")}
    assert len(messages) >= 8
    for place, (name, callback) in enumerate(messages.items(), start=1):
        value = callback["entry"][0]["changes"][0]["value"]
        meta.writes("1", field="messages", value=value)
        values = eventually(lambda place=place: len(found := meta.receiver.values()) == place and found)
        assert values[-1] == value, name


def test_it_sends_the_dashboards_sample(meta):
    meta.writes("1", dashboard_test=True)
    post = eventually(lambda: meta.receiver.posts)[0]
    entry = post.body["entry"][0]
    assert entry["id"] == "0" and entry["changes"][0]["value"]["metadata"]["phone_number_id"] == "123456123"


@pytest.mark.parametrize("customer", ["", "abc", "12", "1" * 16])
def test_it_refuses_a_customer_without_number(meta, customer):
    body = {"phone_number_id": meta.number.phone_number_id, "from": customer, "text": "x"}
    assert "phone number" in meta.control("POST", "inbound", body, expect=400)["error"]


def test_it_refuses_an_injection_to_nobody(meta):
    meta.control("POST", "inbound", {"phone_number_id": "1", "from": "14155552671"}, expect=404)
    meta.control("POST", "inbound", {"waba_id": "1", "field": "x", "value": {}}, expect=404)
    meta.control("POST", "inbound", {"field": "x", "value": 1}, expect=400)
