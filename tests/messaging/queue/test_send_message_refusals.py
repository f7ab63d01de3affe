"""`POST /send-message` refuses what is malformed with every faulty field, and then stores nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from messaging.models import Contact, Message, MessageEvent
from tests.factories import Api, api, connect, faulty_fields, make_account

pytestmark = pytest.mark.django_db

TO = "14155552671"
TEXT = {"to": TO, "message": "Hi"}
TEMPLATE = {"to": TO, "template": {"name": "hello_world", "language": "en_US"}}


@pytest.fixture
def who() -> Api:
    account = make_account(plan="enterprise")
    connect(account)
    return api(account)


def moment(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat()


def template(**changes) -> dict:
    return {"to": TO, "template": TEMPLATE["template"] | changes}


def nested(depth: int) -> dict:
    value: dict = {}
    for _ in range(depth):
        value = {"a": value}
    return value


REFUSED = [
    ({}, ["to", "message"]),
    (b"", ["to", "message"]),
    ({"to": TO}, ["message"]),
    ({"message": "Hi"}, ["to"]),
    ({"to": TO, "message": None, "template": None}, ["message"]),
    (TEXT | TEMPLATE, ["message"]),
    (TEMPLATE | {"message": ""}, ["message"]),
    (TEXT | {"to": "+14155552671"}, ["to"]),
    (TEXT | {"to": "1 (415) 555-2671"}, ["to"]),
    (TEXT | {"to": 14155552671}, ["to"]),
    (TEXT | {"to": True}, ["to"]),
    (TEXT | {"to": [TO]}, ["to"]),
    (TEXT | {"to": {"phone": TO}}, ["to"]),
    (TEXT | {"to": TO + "\n"}, ["to"]),
    (TEXT | {"to": "١٤١٥٥٥٥٢٦٧١"}, ["to"]),
    (TEXT | {"message": ""}, ["message"]),
    (TEXT | {"message": " \n\t"}, ["message"]),
    (TEXT | {"message": "x" * 4097}, ["message"]),
    (TEXT | {"message": "😀" * 4097}, ["message"]),
    (TEXT | {"message": 5}, ["message"]),
    (TEXT | {"message": ["Hi"]}, ["message"]),
    ({"to": TO, "template": "hello_world"}, ["template"]),
    ({"to": TO, "template": ["hello_world"]}, ["template"]),
    ({"to": TO, "template": {}}, ["template.name", "template.language"]),
    (template(name=""), ["template.name"]),
    (template(name="Hello World"), ["template.name"]),
    (template(name="hello-world"), ["template.name"]),
    (template(name="hello_world\n"), ["template.name"]),
    (template(name="x" * 513), ["template.name"]),
    (template(name=5), ["template.name"]),
    (template(language=None), ["template.language"]),
    (template(language={"code": "en_US"}), ["template.language"]),
    (template(language="english please"), ["template.language"]),
    (template(language="en_US\n"), ["template.language"]),
    (template(components={}), ["template.components"]),
    (template(components="body"), ["template.components"]),
    (template(components=["body"]), ["template.components[0]"]),
    (template(components=[{"type": "body"}, {"parameters": []}]), ["template.components[1]"]),
    (template(components=[{"type": 1}, None]), ["template.components[0]", "template.components[1]"]),
    (TEXT | {"sendAt": "2020-01-01T00:00:00Z"}, ["sendAt"]),
    (TEXT | {"sendAt": "tomorrow"}, ["sendAt"]),
    (TEXT | {"sendAt": 1777626000}, ["sendAt"]),
    (TEXT | {"sendAt": "٢٠٣٠-01-01T00:00:00Z"}, ["sendAt"]),
    (TEXT | {"sendAt": "9999-12-31T23:59:59-14:00"}, ["sendAt"]),
    (TEXT | {"sendAt": "0001-01-01T00:00:00+14:00"}, ["sendAt"]),
    (TEXT | {"sendAt": "9999-12-31T23:59:59Z"}, ["sendAt"]),
    (TEXT | {"metadata": "x"}, ["metadata"]),
    (TEXT | {"metadata": [1]}, ["metadata"]),
    (TEXT | {"metadata": 1}, ["metadata"]),
    (TEXT | {"metadata": {"a": "x" * (16 * 1024)}}, ["metadata"]),
    (TEXT | {"metadata": {"a": "é" * (8 * 1024)}}, ["metadata"]),
    (TEXT | {"dry_run": "true"}, ["dry_run"]),
    (TEXT | {"dry_run": 1}, ["dry_run"]),
    (
        {"to": "x", "message": 1, "sendAt": "x", "metadata": 1, "dry_run": 1},
        ["to", "message", "sendAt", "metadata", "dry_run"],
    ),
    # The JSON reader's part, through the whole service.
    (b'{"to":"14155552671","message":"Hi"', [""]),
    (b'[{"to":"14155552671","message":"Hi"}]', [""]),
    (b'{"to":"14155552671","to":"14155552672","message":"Hi"}', ["to"]),
    (b'{"to":"14155552671","message":"\\u0000"}', ["message"]),
    (b'{"to":"14155552671","message":"\\ud800"}', ["message"]),
    (b'{"to":"14155552671","message":"Hi","metadata":{"a":{"b":"\\u0000"}}}', ["metadata.a.b"]),
    (b'{"to":"14155552671","message":"Hi","metadata":{"\\u0000":1}}', ["metadata"]),
    (b'{"to":"14155552671","message":"Hi","metadata":{"a":NaN}}', [""]),
    (b'{"to":"14155552671","message":"Hi","metadata":{"a":1e999}}', [""]),
    (b'{"to":"14155552671","message":"Hi","metadata":{"a":' + b"9" * 4_299 + b"}}", [""]),
    (b'{"to":"14155552671","message":"Hi","metadata":' + b"[" * 100_000, [""]),
    (TEXT | {"metadata": nested(16)}, [""]),
    (TEXT | {"metadata": {str(n): n for n in range(1_001)}}, [""]),
    (b"to=14155552671&message=Hi", [""]),
    (b"\xff\xfe", [""]),
]


@pytest.mark.parametrize(("body", "fields"), REFUSED)
def test_it_names_every_faulty_field_and_stores_nothing(who, body, fields):
    answer = who.post_json("/send-message", body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["success"] is False
    assert faulty_fields(answer) == fields
    assert all(fault["message"] for fault in answer.json()["details"])
    assert not Message.objects.exists()
    assert not MessageEvent.objects.exists()
    assert not Contact.objects.exists()


@pytest.mark.parametrize("behind", [0, 1, 3600])
def test_a_moment_that_has_passed_is_refused(who, behind):
    answer = who.post_json("/send-message", TEXT | {"sendAt": moment(seconds=-behind)})
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["sendAt"]
    assert not Message.objects.exists()


def test_a_moment_beyond_a_year_is_refused(who):
    answer = who.post_json("/send-message", TEXT | {"sendAt": moment(days=367)})
    assert faulty_fields(answer) == ["sendAt"]


@pytest.mark.parametrize(
    "number",
    [
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "99999999999999999999",
        "-99999999999999999999",
        "1e20",
        "1e300",
        "-1.5e-300",
        "0.1",
        "-0.0",
        "100000000000000000000.5",
    ],
)
@pytest.mark.parametrize("place", ["metadata", "template", "unknown field"])
def test_an_unusual_number_is_refused_or_read_back_equal(who, number, place):
    """Never a crash: not when it is stored, and not when the message is looked up."""
    part = {
        "metadata": '"message": "Hi", "metadata": {"n": %s}',
        "template": '"template": {"name": "a", "language": "en", "components": [{"type": "x", "n": %s}]}',
        "unknown field": '"message": "Hi", "n": %s',
    }[place]
    answer = who.post_json("/send-message", f'{{"to": "{TO}", {part % number}}}')
    assert answer.status_code in (202, 400)
    if answer.status_code == 400:
        assert not Message.objects.exists()
        return
    found = who.get(f"/messages/{answer.json()['data']['id']}")
    assert found.status_code == 200
    data = found.json()["data"]
    if place == "metadata":
        assert data["metadata"]["n"] == float(number) or data["metadata"]["n"] == int(number)
    elif place == "template":
        assert float(data["template"]["components"][0]["n"]) == float(number)


@pytest.mark.parametrize(
    "body", [TEXT, TEMPLATE, TEXT | {"sendAt": moment(days=1)}, TEXT | {"dry_run": False}]
)
def test_a_real_send_without_credentials_is_refused_at_once(body):
    who = api(make_account())
    connect(make_account())  # somebody else's do not count
    answer = who.post_json("/send-message", body)
    assert answer.status_code == 400
    assert "PUT /auth/me/credentials" in answer.json()["error"]
    assert faulty_fields(answer) == ["credentials"]
    assert not Message.objects.exists()


def test_credentials_that_were_removed_are_no_credentials(who):
    who.delete("/auth/me/credentials")
    answer = who.post_json("/send-message", TEXT)
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["credentials"]
    assert not Message.objects.exists()


def test_a_malformed_send_without_credentials_hears_of_its_fields_first():
    answer = api(make_account()).post_json("/send-message", {"to": "+1"})
    assert faulty_fields(answer) == ["to", "message"]
