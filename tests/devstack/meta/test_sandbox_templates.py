"""The sandbox checks template sends against the stored template, and keeps templates as Meta does."""

import pytest
import requests

from devstack.meta import seed
from tests.support.waiting import eventually


def _texts(*values, **named):
    if named:
        return [{"type": "text", "parameter_name": name, "text": value} for name, value in named.items()]
    return [{"type": "text", "text": value} for value in values]


def _body(*values, **named):
    return {"type": "body", "parameters": _texts(*values, **named)}


def _header(kind, **value):
    return {"type": "header", "parameters": [{"type": kind, kind: value}]}


def _button(sub_type, index, **parameter):
    return {
        "type": "button",
        "sub_type": sub_type,
        "index": index,
        "parameters": [parameter] if parameter else [],
    }


_URL = _button("url", "1", type="text", text="summer")
_CODE = _button("copy_code", 2, type="coupon_code", coupon_code="25OFF")
_SALE = [
    {"type": "header", "parameters": _texts("Summer Sale")},
    _body("August", "25OFF", "25%"),
    _URL,
    _CODE,
]
_LINK = "https://example.com/a"
_IMAGE = _header("image", link=f"{_LINK}.jpg")
_OFFER = {
    "type": "limited_time_offer",
    "parameters": [
        {"type": "limited_time_offer", "limited_time_offer": {"expiration_time_ms": 1795200000000}}
    ],
}
_CARD = [
    _IMAGE,
    _body("aloe"),
    _button("quick_reply", 0, type="payload", payload="more"),
    _button("url", 1, type="text", text="aloe"),
]


def _carousel(*cards):
    return {
        "type": "carousel",
        "cards": [{"card_index": i, "components": card} for i, card in enumerate(cards)],
    }


_PLACE = {"latitude": "1.5", "longitude": "2", "name": "Shop", "address": "Main St"}
GOOD = {
    "static": ("hello_world", None),
    "empty components": ("hello_world", []),
    "positional": ("order_ready", [_body("Pablo", "860198")]),
    "currency": (
        "order_ready",
        [
            {
                "type": "BODY",
                "parameters": [{"type": "currency", "currency": {"fallback_value": "$1"}}, *_texts("b")],
            }
        ],
    ),
    "named": ("order_confirmation", [_body(order_number="17", first_name="Pablo")]),
    "otp": ("login_code", [_body("123456"), _button("url", "0", type="text", text="123456")]),
    "marketing": ("summer_sale", _SALE),
    "with quick reply": (
        "summer_sale",
        [*_SALE, _button("QUICK_REPLY", "0", type="payload", payload="stop")],
    ),
    "document": (
        "invoice_document",
        [_header("document", link=f"{_LINK}.pdf", filename="a.pdf"), _body("Pablo")],
    ),
    "image": ("product_photo", [_IMAGE, _body("a vase")]),
    "video": ("video_greeting", [_header("video", link=f"{_LINK}.mp4")]),
    "location": ("meeting_point", [_header("location", **_PLACE), _body("noon")]),
    "flow without component": ("signup_flow", None),
    "flow": ("signup_flow", [_button("flow", "0", type="action", action={"flow_token": "unused"})]),
    "offer": (
        "limited_offer",
        [
            _IMAGE,
            _OFFER,
            _body("Pablo", "25OFF"),
            _button("copy_code", 0, type="coupon_code", coupon_code="25OFF"),
            _button("url", 1, type="text", text="25OFF"),
        ],
    ),
    "carousel": ("plant_carousel", [_body("you"), _carousel(_CARD, _CARD)]),
}


@pytest.mark.parametrize("name", GOOD)
def test_it_accepts_a_template(meta, name):
    template, components = GOOD[name]
    answer = meta.template(meta.customer(), template, components)
    assert meta.wamid(answer)
    assert answer.json()["messages"][0]["message_status"] == "accepted"


