"""The sandbox checks a send call's body as strictly as Meta does."""

import json

import pytest

from tests.support.examples import sends
from tests.support.waiting import eventually


def _buttons(*titles):
    buttons = [{"type": "reply", "reply": {"id": f"b{i}", "title": title}} for i, title in enumerate(titles)]
    return {"type": "button", "body": {"text": "Choose"}, "action": {"buttons": buttons}}


def _list(rows, **section):
    made = [{"id": f"r{i}", "title": f"Row {i}"} for i in range(rows)]
    sections = [{"title": "S", "rows": made} | section]
    return {"type": "list", "body": {"text": "x"}, "action": {"button": "Open", "sections": sections}}


def _cta(**parameters):
    given = {"display_text": "Open", "url": "https://example.com"} | parameters
    return {"type": "cta_url", "body": {"text": "x"}, "action": {"name": "cta_url", "parameters": given}}


def _flow(**parameters):
    given = {"flow_message_version": "3", "flow_id": "1", "flow_cta": "Go"} | parameters
    return {"type": "flow", "body": {"text": "x"}, "action": {"name": "flow", "parameters": given}}


def _interactive(part):
    return {"type": "interactive", "interactive": part}


_PERSON = {"formatted_name": "John Smith", "first_name": "John"}
GOOD = {
    "text": {"type": "text", "text": {"body": "x" * 4096, "preview_url": True}},
    "text by default": {"text": {"body": "hi"}},
    "image link": {"type": "image", "image": {"link": "https://example.com/a.jpg", "caption": "c"}},
    "voice": {"type": "audio", "audio": {"link": "https://example.com/a.ogg", "voice": True}},
    "document": {"type": "document", "document": {"link": "https://example.com/a.pdf", "filename": "a.pdf"}},
    "location": {"type": "location", "location": {"latitude": "37.4", "longitude": -122.1, "name": "n"}},
    "contacts": {"type": "contacts", "contacts": [{"name": _PERSON, "phones": [{"phone": "+1"}]}]},
    "buttons": _interactive(_buttons("Yes", "No", "Later")),
    "list": _interactive(_list(10)),
    "cta_url": _interactive(_cta()),
    "flow": _interactive(_flow(flow_action="navigate", flow_action_payload={"screen": "A"})),
    "location request": _interactive(
        {"type": "location_request_message", "body": {"text": "x"}, "action": {"name": "send_location"}}
    ),
    "catalog": _interactive(
        {"type": "catalog_message", "body": {"text": "x"}, "action": {"name": "catalog_message"}}
    ),
    "product": _interactive({"type": "product", "action": {"catalog_id": "1", "product_retailer_id": "2"}}),
    "reply": {"type": "text", "text": {"body": "x"}, "context": {"message_id": "wamid.abc"}},
}


@pytest.mark.parametrize("name", GOOD)
def test_it_accepts(meta, name):
    answer = meta.send({"messaging_product": "whatsapp", "to": meta.customer()} | GOOD[name])
    assert meta.wamid(answer).startswith("wamid.")


