"""`PUT` and `DELETE /auth/me/credentials`: what is accepted, whose number it is, what is kept of the old."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from accounts.connections import add_number, save_credentials
from accounts.credentials import Credentials
from accounts.models import Number
from core.errors import Invalid
from core.secret import Secret
from devstack.meta import seed
from messaging.meta.client import Caller
from messaging.meta.credentials import checked_id
from messaging.models import Message
from messaging.numbers import doctor
from tests.factories import APP_SECRET, TOKEN, Api, api, connect, faulty_fields, make_account, make_message

pytestmark = pytest.mark.django_db

NUMBER = "106540352242922"
OTHER = "106540352242923"
GOOD = {"whatsappAccessToken": TOKEN, "whatsappPhoneNumberId": NUMBER}
PATH = "/auth/me/credentials"


@pytest.fixture
def who() -> Api:
    return api(make_account(plan="enterprise"))


def current() -> Number:
    return Number.objects.get(removed_at=None)


def test_it_saves_and_says_what_to_paste_into_meta(who, settings):
    settings.PUBLIC_URL = "https://hermod.example.com"
    answer = who.put_json(PATH, GOOD)
    assert answer.status_code == 200
    number = current()
    assert answer.json() == {
        "success": True,
        "data": {
            "byocConfigured": True,
            "whatsappPhoneNumberId": NUMBER,
            "verified": False,
            "callbackUrl": f"https://hermod.example.com/webhooks/whatsapp/{number.callback_key}",
            "verifyToken": number.verify_token,
            "warnings": [doctor.UNPROVEN],
        },
    }
    assert number.access_token.reveal() == TOKEN
    assert number.status == "unverified"
    assert len(number.callback_key) >= 32 and len(number.verify_token) >= 32
    assert number.callback_key != number.verify_token
    assert who.get("/auth/me").json()["data"]["byocConfigured"] is True


def test_it_takes_the_optional_parts(who):
    body = GOOD | {"whatsappBusinessAccountId": "102290129340398", "whatsappAppSecret": APP_SECRET}
    assert who.put_json(PATH, body).status_code == 200
    assert current().waba_id == "102290129340398"
    assert current().app_secret.reveal() == APP_SECRET


@pytest.mark.parametrize("around", [" {}", "{} ", "{}\n", "\r\n{}\r\n", "\t{}", "\u00a0{}\u00a0"])
def test_blanks_and_line_ends_around_what_was_pasted_are_dropped(who, around):
    body = GOOD | {"whatsappBusinessAccountId": "102290129340398", "whatsappAppSecret": APP_SECRET}
    answer = who.put_json(PATH, {name: around.format(value) for name, value in body.items()})
    assert answer.status_code == 200
    number = current()
    assert number.access_token.reveal() == TOKEN and number.app_secret.reveal() == APP_SECRET
    assert (number.phone_number_id, number.waba_id) == (NUMBER, "102290129340398")
    again = who.put_json(PATH, {name: around.format(value) for name, value in body.items()})
    assert again.status_code == 200 and current().pk == number.pk


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("whatsappAccessToken", "EAA" + "x" * 16, "too short: it has 19 characters"),
        ("whatsappAccessToken", "EAA" + "x" * 1998, "too long: it has 2001 characters"),
        ("whatsappAccessToken", TOKEN[:20] + "\n" + TOKEN[20:], "line break"),
        ("whatsappAccessToken", TOKEN[:20] + " " + TOKEN[20:], "blank"),
        ("whatsappAccessToken", TOKEN + "\u200b", "U+200B"),
        ("whatsappAccessToken", "Bearer " + TOKEN, "without the word before it"),
        ("whatsappAppSecret", "short", "too short: it has 5 characters"),
        ("whatsappAppSecret", APP_SECRET[:9] + "\r\n" + APP_SECRET[9:], "line break"),
        ("whatsappPhoneNumberId", "10654 0352242922", "blank"),
        ("whatsappPhoneNumberId", "+14155552671", "not the phone number"),
        ("whatsappBusinessAccountId", "1022", "5 to 20 digits"),
    ],
)
def test_a_refusal_says_what_is_wrong_with_the_value(who, field, value, said):
    (fault,) = who.put_json(PATH, GOOD | {field: value}).json()["details"]
    assert fault["field"] == field and said in fault["message"]
    assert "EAA" not in fault["message"]


def test_nothing_is_saved_that_could_not_be_sent_to_meta():
    for given in (
        {"access_token": "EAA"},
        {"phone_number_id": "me/../1"},
        {"waba_id": "0"},
        {"app_secret": "a b"},
    ):
        values: dict[str, Any] = {"access_token": TOKEN, "phone_number_id": NUMBER} | given
        secrets = {name: Secret(values[name]) for name in ("access_token", "app_secret") if name in values}
        with pytest.raises(Invalid) as caught:
            save_credentials(make_account(), **(values | secrets))
        assert [fault.field for fault in caught.value.fields] == list(given)
    assert not Number.objects.exists()


def test_whatever_is_saved_can_be_sent_to_meta():
    for token in ("!" * 20, "~" * 2_000):
        for ident in ("1" * 5, "9" * 20):
            given = Credentials(Secret(token), ident, ident, Secret("~" * 200))
            Caller(
                "https://graph.example", "v25.0", given.phone_number_id, given.access_token, given.app_secret
            )
            assert checked_id(given.waba_id, "waba_id") == ident


HARMFUL_IDS = {
    "a path": "../../123456",
    "an encoded path": "12345%2F67890",
    "a slash": "12345/67890",
    "a query": "12345?fields=id",
    "a fragment": "12345#67890",
    "another host": "12345@evil.example",
    "a line break": "10654\n0352242922",
    "CRLF": "12345\r\nX-Evil: 1",
    "a space": "10654 0352242922",
    "a plus": "+106540352242922",
    "Arabic digits": "١٠٦٥٤٠٣٥٢٢٤٢٩٢٢",
    "full-width digits": "１０６５４０３５２２",
    "letters": "phone12345",
    "the word me": "me",
    "four digits": "1234",
    "twenty-one digits": "1" * 21,
    "negative": "-12345678",
    "a number": 106540352242922,
    "a list": ["106540352242922"],
    "an object": {"id": "106540352242922"},
    "true": True,
    "nothing": "",
    "a NUL": "10654\x0035224",
    "10,000 digits": "1" * 10_000,
}
HARMFUL_TOKENS = {
    "CRLF": TOKEN + "\r\nX-Evil: 1",
    "a line break": TOKEN[:20] + "\n" + TOKEN[20:],
    "a space inside": TOKEN[:20] + " " + TOKEN[20:],
    "a tab": TOKEN + "\t1",
    "beyond ASCII": TOKEN + "é",
    "a zero-width space": TOKEN + "\u200b",
    "NUL": TOKEN + "\x00",
    "DEL": TOKEN + "\x7f",
    "too short": "EAA" + "x" * 16,
    "too long": "EAA" + "x" * 1998,
    "nothing": "",
    "only space": " " * 30,
    "a number": 12345678901234567890,
    "a list": [TOKEN],
    "an object": {"token": TOKEN},
}


def refused(who: Api, field: str, value: Any) -> None:
    answer = who.put_json(PATH, GOOD | {field: value})
    assert answer.status_code == 400
    assert faulty_fields(answer) in ([field], [""])  # "": the JSON reader refused it (NUL, long numbers)
    assert TOKEN[:20].encode() not in answer.content
    assert not Number.objects.exists()


@pytest.mark.parametrize("value", HARMFUL_IDS.values(), ids=HARMFUL_IDS.keys())
@pytest.mark.parametrize("field", ["whatsappPhoneNumberId", "whatsappBusinessAccountId"])
def test_an_id_that_could_address_something_else_is_refused(who, field, value):
    refused(who, field, value)


@pytest.mark.parametrize("value", HARMFUL_TOKENS.values(), ids=HARMFUL_TOKENS.keys())
def test_a_token_that_could_break_a_header_is_refused(who, value):
    refused(who, "whatsappAccessToken", value)


@pytest.mark.parametrize(
    "value", ["short", APP_SECRET + "\r\nX-Evil: 1", APP_SECRET + " x", "", "x" * 201, 5, "é" * 20]
)
def test_a_bad_app_secret_is_refused(who, value):
    refused(who, "whatsappAppSecret", value)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", ["whatsappAccessToken", "whatsappPhoneNumberId"]),
        ({}, ["whatsappAccessToken", "whatsappPhoneNumberId"]),
        ({"whatsappAccessToken": TOKEN}, ["whatsappPhoneNumberId"]),
        ({"whatsappPhoneNumberId": NUMBER}, ["whatsappAccessToken"]),
        (GOOD | {"whatsappAccessToken": None}, ["whatsappAccessToken"]),
        (
            {
                "whatsappAccessToken": "x",
                "whatsappPhoneNumberId": "y",
                "whatsappBusinessAccountId": "z",
                "whatsappAppSecret": "s",
            },
            [
                "whatsappAccessToken",
                "whatsappPhoneNumberId",
                "whatsappBusinessAccountId",
                "whatsappAppSecret",
            ],
        ),
    ],
)
def test_it_names_every_faulty_field(who, body, fields):
    answer = who.put_json(PATH, body)
    assert answer.status_code == 400
    assert sorted(faulty_fields(answer)) == sorted(fields)
    assert not Number.objects.exists()


def test_a_refused_change_leaves_the_old_credentials(who):
    who.put_json(PATH, GOOD)
    before = Number.objects.values().get()
    who.put_json(PATH, {"whatsappAccessToken": "bad", "whatsappPhoneNumberId": OTHER})
    assert Number.objects.values().get() == before


def test_no_answer_shows_a_credential(who):
    body = GOOD | {"whatsappAppSecret": APP_SECRET}
    answers = [
        who.put_json(PATH, body),
        who.put_json(PATH, body),
        who.get("/auth/me"),
        who.put_json(PATH, body | {"whatsappPhoneNumberId": "bad"}),
        who.put_json(PATH, body | {"whatsappAccessToken": TOKEN + " x"}),
        who.put_json(PATH, body | {"whatsappAppSecret": APP_SECRET + " x"}),
        api(make_account()).put_json(PATH, body),
        who.post_json(f"{PATH}/verify"),
        who.delete(PATH),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400, 400, 200, 200, 200]
    for answer in answers:
        assert TOKEN[:20].encode() not in answer.content
        assert APP_SECRET.encode() not in answer.content
        assert answer["Cache-Control"] == "no-store"


def test_the_same_number_again_keeps_its_history_and_what_was_left_out(who):
    who.put_json(
        PATH, GOOD | {"whatsappBusinessAccountId": "102290129340398", "whatsappAppSecret": APP_SECRET}
    )
    before = current()
    Number.objects.update(status="active", display_phone="15557654321")
    make_message(before.account, connection=before)
    for left_out in ({}, {"whatsappBusinessAccountId": None, "whatsappAppSecret": None}):
        answer = who.put_json(PATH, GOOD | {"whatsappAccessToken": TOKEN + "2"} | left_out)
        assert answer.status_code == 200
        after = current()
        assert after.pk == before.pk
        assert (after.callback_key, after.verify_token) == (before.callback_key, before.verify_token)
        assert after.access_token.reveal() == TOKEN + "2"
        assert after.app_secret.reveal() == APP_SECRET
        assert (after.waba_id, after.display_phone) == ("102290129340398", "15557654321")
        assert (after.status, after.verified_at) == ("unverified", None), "a new token must be verified anew"
    assert Message.objects.get().connection_id == before.pk


def test_another_number_becomes_another_row_and_the_old_one_is_emptied(who):
    who.put_json(
        PATH, GOOD | {"whatsappBusinessAccountId": "102290129340398", "whatsappAppSecret": APP_SECRET}
    )
    old = current()
    message = make_message(old.account, connection=old)
    assert who.put_json(PATH, GOOD | {"whatsappPhoneNumberId": OTHER}).status_code == 200
    old.refresh_from_db()
    assert (old.access_token_sealed, old.app_secret_sealed, old.status) == ("", "", "removed")
    assert old.removed_at is not None
    assert old.phone_number_id == NUMBER, "late callbacks still find their messages by it"
    message.refresh_from_db()
    assert message.connection_id == old.pk
    new = current()
    assert (new.phone_number_id, new.waba_id, new.app_secret.reveal()) == (OTHER, "", "")
    assert new.callback_key != old.callback_key


REAL = {
    "whatsappAccessToken": seed.number(1).access_token,
    "whatsappPhoneNumberId": seed.number(1).phone_number_id,
}
with_meta = pytest.mark.django_db(transaction=True)


@with_meta
def test_a_number_belongs_to_one_account_at_a_time(meta, who):
    who.put_json(PATH, REAL)
    before = Number.objects.values().get()
    answer = api(make_account()).put_json(PATH, REAL)
    assert answer.status_code == 409
    assert set(answer.json()) == {"success", "error", "code", "doc_url"}
    assert Number.objects.values().get() == before


@with_meta
def test_a_conflict_does_not_cost_the_loser_the_number_it_has(meta, who):
    who.put_json(PATH, REAL)
    loser = make_account()
    mine = connect(loser, phone_number_id=OTHER)
    assert api(loser).put_json(PATH, REAL).status_code == 409
    mine.refresh_from_db()
    assert mine.removed_at is None
    assert mine.access_token.reveal() == TOKEN


@with_meta
def test_a_number_that_was_removed_is_free_for_others(meta, who):
    who.put_json(PATH, REAL)
    who.delete(PATH)
    assert api(make_account()).put_json(PATH, REAL).status_code == 200
    assert who.put_json(PATH, REAL).status_code == 409


@pytest.mark.parametrize("leave", ["delete", "another number", "another account had it meanwhile"])
def test_a_number_that_comes_back_is_the_one_that_meta_was_told_of(who, leave):
    def put(number: str = NUMBER) -> dict[str, Any]:
        answer = who.put_json(PATH, GOOD | {"whatsappPhoneNumberId": number})
        assert answer.status_code == 200
        return answer.json()["data"]

    first = put()
    Number.objects.update(waba_id="102290129340398")
    if leave == "another number":
        put(OTHER)
    else:
        who.delete(PATH)
    if leave.startswith("another account"):
        meanwhile = api(make_account())
        theirs = meanwhile.put_json(PATH, GOOD).json()["data"]
        assert theirs["callbackUrl"] != first["callbackUrl"], "another account's address is its own"
        meanwhile.delete(PATH)
    assert put() == first
    back = current()
    assert (back.is_default, back.is_active, back.status) == (True, True, "unverified")
    assert (back.waba_id, back.app_secret_sealed) == ("", ""), "what was forgotten stays forgotten"
    gone = Number.objects.exclude(removed_at=None)
    assert set(gone.values_list("access_token_sealed", flat=True)) <= {""}


def test_a_number_comes_back_beside_the_default_one_that_took_its_place():
    account = make_account()
    given = Credentials(Secret(TOKEN), NUMBER)
    first = save_credentials(account, access_token=Secret(TOKEN), phone_number_id=NUMBER)
    save_credentials(account, access_token=Secret(TOKEN), phone_number_id=OTHER)
    back = add_number(account, account.agents.get(), given)
    assert (back.pk, back.callback_key, back.is_default) == (first.pk, first.callback_key, False)


def test_delete_forgets_and_may_be_repeated(who):
    who.put_json(PATH, GOOD | {"whatsappAppSecret": APP_SECRET})
    for _ in range(3):
        answer = who.delete(PATH)
        assert answer.status_code == 200
        assert answer.json() == {"success": True, "data": {"byocConfigured": False}}
    row = Number.objects.get()
    assert (row.access_token_sealed, row.app_secret_sealed, row.status) == ("", "", "removed")
    assert who.get("/auth/me").json()["data"]["byocConfigured"] is False


def test_a_repeated_delete_changes_nothing(who):
    who.put_json(PATH, GOOD)
    who.delete(PATH)
    before = Number.objects.values().get()
    who.delete(PATH)
    assert Number.objects.values().get() == before


def test_delete_touches_nobody_elses(who):
    other = connect(make_account())
    who.delete(PATH)
    other.refresh_from_db()
    assert other.access_token.reveal() == TOKEN


def test_there_is_nothing_to_verify_without_credentials(who):
    for _ in range(2):
        answer = who.post_json(f"{PATH}/verify")
        assert answer.status_code == 400
        assert faulty_fields(answer) == ["credentials"]
        assert "PUT /auth/me/credentials" in answer.content.decode()
        connect(make_account())  # somebody else's do not count


def test_a_meta_that_cannot_be_reached_verifies_nothing_and_breaks_nothing(who):
    """The tests' settings name a port on which nobody listens."""
    who.put_json(PATH, GOOD)
    answer = who.post_json(f"{PATH}/verify")
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data["verified"] is False
    checked = {check["check"]: check["ok"] for check in data["checks"]}
    assert checked.pop("app_secret") is False, "what is known here is told without Meta"
    assert set(checked.values()) == {None}
    assert current().status == "unverified"


@with_meta
def test_of_two_accounts_that_claim_a_number_at_once_one_gets_it(meta):
    accounts = [make_account() for _ in range(6)]
    clients = [api(account) for account in accounts]
    ready = threading.Barrier(len(clients))
    statuses: list[int] = []

    def go(client: Api) -> None:
        ready.wait()
        try:
            statuses.append(client.put_json(PATH, REAL).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [409] * 5
    assert Number.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_changes_of_one_account_end_as_one_of_them():
    account = make_account(plan="enterprise")
    clients = [api(account) for _ in range(6)]
    ready = threading.Barrier(len(clients))
    statuses: list[int] = []

    def go(index: int, client: Api) -> None:
        ready.wait()
        try:
            body = {
                "whatsappAccessToken": f"{TOKEN}{index}",
                "whatsappPhoneNumberId": f"10654035224292{index}",
            }
            statuses.append(client.put_json(PATH, body).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=item) for item in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    left = current()
    assert left.access_token.reveal() == TOKEN + left.phone_number_id[-1]
    assert Number.objects.exclude(removed_at=None).count() == 5