BAD = {
    "missing value": ("order_ready", [_body("Pablo")], 132000),
    "value too many": ("hello_world", [_body("x")], 132000),
    "no components": ("order_ready", None, 132000),
    "header value for static header": (
        "hello_world",
        [{"type": "header", "parameters": _texts("x")}],
        132000,
    ),
    "name in positional": ("order_ready", [_body(a="1", b="2")], 132012),
    "no name in named": ("order_confirmation", [_body("1", "2")], 132012),
    "wrong name": ("order_confirmation", [_body(first_name="1", number="2")], 132012),
    "image for text": (
        "order_ready",
        [{"type": "body", "parameters": [{"type": "image"}, *_texts("b")]}],
        132012,
    ),
    "newline": ("order_ready", [_body("a\nb", "c")], 132018),
    "tab": ("order_ready", [_body("a\tb", "c")], 132018),
    "five spaces": ("order_ready", [_body("a     b", "c")], 132018),
    "empty value": ("order_ready", [_body("", "c")], 131008),
    "value not text": ("order_ready", [_body(5, "c")], 100),
    "too long": ("order_ready", [_body("x" * 1020, "c")], 132005),
    "long header": ("summer_sale", [{"type": "header", "parameters": _texts("x" * 60)}, *_SALE[1:]], 132005),
    "no media header": ("invoice_document", [_body("Pablo")], 132012),
    "image for document": ("invoice_document", [_IMAGE, _body("Pablo")], 132012),
    "unknown media id": ("product_photo", [_header("image", id="1"), _body("x")], 100),
    "image for text header": ("summer_sale", [_IMAGE, *_SALE[1:]], 132012),
    "no location": ("meeting_point", [_body("noon")], 132012),
    "location without address": (
        "meeting_point",
        [_header("location", latitude=1, longitude=2), _body("x")],
        131008,
    ),
    "no url value": ("summer_sale", [*_SALE[:2], _CODE], 131008),
    "no coupon": ("summer_sale", _SALE[:3], 131008),
    "coupon too long": (
        "summer_sale",
        [*_SALE[:3], _button("copy_code", 2, type="coupon_code", coupon_code="x" * 21)],
        132018,
    ),
    "button that is none": ("summer_sale", [*_SALE, _button("url", 7, type="text", text="x")], 132018),
    "button without index": ("summer_sale", [*_SALE, {"type": "button", "sub_type": "url"}], 131008),
    "wrong sub_type": (
        "summer_sale",
        [*_SALE[:2], _CODE, _button("quick_reply", 1, type="payload", payload="x")],
        132018,
    ),
    "otp as copy_code": (
        "login_code",
        [_body("123456"), _button("copy_code", 0, type="coupon_code", coupon_code="123456")],
        132018,
    ),
    "otp without button": ("login_code", [_body("123456")], 131008),
    "long code": ("login_code", [_body("1" * 16), _button("url", 0, type="text", text="1" * 16)], 132018),
    "unknown component": ("hello_world", [{"type": "tail"}], 100),
    "components not list": ("hello_world", {"type": "body"}, 100),
    "no expiration": (GOOD["offer"][0], [part for part in GOOD["offer"][1] if part is not _OFFER], 131008),
    "one card too few": ("plant_carousel", [_body("you"), _carousel(_CARD)], 132012),
    "card without media": ("plant_carousel", [_body("you"), _carousel(_CARD, _CARD[1:])], 132012),
    "unknown template": ("nothing_here", None, 132001),
    "pending": ("pending_notice", [_body("x")], 132001),
    "rejected": ("rejected_promo", None, 132001),
    "paused": ("paused_offer", None, 132015),
    "disabled": ("disabled_notice", None, 132016),
}


@pytest.mark.parametrize("name", BAD)
def test_it_refuses_a_template_with(meta, refused, name):
    template, components, code = BAD[name]
    refused(meta.template(meta.customer(), template, components), code, 404 if code == 132001 else 400)


def test_it_refuses_another_language_and_an_incomplete_template(meta, refused):
    refused(meta.template(meta.customer(), language="en"), 132001, 404, "does not exist in en")
    base = {"messaging_product": "whatsapp", "to": meta.customer(), "type": "template"}
    refused(meta.send(base | {"template": {"name": "hello_world"}}), 131008)
    refused(meta.send(base | {"template": {"language": {"code": "en_US"}}}), 131008)
    language = {"code": "en_US", "policy": "fallback"}
    refused(meta.send(base | {"template": {"name": "hello_world", "language": language}}), 100)
    refused(meta.send(base | {"template": "hello_world"}), 100)


def test_it_opens_the_marketing_endpoint_to_marketing_templates_alone(meta, refused):
    path = f"{meta.number.phone_number_id}/marketing_messages"
    part = {"name": "product_photo", "language": {"code": "en_US"}, "components": [_IMAGE, _body("x")]}
    body = {"messaging_product": "whatsapp", "to": meta.customer(), "type": "template", "template": part}
    assert meta.call("POST", path, json=body).status_code == 200
    body["template"] = {"name": "hello_world", "language": {"code": "en_US"}}
    refused(meta.call("POST", path, json=body), 131055)