BAD = {
    "no type object": ({"type": "text"}, 131008),
    "unknown type": ({"type": "poem"}, 100),
    "unknown key": ({"text": {"body": "x"}, "colour": "red"}, 100),
    "group": ({"recipient_type": "group", "text": {"body": "x"}}, 100),
    "no body": ({"type": "text", "text": {}}, 131008),
    "empty body": ({"type": "text", "text": {"body": ""}}, 131008),
    "body not text": ({"type": "text", "text": {"body": 5}}, 100),
    "text not object": ({"type": "text", "text": "hello"}, 100),
    "text too long": ({"type": "text", "text": {"body": "x" * 4097}}, 100),
    "preview not bool": ({"type": "text", "text": {"body": "x", "preview_url": "yes"}}, 100),
    "ref too long": ({"text": {"body": "x"}, "biz_opaque_callback_data": "x" * 513}, 100),
    "context not wamid": ({"text": {"body": "x"}, "context": {"message_id": "17"}}, 131009),
    "id and link": ({"type": "image", "image": {"id": "1", "link": "https://e.com/a.jpg"}}, 131009),
    "neither id nor link": ({"type": "image", "image": {"caption": "x"}}, 131009),
    "unknown media": ({"type": "image", "image": {"id": "123"}}, 100),
    "bad link": ({"type": "image", "image": {"link": "ftp://e.com/a.jpg"}}, 131009),
    "caption on audio": ({"type": "audio", "audio": {"link": "https://e.com/a.ogg", "caption": "x"}}, 100),
    "caption too long": (
        {"type": "image", "image": {"link": "https://e.com/a.jpg", "caption": "x" * 1025}},
        100,
    ),
    "no longitude": ({"type": "location", "location": {"latitude": 1}}, 131008),
    "latitude too high": ({"type": "location", "location": {"latitude": 91, "longitude": 1}}, 131009),
    "no contacts": ({"type": "contacts", "contacts": []}, 131008),
    "contact without name": ({"type": "contacts", "contacts": [{"name": {"formatted_name": "x"}}]}, 131008),
    "too many contacts": ({"type": "contacts", "contacts": [{"name": _PERSON}] * 258}, 100),
    "reaction to nothing": (
        {"type": "reaction", "reaction": {"message_id": "wamid.x", "emoji": "a"}},
        131009,
    ),
    "reaction without emoji": ({"type": "reaction", "reaction": {"message_id": "wamid.x"}}, 131008),
    "four buttons": (_interactive(_buttons("a", "b", "c", "d")), 131009),
    "long button": (_interactive(_buttons("x" * 21)), 131009),
    "same buttons": (_interactive(_buttons("a", "a")), 131009),
    "no buttons": (_interactive(_buttons()), 131008),
    "no interactive body": (_interactive({"type": "button", "action": {"buttons": [1]}}), 131008),
    "long interactive body": (_interactive(_buttons("a") | {"body": {"text": "x" * 1025}}), 131009),
    "long footer": (_interactive(_buttons("a") | {"footer": {"text": "x" * 61}}), 131009),
    "long header": (_interactive(_buttons("a") | {"header": {"type": "text", "text": "x" * 61}}), 131009),
    "image in list": (_interactive(_list(1) | {"header": {"type": "image", "image": {"id": "1"}}}), 131009),
    "eleven rows": (_interactive(_list(11)), 131009),
    "long section": (_interactive(_list(1, title="x" * 25)), 131009),
    "no action": (_interactive({"type": "list", "body": {"text": "x"}}), 131008),
    "unknown interactive": (_interactive({"type": "riddle", "body": {"text": "x"}}), 100),
    "long display text": (_interactive(_cta(display_text="x" * 21)), 131009),
    "no url": (_interactive(_cta(url="example")), 131009),
    "two flows": (_interactive(_flow(flow_name="x")), 131009),
    "old flow": (_interactive(_flow(flow_message_version="2")), 131009),
    "long flow_cta": (_interactive(_flow(flow_cta="x" * 31)), 131009),
}


@pytest.mark.parametrize("name", BAD)
def test_it_refuses(meta, refused, name):
    body, code = BAD[name]
    refused(meta.send({"messaging_product": "whatsapp", "to": meta.customer()} | body), code)
    assert meta.accepted() == []


def test_it_refuses_a_body_without_messaging_product(meta, refused):
    error = refused(meta.send({"to": "+14155552671", "text": {"body": "x"}}), 100)
    assert error["message"] == "(#100) The parameter messaging_product is required."
    refused(meta.send({"messaging_product": "telegram", "to": "+14155552671", "text": {"body": "x"}}), 100)


def test_it_refuses_a_body_that_is_not_json(meta, refused):
    path = f"{meta.number.phone_number_id}/messages"
    for raw in (b"{", b"[1]", b"\xff"):
        refused(meta.call("POST", path, data=raw, headers={"Content-Type": "application/json"}), 100)


