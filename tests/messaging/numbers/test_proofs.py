"""Whose a number is: who only names one hears nothing, stands in nobody's way and learns nothing."""

from __future__ import annotations

import importlib
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.connections import remove_credentials
from accounts.models import Number
from devstack.meta import seed
from messaging.models import Message
from messaging.numbers import proofs, verification
from tests.factories import TOKEN, api, connect, make_account
from tests.support.meta import (
    apply_callbacks,
    drain,
    envelope,
    post,
    queue,
    reaches,
    says,
    status_item,
    status_of,
    text_item,
)
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

CREDENTIALS = "/auth/me/credentials"
VERIFY = "/auth/me/credentials/verify"
#: nothing listens there
AWAY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def listening(alice, charlie) -> None:
    """Who reads the list of events is told of what happens from then on."""
    for one in (alice, charlie):
        assert api(one).get("/events").status_code == 200


def body(index: int = 1, **changes: str) -> dict[str, str]:
    """Return what a customer who has the sandbox's number saves."""
    given = seed.number(index)
    return {
        "whatsappAccessToken": given.access_token,
        "whatsappPhoneNumberId": given.phone_number_id,
        "whatsappBusinessAccountId": given.waba_id,
    } | changes


def events_of(account) -> list[str]:
    return list(Event.objects.filter(account=account).values_list("type", flat=True))


def the(account) -> Number:
    return Number.objects.get(account=account, removed_at=None)


def write_to(number: Number | str, wamid: str) -> None:
    assert post(envelope(number, messages=[text_item(wamid, "14155550001")])).status_code == 200
    apply_callbacks()


def test_a_number_claimed_with_a_made_up_token_receives_nothing_and_keeps_nobody_out(meta, alice, charlie):
    """H2."""
    made_up = body(whatsappAccessToken=TOKEN)
    assert api(charlie).put_json(CREDENTIALS, made_up).status_code == 200
    assert the(charlie).proof_due_at is None, "Meta said no; nobody needs to ask again"
    write_to(seed.number(1).phone_number_id, "wamid.before")
    assert not Message.objects.exists()
    assert events_of(charlie) == []
    saved = api(alice).put_json(CREDENTIALS, body())
    assert saved.status_code == 200
    write_to(the(alice), "wamid.after")
    assert list(Message.objects.values_list("account", "wamid")) == [(alice.pk, "wamid.after")]
    assert events_of(charlie) == []


def test_a_claim_without_proof_is_answered_alike_whether_the_number_is_connected_or_not(meta, alice, charlie):
    meta.connect(alice)
    answers = []
    for ident in (seed.number(1).phone_number_id, "106540359999999"):
        answer = api(charlie).put_json(
            CREDENTIALS, body(whatsappAccessToken=TOKEN, whatsappPhoneNumberId=ident)
        )
        said = answer.json()["data"]
        own = {said.pop("callbackUrl"), said.pop("verifyToken"), said.pop("whatsappPhoneNumberId")}
        checked = api(charlie).post_json(VERIFY).json()
        answers.append((answer.status_code, said, len(own), checked))
    assert answers[0] == answers[1]


def test_the_second_who_proves_a_number_is_told_409_until_the_first_removes_it(meta, alice, charlie):
    """W51."""
    meta.connect(alice)
    refused = api(charlie).put_json(CREDENTIALS, body())
    assert refused.status_code == 409
    assert not Number.objects.filter(account=charlie).exists()
    remove_credentials(alice)
    assert api(charlie).put_json(CREDENTIALS, body()).status_code == 200
    assert the(charlie).proven_at is not None


def test_a_proof_whose_token_meta_no_longer_takes_gives_way_to_a_new_one(meta, alice, charlie):
    held = connect(alice, phone_number_id=seed.number(1).phone_number_id, token=TOKEN + "revoked")
    assert api(charlie).put_json(CREDENTIALS, body()).status_code == 200
    held.refresh_from_db()
    assert (held.proven_at, the(charlie).proven_at is None) == (None, False)


def test_another_token_has_to_show_the_number_again(meta, alice):
    number = meta.connect(alice)
    assert api(alice).put_json(CREDENTIALS, body(whatsappAccessToken=TOKEN)).status_code == 200
    number.refresh_from_db()
    assert (number.proven_at, number.proven_waba_id) == (None, "")
    write_to(number, "wamid.lost")
    assert not Message.objects.exists()


def test_the_same_token_saved_while_meta_is_away_keeps_what_it_had_shown(meta, alice, settings):
    number = meta.connect(alice)
    settings.META_GRAPH_URL = AWAY
    assert api(alice).put_json(CREDENTIALS, body()).status_code == 200
    number.refresh_from_db()
    assert number.proven_at is not None
    assert api(alice).put_json(CREDENTIALS, body(whatsappAccessToken=TOKEN)).status_code == 200
    number.refresh_from_db()
    assert number.proven_at is None


