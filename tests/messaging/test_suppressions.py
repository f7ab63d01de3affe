"""Recipients that must not be written to: stop words, Meta's reports, by hand; checked twice on the way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Account, Number
from messaging import suppressions
from messaging.models import Contact, Message, Status, Suppression
from tests.factories import api, connect, faulty_fields, make_account, make_message
from tests.support import meta as support

PERSON = "14155552671"
STOP, META, MANUAL = Suppression.Reason.STOP_WORD, Suppression.Reason.META, Suppression.Reason.MANUAL
TEXT = {"to": PERSON, "message": "Hello"}
TEMPLATE = {"to": PERSON, "template": {"name": "hello_world", "language": "en_US"}}


def hears(account: Account, text: str | None, phone: str = PERSON) -> bool:
    """Let somebody write; tells whether the number is suppressed afterwards."""
    suppressions.listen(account.pk, phone, text)
    return Suppression.objects.filter(account=account, phone=phone).exists()


def reported(number: Number, value: str, *, person: str = PERSON) -> None:
    """Let Meta say what somebody chose about marketing."""
    item = {
        "wa_id": person,
        "detail": "x",
        "category": "marketing_messages",
        "value": value,
        "timestamp": 1_760_000_000,
    }
    payload = support.envelope(number, field="user_preferences", user_preferences=[item])
    assert support.post(payload).status_code == 200
    support.apply_callbacks()


# --- stop words

STOPS = [
    "STOP",
    "stop",
    "Stop!",
    " stop. ",
    "*STOP*",
    "'stop'",
    '"Stop"',
    "Stop, ",
    "STOP!!!",
    "stop all",
    "S T O P",
    "_stop_",
    "Unsubscribe",
    "opt-out",
    "Opt out",
    "arrêt",
    "ARRÊT",
    "arrêter",
    "désabonner",
    "Desabonner",
    "arre\u0302t",
    "parar",
    "¡Parar!",
    "pare",
    "Cancelar",
    "BAJA",
    "salir",
    "Stopp",
    "abmelden",
    "Abbestellen!",
    "ferma",
    "annulla",
    "afmelden",
    "стоп",
    "СТОП",
    "Отписаться",
    "إيقاف",
    "الغاء",
    "إلغاء",
    "रोकें",
    "बंद",
    "dur",
    "DURDUR",
    "iptal",
    "İPTAL",
    "berhenti",
    "停止",
    "退订",
    "退订。",
    "停止！",
    "解除",
    "중지",
    "수신거부",
    "wypisz",
    "Odhlásit",
    "αποχωρώ",
    "Σταματήστε",
    "הסר",
    "ｓｔｏｐ",
    "Stop\u200b",
    "STOP 🛑",
]


@pytest.mark.django_db
@pytest.mark.parametrize("text", STOPS)
def test_a_stop_word_suppresses_in_many_languages(alice, text):
    assert hears(alice, text)
    row = Suppression.objects.get()
    assert (row.reason, row.marketing_only) == (STOP, False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        "Please don't stop",
        "stop by at five?",
        "I can't stop laughing",
        "Hello",
        "",
        " ",
        "!",
        None,
        "bus stop",
        "nonstop",
        "stop " * 20,
        "weekend",
        "the end",
        "Ende gut",
    ],
)
def test_a_sentence_with_a_stop_word_in_it_does_not(alice, text):
    assert not hears(alice, text)


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["START", "start!", "Unstop", "старт", "ابدأ", "开始", "anmelden", "Alta"])
def test_a_start_word_lifts_what_a_stop_word_did(alice, text):
    assert hears(alice, "STOP")
    assert not hears(alice, text)


@pytest.mark.django_db
def test_a_start_word_leaves_a_number_that_was_suppressed_by_hand(alice):
    api(alice).post_json("/suppressions", {"to": PERSON, "note": "court order"})
    assert hears(alice, "START")


@pytest.mark.django_db
def test_a_start_word_leaves_what_was_suppressed_by_hand_after_a_stop_word(alice):
    assert hears(alice, "STOP")
    answer = api(alice).post_json("/suppressions", {"to": PERSON, "note": "court order"})
    assert answer.status_code == 201
    assert hears(alice, "START")


@pytest.mark.django_db
def test_a_stop_word_is_heard_by_the_account_it_was_written_to_only(alice, charlie):
    assert hears(alice, "STOP")
    assert not Suppression.objects.filter(account=charlie).exists()


@pytest.mark.django_db
def test_a_stop_word_widens_what_meta_reported(alice):
    suppressions.suppress(alice.pk, PERSON, reason=META, marketing_only=True)
    hears(alice, "STOP")
    assert Suppression.objects.get().marketing_only is False
    suppressions.suppress(alice.pk, PERSON, reason=META, marketing_only=True)
    assert Suppression.objects.get().marketing_only is False


def test_a_stop_word_in_a_callback_refuses_the_next_send_and_a_start_word_takes_it_back(
    app_secret, alice, number
):
    support.says(number, support.text_item("wamid.1", PERSON, "Stop!"), key="messages")
    answer = api(alice).post_json("/send-message", TEXT)
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["to"]
    assert not Message.objects.filter(direction="out").exists()
    support.says(number, support.text_item("wamid.2", PERSON, "Start"), key="messages")
    assert api(alice).post_json("/send-message", TEXT).status_code == 202


def test_a_redelivered_stop_does_not_undo_a_later_start(app_secret, alice, number):
    stop = support.text_item("wamid.1", PERSON, "Stop")
    support.says(number, stop, key="messages")
    support.says(number, support.text_item("wamid.2", PERSON, "Start"), key="messages")
    support.says(number, stop | {"timestamp": stop["timestamp"]}, key="messages")
    both = [stop, support.text_item("wamid.3", PERSON, "Thanks")]
    support.says(number, *both, key="messages")
    assert api(alice).post_json("/send-message", TEXT).status_code == 202


def test_a_stop_word_counts_for_the_number_that_was_dialled_where_whatsapp_writes_another(
    app_secret, alice, number
):
    """Brazil, Mexico, Argentina: ``wa_id`` differs from the dialled number; it is the same person."""
    dialled, wa_id = "5511987654321", "551187654321"
    api(alice).post_json("/send-message", TEXT | {"to": dialled})
    Contact.objects.filter(phone=dialled).update(wa_id=wa_id)
    support.says(number, support.text_item("wamid.1", wa_id, "Stop"), key="messages")
    assert api(alice).post_json("/send-message", TEXT | {"to": dialled}).status_code == 400


# --- Meta's reports


def test_a_failure_131050_suppresses_marketing_only(app_secret, alice, number):
    support.know_template(number, "MARKETING", "sale")
    message = make_message(alice, status=Status.SENT, connection=number, wamid="wamid.A", recipient=PERSON)
    errors = [{"code": 131050, "title": "User has stopped marketing"}]
    support.says(number, support.status_item("wamid.A", "failed", errors=errors))
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("failed", 131050)
    row = Suppression.objects.get()
    assert (row.phone, row.reason, row.marketing_only) == (PERSON, META, True)
    sale = {"to": PERSON, "template": {"name": "sale", "language": "en_US"}}
    assert api(alice).post_json("/send-message", sale).status_code == 400
    assert api(alice).post_json("/send-message", TEXT).status_code == 202
    assert api(alice).post_json("/send-message", TEMPLATE).status_code == 202


def test_user_preferences_stop_and_resume_marketing(app_secret, alice, number):
    reported(number, "stop")
    row = Suppression.objects.get()
    assert (row.phone, row.reason, row.marketing_only) == (PERSON, META, True)
    reported(number, "resume")
    assert not Suppression.objects.exists()


def test_resumed_marketing_leaves_a_stop_word(app_secret, alice, number):
    hears(alice, "STOP")
    reported(number, "resume")
    assert Suppression.objects.get().reason == STOP


def test_resumed_marketing_leaves_what_was_suppressed_by_hand(app_secret, alice, number):
    api(alice).post_json("/suppressions", {"to": PERSON, "marketingOnly": True, "note": "asked by phone"})
    reported(number, "resume")
    assert Suppression.objects.filter(reason=MANUAL).exists()


# --- between accepting and sending


@pytest.mark.django_db(transaction=True)
def test_who_opts_out_after_the_message_was_accepted_is_not_written_to(meta, alice, number):
    message, other = support.queue(alice), support.queue(alice)
    api(alice).post_json("/suppressions", {"to": message.recipient})
    support.drain()
    found = support.row(message)
    assert (found.status, found.failure) == ("failed", "recipient_opted_out")
    assert found.error_message
    assert [line.to for line in meta.ledger()] == [other.recipient]


@pytest.mark.django_db(transaction=True)
def test_who_stops_marketing_after_a_marketing_message_was_accepted_is_not_sent_it(meta, alice, number):
    support.know_template(number, "MARKETING")
    message = support.queue(alice)
    api(alice).post_json("/suppressions", {"to": message.recipient, "marketingOnly": True})
    support.drain()
    assert support.status_of(message) == "failed"
    assert not meta.ledger()


@pytest.mark.django_db(transaction=True)
def test_a_scheduled_message_is_checked_when_it_is_due(meta, alice, number):
    message = support.queue(alice, send_at=timezone.now() + timedelta(hours=1))
    api(alice).post_json("/suppressions", {"to": message.recipient})
    support.let_time_pass(alice)
    support.drain()
    assert support.status_of(message) == "failed"
    assert not meta.ledger()


@pytest.mark.django_db
def test_a_retry_to_somebody_who_has_opted_out_is_refused(alice, number):
    message = make_message(alice, status=Status.FAILED, recipient=PERSON)
    hears(alice, "STOP")
    answer = api(alice).post_json(f"/messages/{message.pk}/retry")
    assert answer.status_code == 400
    message.refresh_from_db()
    assert message.status == Status.FAILED


@pytest.mark.django_db
def test_a_retry_of_marketing_to_somebody_who_has_stopped_marketing_is_refused(alice, number):
    support.know_template(number, "MARKETING")
    who = api(alice)
    who.post_json("/suppressions", {"to": PERSON, "marketingOnly": True})
    (failure,) = who.post_json("/messages/bulk", {"messages": [TEMPLATE]}).json()["data"]["failures"]
    answer = who.post_json(f"/messages/{failure['id']}/retry")
    assert answer.status_code == 400
    assert Message.objects.get(pk=failure["id"]).status == Status.FAILED


def test_a_failure_131050_counts_for_the_number_that_was_dialled(app_secret, alice, number):
    """Meta names the person by ``wa_id``; the next send names them as dialled."""
    support.know_template(number, "MARKETING", "sale")
    dialled, wa_id = "5511987654321", "551187654321"
    sale = {"to": dialled, "template": {"name": "sale", "language": "en_US"}}
    ident = api(alice).post_json("/send-message", sale).json()["data"]["id"]
    Contact.objects.filter(phone=dialled).update(wa_id=wa_id)
    Message.objects.filter(pk=ident).update(wamid="wamid.A", status="sent")
    item = support.status_item("wamid.A", "failed", errors=[{"code": 131050, "title": "x"}])
    support.says(number, item | {"recipient_id": wa_id})
    assert api(alice).post_json("/send-message", sale).status_code == 400


@pytest.mark.django_db
def test_a_dry_run_shows_what_a_real_send_would_meet(alice, number):
    hears(alice, "STOP")
    dry = api(alice).post_json("/send-message", TEXT | {"dry_run": True})
    assert dry.status_code == api(alice).post_json("/send-message", TEXT).status_code == 400


# --- the list


@pytest.mark.django_db
def test_the_list_is_added_to_read_and_removed_from(alice):
    who = api(alice)
    body = {"to": PERSON, "marketingOnly": True, "note": "asked"}
    made = who.post_json("/suppressions", body)
    assert made.status_code == 201
    assert made.json()["data"] | {"createdAt": ""} == {
        "to": PERSON,
        "reason": "manual",
        "marketingOnly": True,
        "note": "asked",
        "createdAt": "",
    }
    listed = who.get("/suppressions").json()
    assert listed["data"] == [made.json()["data"]]
    assert listed["pagination"] == {"page": 1, "limit": 20, "total": 1, "totalPages": 1}
    gone = who.send("DELETE", f"/suppressions/{PERSON}")
    assert gone.json() == {"success": True, "data": {"to": PERSON, "removed": True}}
    assert who.send("DELETE", f"/suppressions/{PERSON}").status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "to"),
        ({"to": "+1"}, "to"),
        ({"to": PERSON, "marketingOnly": "yes"}, "marketingOnly"),
        ({"to": PERSON, "note": "x" * 201}, "note"),
    ],
)
def test_a_malformed_entry_is_400(alice, body, field):
    answer = api(alice).post_json("/suppressions", body)
    assert answer.status_code == 400
    assert faulty_fields(answer) == [field]


@pytest.mark.django_db
def test_the_same_number_again_is_the_same_entry(alice):
    who = api(alice)
    for _ in range(2):
        assert who.post_json("/suppressions", {"to": PERSON}).status_code == 201
    assert Suppression.objects.count() == 1


@pytest.mark.django_db
def test_lists_of_accounts_are_separate(alice, charlie):
    connect(charlie)
    api(alice).post_json("/suppressions", {"to": PERSON})
    assert api(charlie).get("/suppressions").json()["data"] == []
    assert api(charlie).send("DELETE", f"/suppressions/{PERSON}").status_code == 404
    assert api(charlie).post_json("/send-message", TEXT).status_code == 202
    assert Suppression.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("phone", ["nonsense", "%2B14155552671", "0", "1" * 30, "14155552671%00"])
def test_a_number_that_is_none_is_not_on_the_list(alice, phone):
    assert api(alice).send("DELETE", f"/suppressions/{phone}").status_code == 404


@pytest.mark.django_db
def test_pages_of_the_list_hold_every_entry_once():
    account = make_account("pro")
    rows = [Suppression(account=account, phone=f"1415555{index:04d}", reason=MANUAL) for index in range(45)]
    Suppression.objects.bulk_create(rows)
    who = api(account)
    seen: list[Any] = []
    for page in (1, 2, 3, 4):
        answer = who.get(f"/suppressions?limit=20&page={page}").json()
        seen += [one["to"] for one in answer["data"]]
        assert (answer["pagination"]["total"], answer["pagination"]["totalPages"]) == (45, 3)
    assert len(seen) == len(set(seen)) == 45
    assert who.get("/suppressions?page=999999999999999999").json()["data"] == []


@pytest.mark.django_db(transaction=True)
def test_two_stops_at_the_same_moment_make_one_entry(alice):
    support.together(8, lambda _: suppressions.suppress(alice.pk, PERSON, reason=STOP))
    assert Suppression.objects.count() == 1
    assert not connection.in_atomic_block