def test_it_reads_a_form_as_graph_does(meta):
    form = {"messaging_product": "whatsapp", "to": meta.customer(), "text": json.dumps({"body": "hi"})}
    assert meta.wamid(meta.call("POST", f"{meta.number.phone_number_id}/messages", data=form))


@pytest.mark.parametrize(
    "to", ["", None, "abc", "12", "+1234567890123456", "US.123", {"a": 1}, "+1 415 555 x"]
)
def test_it_refuses_a_recipient_that_is_none(meta, refused, to):
    refused(meta.text(to), 100 if to in ("", None) else 131009)


def test_it_refuses_itself_as_recipient(meta, refused):
    refused(meta.text(meta.number.phone), 131021)


@pytest.mark.parametrize(
    ("business", "to", "reached"),
    [
        ("+15557654401", "+49 (151) 1234-5678", "4915112345678"),
        ("+15557654401", "(631) 555-1234", "16315551234"),
        ("+15557654401", "16315551234", "16315551234"),
        ("+15557654401", "4915112345678", "14915112345678"),
        ("+919812345678", "(631) 555-1234", "916315551234"),
        ("+919812345678", "1 (631) 555-1234", "9116315551234"),
        ("+919812345678", "+1 (631) 555-1234", "16315551234"),
        ("+919812345678", "919900112233", "919900112233"),
    ],
)
def test_it_prefixes_a_recipient_without_plus_with_the_business_country(meta, business, to, reached):
    made = meta.control("POST", "numbers", {"phone": business}, expect=201)
    body = {"messaging_product": "whatsapp", "to": to, "text": {"body": "x"}}
    answer = meta.call("POST", f"{made['phone_number_id']}/messages", token=made["access_token"], json=body)
    assert answer.json()["contacts"] == [{"input": to, "wa_id": reached}]


def test_it_takes_a_user_id_as_recipient(meta, refused):
    body = {"messaging_product": "whatsapp", "recipient": "US.13491208655302741918", "text": {"body": "x"}}
    answer = meta.send(body)
    assert answer.json()["contacts"] == [{"input": body["recipient"], "user_id": body["recipient"]}]
    failed = eventually(lambda: meta.receiver.statuses(meta.wamid(answer)))[0]
    assert "recipient_id" not in failed and failed["recipient_user_id"] == body["recipient"]
    both = meta.send(body | {"to": meta.customer()}).json()["contacts"][0]
    assert {"wa_id", "user_id"} < set(both)
    refused(meta.send(body | {"recipient": "nobody"}), 131009)
    code = {"name": "login_code", "language": {"code": "en_US"}}
    refused(meta.send(body | {"type": "template", "template": code}), 131062)


def test_it_marks_as_read_and_shows_typing(meta, refused):
    wamid = meta.writes("14155552671", text="hello")["id"]
    body = {"messaging_product": "whatsapp", "status": "read", "message_id": wamid}
    assert meta.send(body).json() == {"success": True}
    assert meta.send(body | {"typing_indicator": {"type": "text"}}).json() == {"success": True}
    assert meta.world.received[wamid].read
    refused(meta.send(body | {"message_id": "wamid.foreign"}), 131009)
    refused(meta.send(body | {"status": "unread"}), 100)
    refused(meta.send(body | {"typing_indicator": {"type": "song"}}), 100)
    refused(meta.send({"messaging_product": "whatsapp", "status": "read"}), 131008)


#: what needs nothing in the sandbox beforehand: no media, no template, no message to quote
WITHOUT_MORE = {name for name in sends() if not any(word in name for word in ("_by_id", "_as_answer"))}
WITHOUT_MORE -= {name for name in WITHOUT_MORE if name.startswith(("template_with", "read_", "reaction"))}


@pytest.mark.parametrize("name", sorted(WITHOUT_MORE))
def test_it_takes_what_metas_examples_look_like(meta, name):
    body = sends()[name]
    answer = meta.send(body | {"to": meta.customer()})
    assert answer.status_code == 200, (name, answer.text)
