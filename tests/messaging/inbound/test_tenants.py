"""Who signs with one customer's secret cannot move another customer's messages, whatever the body says."""

from __future__ import annotations

import pytest

from accounts.connections import remove_credentials
from accounts.models import Number
from devstack.meta import seed
from messaging.models import Contact, Message, OrphanStatus, Status, Template
from tests import factories
from tests.support.meta import (
    apply_callbacks,
    envelope,
    know_template,
    make_due,
    post,
    status_for,
    status_item,
    status_of,
    text_item,
)
from webhooks.models import InboundEvent

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("app_secret")]
ALICES, CHARLIES = "a" * 32, "c" * 32


@pytest.fixture
def number(alice) -> Number:
    return factories.connect(alice, app_secret=ALICES, waba_id="100000000000001")


@pytest.fixture
def theirs(charlie) -> Number:
    return factories.connect(charlie, app_secret=CHARLIES, waba_id="100000000000002")


@pytest.fixture
def message(number) -> Message:
    return make_due(number, status=Status.SENT, wamid="wamid.alices", due_at=None)[0]


def charlie_says(theirs: Number, payload, *, own_path: bool = False):
    path = f"/webhooks/whatsapp/{theirs.callback_key}" if own_path else "/webhooks/whatsapp"
    answer = post(payload, secret=CHARLIES, path=path)
    apply_callbacks()
    return answer


def test_a_stranger_cannot_speak_for_a_foreign_number(number, theirs, message):
    payload = envelope(number, statuses=[status_for(message, "read", wamid="wamid.alices")])
    assert charlie_says(theirs, payload).status_code == 401
    assert charlie_says(theirs, payload, own_path=True).status_code == 200
    assert status_of(message) == "sent"
    assert InboundEvent.objects.get().parked[0]["reason"] == "no such number in this account"


def test_a_stranger_cannot_smuggle_a_foreign_number_beside_his_own(number, theirs, message):
    # The shared path finds the secret by the numbers in the body: his own is among them.
    payload = envelope(theirs, statuses=[])
    payload["entry"] += envelope(number, statuses=[status_for(message, "read")])["entry"]
    assert charlie_says(theirs, payload).status_code == 200
    assert status_of(message) == "sent"
    assert not OrphanStatus.objects.filter(connection=number).exists()


@pytest.mark.parametrize("own_path", [False, True])
def test_a_stranger_cannot_use_our_id_of_a_foreign_message(theirs, message, own_path):
    payload = envelope(theirs, statuses=[status_for(message, "failed", errors=[{"code": 131026}])])
    assert charlie_says(theirs, payload, own_path=own_path).status_code == 200
    assert status_of(message) == "sent"


@pytest.mark.parametrize("own_path", [False, True])
def test_a_stranger_cannot_use_metas_id_of_a_foreign_message(theirs, message, own_path):
    payload = envelope(theirs, statuses=[status_item("wamid.alices", "read")])
    assert charlie_says(theirs, payload, own_path=own_path).status_code == 200
    assert status_of(message) == "sent"


def test_a_stranger_cannot_write_into_a_foreign_conversation(number, theirs):
    payload = envelope(theirs, messages=[text_item("wamid.1", "14155550001")])
    payload["entry"] += envelope(number, messages=[text_item("wamid.2", "14155550002")])["entry"]
    assert charlie_says(theirs, payload).status_code == 200
    assert list(Message.objects.values_list("connection", flat=True)) == [theirs.pk]
    assert not Contact.objects.filter(account=number.account).exists()


def test_a_stranger_cannot_change_a_foreign_template(number, theirs):
    template = know_template(number, "MARKETING")
    value = {
        "event": "DISABLED",
        "message_template_id": int(template.meta_id),
        "message_template_name": template.name,
        "message_template_language": "en-US",
    }
    payload = envelope(theirs, field="message_template_status_update", **value)
    payload["entry"][0]["id"] = number.waba_id
    payload["entry"] += envelope(theirs, statuses=[])["entry"]
    assert charlie_says(theirs, payload, own_path=True).status_code == 200
    assert Template.objects.get(pk=template.pk).status == "APPROVED"


def test_a_stranger_cannot_make_a_foreign_callback_a_duplicate(number, theirs, message):
    payload = envelope(number, statuses=[status_for(message, "delivered")])
    assert charlie_says(theirs, payload, own_path=True).status_code == 200
    assert post(payload, secret=ALICES).status_code == 200
    apply_callbacks()
    assert status_of(message) == "delivered"


def test_an_inbound_id_that_another_customer_has_seen_is_not_a_duplicate(number, theirs):
    for one, secret in ((number, ALICES), (theirs, CHARLIES)):
        assert post(envelope(one, messages=[text_item("wamid.same", "14155550001")]), secret=secret)
    apply_callbacks()
    assert Message.objects.filter(wamid="wamid.same").count() == 2


def test_the_services_secret_speaks_for_every_number(number, theirs, message):
    other = make_due(theirs, status=Status.SENT, due_at=None)[0]
    payload = envelope(number, statuses=[status_for(message, "read")])
    payload["entry"] += envelope(theirs, statuses=[status_for(other, "read")])["entry"]
    assert post(payload, secret=seed.APP_SECRET).status_code == 200
    apply_callbacks()
    assert (status_of(message), status_of(other)) == ("read", "read")


def test_late_reports_of_a_removed_number_reach_its_messages(number, message):
    remove_credentials(number.account)
    assert post(envelope(number, statuses=[status_for(message, "read")])).status_code == 200
    apply_callbacks()
    assert status_of(message) == "read"


def test_a_number_that_moved_to_another_account_speaks_for_the_new_owner(number, message, charlie):
    ident = number.phone_number_id
    remove_credentials(number.account)
    moved = factories.connect(charlie, phone_number_id=ident)
    assert post(envelope(moved, messages=[text_item("wamid.new", "14155550001")])).status_code == 200
    apply_callbacks()
    assert Message.objects.get(wamid="wamid.new").account == charlie
    assert status_of(message) == "sent"