def test_it_pages_through_templates_with_cursors(meta, refused):
    path = f"{meta.number.waba_id}/message_templates"
    first = meta.call("GET", path, params={"limit": 5, "fields": "name,status"}).json()
    assert set(first["data"][0]) == {"id", "name", "status"}
    assert f"access_token={meta.number.access_token}" in first["paging"]["next"]
    names, page = [], first
    while True:
        names += [row["name"] for row in page["data"]]
        if "next" not in page["paging"]:
            break
        page = requests.get(page["paging"]["next"], timeout=5).json()
    assert len(names) == len(set(names)) == 28
    after = first["paging"]["cursors"]["after"]
    assert meta.call("GET", path, params={"limit": 5, "after": after}).json()["data"][0]["name"] == names[5]
    refused(meta.call("GET", path, params={"after": "nonsense"}), 131059)
    refused(meta.call("GET", path, params={"limit": "many"}), 100)
    approved = meta.call("GET", path, params={"status": "approved", "limit": 100}).json()["data"]
    assert len(approved) == 24
    named = meta.call("GET", path, params={"name": "login_code"}).json()["data"][0]
    assert named["components"][2]["buttons"][0]["type"] == "URL"
    assert (
        meta.call("GET", named["id"], params={"fields": "status,rejected_reason"}).json()["status"]
        == "APPROVED"
    )


def test_it_reviews_a_new_template_and_says_so(meta, refused):
    path = f"{meta.number.waba_id}/message_templates"
    body = {"type": "body", "text": "Dear {{1}}, thank you very much.", "example": {"body_text": [["Ann"]]}}
    made = {"name": "thanks", "language": "en_GB", "category": "utility", "components": [body]}
    answer = meta.call("POST", path, json=made).json()
    assert answer["status"] == "PENDING" and answer["category"] == "UTILITY"
    value = eventually(lambda: meta.receiver.values("message_template_status_update"))[0]
    assert value["event"] == "APPROVED" and value["message_template_id"] == int(answer["id"])
    assert value["message_template_language"] == "en-GB"
    assert meta.template(meta.customer(), "thanks", [_body("Ann")], "en_GB").status_code == 200
    assert refused(meta.call("POST", path, json=made), 100)["error_subcode"] == 2388024
    edited = {"components": [body | {"text": "Thank you, {{1}}, and good bye."}]}
    assert meta.call("POST", answer["id"], json=edited).json()["success"]
    assert refused(meta.call("POST", answer["id"], json=edited), 100)["error_subcode"] == 2388039
    eventually(lambda: len(meta.receiver.values("message_template_status_update")) == 2)
    assert meta.call("DELETE", path, params={"name": "thanks"}).json() == {"success": True}
    refused(meta.template(meta.customer(), "thanks", [_body("Ann")], "en_GB"), 132001, 404)
    eventually(lambda: meta.receiver.values("message_template_status_update")[-1]["event"] == "DELETED")
    refused(meta.call("DELETE", path, params={"name": "thanks"}), 100)
    made["name"] = "bad_rejected"
    meta.call("POST", path, json=made)
    value = eventually(
        lambda: [v for v in meta.receiver.values("message_template_status_update") if "rejection_info" in v]
    )
    assert value[0]["event"] == "REJECTED"


def test_it_writes_authentication_templates_itself(meta):
    components = [
        {"type": "BODY", "add_security_recommendation": True},
        {"type": "FOOTER", "code_expiration_minutes": 5},
        {"type": "BUTTONS", "buttons": [{"type": "OTP", "otp_type": "COPY_CODE", "text": "Copy code"}]},
    ]
    made = {"name": "otp", "language": "en", "category": "AUTHENTICATION", "components": components}
    answer = meta.call("POST", f"{meta.number.waba_id}/message_templates", json=made).json()
    stored = meta.call("GET", answer["id"]).json()["components"]
    assert stored[0]["text"].startswith("*{{1}}* is your verification code.")
    assert stored[1]["text"] == "This code expires in 5 minutes."
    assert stored[2]["buttons"][0]["url"].endswith("&code_expiration_minutes=5&code=otp{{1}}")


_EXAMPLE = {"example": {"body_text": [["a", "b", "c"]]}}
REFUSED_TEMPLATES = {
    "bad name": ({"name": "No Spaces"}, 2388040),
    "bad language": ({"language": "english"}, None),
    "bad category": ({"category": "SPAM"}, None),
    "no components": ({"components": []}, None),
    "no body": ({"components": [{"type": "FOOTER", "text": "x"}]}, 2388072),
    "variable at the end": ({"components": [{"type": "BODY", "text": "Dear {{1}}"} | _EXAMPLE]}, 2388299),
    "gap": ({"components": [{"type": "BODY", "text": "Dear {{2}} and so on."} | _EXAMPLE]}, 2388072),
    "no example": ({"components": [{"type": "BODY", "text": "Dear {{1}} and so on."}]}, 2388072),
    "many variables": (
        {"components": [{"type": "BODY", "text": "a {{1}} {{2}} {{3}} b"} | _EXAMPLE]},
        2388293,
    ),
    "long body": ({"components": [{"type": "BODY", "text": "x" * 1025}]}, 2388040),
    "variable in footer": (
        {"components": [{"type": "BODY", "text": "x"}, {"type": "FOOTER", "text": "a {{1}} b"}]},
        2388073,
    ),
    "long header": (
        {"components": [{"type": "BODY", "text": "x"}, {"type": "HEADER", "text": "x" * 61}]},
        2388047,
    ),
    "three links": (
        {
            "components": [
                {"type": "BODY", "text": "x"},
                {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "a", "url": "https://e.com"}] * 3},
            ]
        },
        None,
    ),
    "no otp": ({"category": "AUTHENTICATION", "components": [{"type": "BODY"}]}, None),
}


