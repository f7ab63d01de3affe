"""What customers write: every type, stored once, in one conversation with what we sent them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from devstack.meta import inbound
from messaging.models import Contact, Message, MessageEvent, Template
from tests.support.meta import (
    all_callbacks,
    apply_callbacks,
    envelope,
    know_template,
    person,
    post,
    queue,
    status_for,
    text_item,
)
from webhooks.models import InboundEvent

CUSTOMER = "14155550001"
BSUID = "US.13491208655302741918"


def hear(number, *items, contacts=None) -> None:
    more = {"contacts": contacts} if contacts else {}
    assert post(envelope(number, messages=list(items), **more)).status_code == 200
    apply_callbacks()


def the_inbound() -> Message:
    return Message.objects.get(direction="in")


# --- from the sandbox, through the server


@pytest.mark.parametrize("kind", [*inbound.TYPES, "holiday_card"])
def test_every_type_joins_the_conversation(meta, number, kind):
    to = person()
    sent = queue(number.account, to=to)
    meta.writes(number, to, type=kind)
    all_callbacks(meta)
    received = the_inbound()
    assert (received.type, received.status, received.recipient) == (kind, "received", to)
    assert received.contact == sent.contact
    assert received.content["id"] == received.wamid
    assert received.account == number.account and received.due_at is None
    assert [event.status for event in MessageEvent.objects.filter(message=received)] == ["received"]
    assert not InboundEvent.objects.filter(due_at__isnull=False).exists()
    assert InboundEvent.objects.latest("id").parked == []


def test_a_customer_who_hides_his_number_is_one_conversation(meta, number):
    for _ in range(2):
        meta.writes(number, CUSTOMER, hide_phone=True, name="Ada")
    all_callbacks(meta)
    (contact,) = Contact.objects.all()
    assert (contact.phone, contact.wa_id, contact.profile_name) == (None, None, "Ada")
    assert contact.bsuid.startswith("US.")
    assert set(Message.objects.values_list("contact", "recipient")) == {(contact.pk, "")}
    # As soon as he shows it, it is still he.
    meta.writes(number, CUSTOMER)
    all_callbacks(meta)
    (contact,) = Contact.objects.all()
    assert contact.wa_id == CUSTOMER


# --- by hand

by_hand = pytest.mark.usefixtures("app_secret", "db")


@by_hand
def test_a_text_is_stored_as_it_came(number):
    stamp = int(time.time()) - 60
    item = text_item("wamid.1", CUSTOMER, "Grüße \N{WAVING HAND SIGN}\n<b>", timestamp=str(stamp))
    hear(number, item, contacts=[{"wa_id": CUSTOMER, "profile": {"name": "Ada"}}])
    received = the_inbound()
    assert received.body == "Grüße \N{WAVING HAND SIGN}\n<b>"
    assert received.content == item
    contact = received.contact
    assert (contact.phone, contact.wa_id, contact.profile_name) == (CUSTOMER, CUSTOMER, "Ada")
    assert contact.last_inbound_at == datetime.fromtimestamp(stamp, UTC)


@by_hand
def test_the_window_opens_with_the_latest_message_and_never_moves_back(number):
    now = int(time.time())
    for index, ago in enumerate((100, 500, 50, 7200)):
        hear(number, text_item(f"wamid.{index}", CUSTOMER, timestamp=str(now - ago)))
    assert Contact.objects.get().last_inbound_at == datetime.fromtimestamp(now - 50, UTC)


@by_hand
def test_a_message_from_the_future_does_not_keep_the_window_open_for_ever(number):
    hear(number, text_item("wamid.1", CUSTOMER, timestamp=str(int(time.time()) + 10**6)))
    assert Contact.objects.get().last_inbound_at <= timezone.now()


@by_hand
@pytest.mark.parametrize("kind", ["reaction", "system", "revoke", "edit"])
def test_a_notice_opens_no_window(number, kind):
    hear(
        number,
        {"id": "wamid.1", "from": CUSTOMER, "timestamp": str(int(time.time())), "type": kind, kind: {}},
    )
    assert the_inbound().type == kind
    assert Contact.objects.get().last_inbound_at is None


@by_hand
def test_only_a_user_id_is_enough_to_be_somebody(number):
    hear(number, text_item("wamid.1", "", from_user_id=BSUID))
    contact = the_inbound().contact
    assert (contact.bsuid, contact.phone, contact.wa_id) == (BSUID, None, None)
    assert contact.last_inbound_at is not None


@by_hand
def test_a_user_id_that_comes_with_a_known_number_is_learnt(number):
    hear(number, text_item("wamid.1", CUSTOMER))
    hear(number, text_item("wamid.2", CUSTOMER, from_user_id=BSUID))
    hear(number, text_item("wamid.3", "", from_user_id=BSUID))
    assert Message.objects.values_list("contact").distinct().count() == 1
    assert Contact.objects.get().bsuid == BSUID


@by_hand
def test_nobody_is_not_a_contact(number):
    hear(number, text_item("wamid.1", ""))
    assert the_inbound().contact is None
    assert not Contact.objects.exists()


@by_hand
def test_an_inbound_message_is_stored_once(number):
    for nonce in range(3):
        body = envelope(number, messages=[text_item("wamid.1", CUSTOMER, "Hi")], nonce=nonce)
        assert post(body).status_code == 200
    apply_callbacks()
    assert the_inbound().body == "Hi"


@by_hand
def test_an_unknown_type_and_unknown_fields_are_kept(number):
    item = text_item("wamid.1", CUSTOMER) | {
        "type": "hologram",
        "hologram": {"depth": 3, "layers": [{"x": None}]},
        "brand_new": True,
    }
    hear(number, item)
    received = the_inbound()
    assert (received.type, received.content) == ("hologram", item)


@by_hand
@pytest.mark.parametrize("field", ["account_update", "phone_number_quality_update", "something_new", "flows"])
def test_news_of_other_fields_is_taken_without_complaint(number, field):
    assert post(envelope(number, field=field, event="X", anything={"a": [1]})).status_code == 200
    apply_callbacks()
    event = InboundEvent.objects.get()
    assert (event.due_at, event.parked) == (None, [])


@by_hand
@pytest.mark.parametrize(
    ("written", "readable"),
    [
        (r"a\u0000b", "ab"),
        (r"a\ud83db", None),
        (r"\udc4b\ud83d", None),
    ],
    ids=["NUL", "half a pair", "halves the wrong way round"],
)
def test_characters_that_cannot_be_stored_do_not_cost_the_message(number, written, readable):
    from devstack.meta.callbacks import escaped

    raw = escaped(envelope(number, messages=[text_item("wamid.1", CUSTOMER, "PLACE")]))
    raw = raw.replace(b"PLACE", written.encode())
    assert post(raw).status_code == 200
    apply_callbacks()
    received = the_inbound()
    assert received.body and "\x00" not in received.body
    received.body.encode()  # no half of a pair is left
    if readable:
        assert received.body == readable
        assert received.content["text"]["body"] == readable
    assert InboundEvent.objects.get().parked == []


@by_hand
def test_a_very_long_name_is_shortened(number):
    hear(
        number,
        text_item("wamid.1", CUSTOMER),
        contacts=[{"wa_id": CUSTOMER, "profile": {"name": "x" * 5000}}],
    )
    assert Contact.objects.get().profile_name == "x" * 300


@by_hand
@pytest.mark.parametrize(
    "more",
    [
        {"id": "wamid." + "x" * 400},
        {"from_user_id": "US." + "x" * 300},
        {"type": "x" * 200},
        {"from": "1" * 28},
    ],
    ids=["id", "user id", "type", "number"],
)
def test_a_field_longer_than_its_column_is_parked_or_shortened_not_fatal(number, more):
    good = text_item("wamid.good", "14155550002")
    hear(number, text_item("wamid.1", CUSTOMER) | more, good)
    assert Message.objects.filter(wamid="wamid.good").exists()
    event = InboundEvent.objects.get()
    assert event.due_at is None
    assert len(event.parked) + Message.objects.count() == 2


@by_hand
def test_a_status_that_cannot_be_stored_does_not_cost_the_others(number):
    from tests.support.meta import make_due, status_of

    messages = make_due(number, 3, status="submitting")
    items = [status_for(one, "sent") for one in messages]
    items[1] |= {"id": "wamid." + "x" * 400}
    items.append(status_for(messages[0], "delivered") | {"biz_opaque_callback_data": "x" * 600})
    assert post(envelope(number, statuses=items)).status_code == 200
    apply_callbacks()
    assert status_of(messages[0]) in ("sent", "delivered")
    assert status_of(messages[2]) == "sent"
    assert InboundEvent.objects.get().due_at is None


# --- templates


@by_hand
def test_news_of_a_template_is_followed(number):
    template = know_template(number, "UTILITY")
    named = {
        "message_template_id": int(template.meta_id),
        "message_template_name": template.name,
        "message_template_language": "en-US",
    }
    post(envelope(number, field="message_template_status_update", event="PAUSED", reason="NONE", **named))
    change = {"previous_category": "UTILITY", "new_category": "MARKETING"}
    post(envelope(number, field="template_category_update", **named, **change))
    apply_callbacks()
    template.refresh_from_db()
    assert (template.status, template.category) == ("PAUSED", "MARKETING")


def test_the_sandboxs_news_of_a_template_is_followed(meta, number):
    known = next(
        one for one in meta.world.wabas[number.waba_id].templates.values() if one.name == "hello_world"
    )
    template = know_template(number, "UTILITY")
    Template.objects.filter(pk=template.pk).update(meta_id=known.id)
    from devstack.meta.routes import templates as routes_templates

    meta.sandbox.run(
        routes_templates.change_status, meta.world, meta.courier, known, "PAUSED", "too many blocks"
    )
    all_callbacks(meta)
    template.refresh_from_db()
    assert template.status == "PAUSED"


def test_every_waiting_window_is_that_of_one_number(meta, alice, charlie):
    ours, theirs = meta.connect(alice, 1), meta.connect(charlie, 2)
    meta.writes(ours, CUSTOMER)
    all_callbacks(meta)
    assert Contact.objects.get(wa_id=CUSTOMER).connection == ours
    meta.writes(theirs, CUSTOMER)
    all_callbacks(meta)
    assert Contact.objects.filter(wa_id=CUSTOMER).count() == 2
    ages = timezone.now() - timedelta(hours=24)
    assert all(one.last_inbound_at > ages for one in Contact.objects.all())