def test_what_is_saved_while_meta_is_away_sends_and_is_proven_later_by_itself_with_nothing_lost(
    meta, alice, settings
):
    settings.META_GRAPH_URL, there = AWAY, settings.META_GRAPH_URL
    saved = api(alice).put_json(CREDENTIALS, body())
    assert (saved.status_code, saved.json()["data"]["byocConfigured"]) == (200, True)
    number = the(alice)
    write_to(number, "wamid.meanwhile")
    assert not Message.objects.exists()
    assert verification.verify_due() == 1
    number.refresh_from_db()
    assert number.proven_at is None and number.proof_due_at > timezone.now()
    settings.META_GRAPH_URL = there
    assert verification.verify_due() == 0, "it waits for its time"
    Number.objects.update(proof_due_at=timezone.now())
    assert verification.verify_due() == 1
    number.refresh_from_db()
    assert (number.status, number.proof_due_at, number.proven_waba_id) == ("active", None, number.waba_id)
    apply_callbacks()
    assert Message.objects.get().wamid == "wamid.meanwhile"


def test_the_first_message_that_meta_takes_proves_the_number(meta, alice, settings):
    settings.META_GRAPH_URL, there = AWAY, settings.META_GRAPH_URL
    assert api(alice).put_json(CREDENTIALS, body()).status_code == 200
    number = the(alice)
    message = queue(alice)
    settings.META_GRAPH_URL = there
    drain()
    assert status_of(message) == "sent"
    number.refresh_from_db()
    assert number.proven_at is not None
    reaches(message, "delivered", "read")


def test_a_check_does_not_take_a_number_that_another_account_has_proven(meta, alice, charlie):
    meta.connect(alice)
    given = seed.number(1)
    connect(charlie, token=given.access_token, phone_number_id=given.phone_number_id, proven=False)
    answer = api(charlie).post_json(VERIFY).json()["data"]
    assert answer["verified"] is False
    line = next(one for one in answer["checks"] if one["check"] == "phone_number")
    assert line["ok"] is False and "Another account" in line["message"]
    assert the(charlie).proven_at is None


def test_a_removed_number_that_was_never_proven_hears_nothing_either(app_secret, charlie):
    number = connect(charlie, proven=False)
    remove_credentials(charlie)
    write_to(number, "wamid.late")
    assert not Message.objects.exists()


def test_a_status_says_nothing_to_who_only_named_the_number(app_secret, alice, charlie):
    number = connect(alice)
    connect(charlie, phone_number_id=number.phone_number_id, proven=False)
    says(number, status_item("wamid.unknown", "delivered"))
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT connection_id FROM messaging_orphanstatus")
        assert cursor.fetchall() == [(number.pk,)]


NEWS = {
    "event": "REJECTED",
    "message_template_id": 594425479261596,
    "message_template_name": "secret_offer",
    "message_template_language": "en_US",
    "reason": "PROMOTIONAL",
}


def template_news(waba_id: str) -> None:
    payload = {
        "object": "whatsapp_business_account",
        "entry": [{"id": waba_id, "changes": [{"field": "message_template_status_update", "value": NEWS}]}],
    }
    assert post(payload).status_code == 200
    apply_callbacks()


@pytest.mark.parametrize("token", [TOKEN, ""], ids=["a made-up token", "a token of another account"])
def test_templates_of_a_whatsapp_account_are_told_only_to_who_has_shown_it(meta, alice, charlie, token):
    """H3."""
    meta.connect(alice)
    theirs = seed.number(1).waba_id
    mine = body(2, whatsappBusinessAccountId=theirs)
    mine |= {"whatsappAccessToken": token} if token else {}
    assert api(charlie).put_json(CREDENTIALS, mine).status_code == 200
    api(charlie).post_json(VERIFY)
    assert the(charlie).proven_waba_id == ""
    template_news(theirs)
    assert events_of(alice) == ["template.status_updated"]
    assert events_of(charlie) == []


def test_numbers_that_had_been_verified_stay_proven_by_the_migration_and_others_are_asked_for():
    verified, checked, named, gone = (connect(make_account(), waba_id="102290129340398") for _ in range(4))
    whole = Number.objects.all()
    whole.update(proven_at=None, proven_waba_id="", proof_due_at=timezone.now())
    seen = [{"check": "phone_number", "ok": True}, {"check": "waba", "ok": False}]
    whole.filter(pk=verified.pk).update(verified_at=timezone.now() - timedelta(days=1))
    whole.filter(pk=checked.pk).update(checks=seen)
    whole.filter(pk=gone.pk).update(removed_at=timezone.now())
    with connection.cursor() as cursor:
        migration = importlib.import_module("accounts.migrations.0009_proof")
        for statement in (migration._PROVEN, migration._PROVEN_WABA, migration._NOTHING_TO_ASK):
            cursor.execute(statement)
    found = {
        row.pk: (row.proven_at is not None, row.proven_waba_id != "", row.proof_due_at is not None)
        for row in whole
    }
    assert found == {
        verified.pk: (True, True, False),
        checked.pk: (True, False, True),
        named.pk: (False, False, True),
        gone.pk: (False, False, False),
    }


def test_an_answer_about_something_else_proves_nothing():
    assert proofs.shows({"id": "1234567", "display_phone_number": "+1 555"}, "1234567")
    assert not proofs.shows({"id": "1234567"}, "1234567")
    assert not proofs.shows({"id": "7654321", "display_phone_number": "+1 555"}, "1234567")
    assert not proofs.shows({}, "1234567")