@pytest.mark.parametrize("name", REFUSED_TEMPLATES)
def test_it_refuses_to_create_a_template_with(meta, refused, name):
    changes, subcode = REFUSED_TEMPLATES[name]
    made = {
        "name": "fine",
        "language": "en_US",
        "category": "UTILITY",
        "components": [{"type": "BODY", "text": "x"}],
    }
    error = refused(meta.call("POST", f"{meta.number.waba_id}/message_templates", json=made | changes), 100)
    assert error.get("error_subcode") == subcode
    if subcode:
        assert error["error_user_title"] and isinstance(error["error_data"], str)


def test_it_changes_a_template_on_command_and_tells_so(meta, refused):
    rows = meta.control("GET", f"templates?phone_number_id={meta.number.phone_number_id}")["templates"]
    template_id = next(row["id"] for row in rows if row["name"] == "hello_world")
    for status, code in (("PAUSED", 132015), ("DISABLED", 132016)):
        meta.control("PATCH", f"templates/{template_id}", {"status": status})
        refused(meta.template(meta.customer()), code)
    meta.control(
        "PATCH", f"templates/{template_id}", {"status": "APPROVED", "quality": "RED", "category": "MARKETING"}
    )
    events = eventually(
        lambda: len(found := meta.receiver.values("message_template_status_update")) == 3 and found
    )
    assert [value["event"] for value in events] == ["PAUSED", "DISABLED", "APPROVED"]
    assert events[0]["other_info"]["title"] == "FIRST_PAUSE" and events[1]["disable_info"]
    assert (
        eventually(lambda: meta.receiver.values("message_template_quality_update"))[0]["new_quality_score"]
        == "RED"
    )
    assert (
        eventually(lambda: meta.receiver.values("template_category_update"))[0]["new_category"] == "MARKETING"
    )
    meta.control("PATCH", f"templates/{template_id}", {"status": "HAPPY"}, expect=400)
    meta.control("PATCH", "templates/1", {}, expect=404)


def test_it_takes_a_paused_template_back(meta):
    path = f"{meta.number.waba_id}/message_templates"
    paused = meta.call("GET", path, params={"name": "paused_offer"}).json()["data"][0]
    assert meta.call("POST", f"{paused['id']}/unpause").json() == {"success": True}
    assert meta.template(meta.customer(), "paused_offer").status_code == 200


def test_it_shows_a_templates_sample_by_an_address_that_expires(meta, refused):
    path = f"{meta.number.waba_id}/message_templates"
    upload = {"file_length": 8, "file_type": "image/png", "file_name": "a.png"}
    upload_id = meta.call("POST", f"{seed.APP_ID}/uploads", params=upload).json()["id"]
    handle = meta.call("POST", upload_id, data=b"\x89PNGabcd", headers={"file_offset": "0"}).json()["h"]
    header = {"type": "HEADER", "format": "IMAGE", "example": {"header_handle": [handle]}}
    made = {"name": "with_photo", "language": "en", "category": "UTILITY"}
    body = {"type": "BODY", "text": "Look at this."}
    wrong = header | {"example": {"header_handle": ["4::aWnothing:x"]}}
    refused(meta.call("POST", path, json=made | {"components": [wrong, body]}), 100)
    template_id = meta.call("POST", path, json=made | {"components": [header, body]}).json()["id"]
    seeded = meta.call("GET", path, params={"name": "invoice_document"}).json()["data"][0]
    for found, content in (
        (meta.call("GET", template_id).json(), b"\x89PNGabcd"),
        (seeded, b"%PDF"),
    ):
        address = found["components"][0]["example"]["header_handle"][0]
        assert requests.get(address, timeout=5).content.startswith(content)
        assert requests.get(address[:-1] + "_", timeout=5).status_code == 403
    meta.control("POST", "clock", {"advance": 3601})
    assert requests.get(address, timeout=5).status_code == 403
