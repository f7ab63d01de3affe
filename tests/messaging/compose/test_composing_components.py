"""Values and an approved template become exactly the components that Meta's reference asks for."""

from __future__ import annotations

import pytest

from messaging.compose.approved import read
from messaging.compose.drafts import ButtonValue, FilledTemplate
from messaging.compose.template import fill, fill_unknown


def header(text="", kind="TEXT", **example):
    made = {"type": "HEADER", "format": kind}
    return made | ({"text": text} if text else {}) | ({"example": example} if example else {})


def body(text):
    return {"type": "BODY", "text": text}


def buttons(*listed):
    return {"type": "BUTTONS", "buttons": list(listed)}


def text(value, name=""):
    return {"type": "text", **({"parameter_name": name} if name else {}), "text": value}


def part(kind, *parameters):
    return {"type": kind, "parameters": list(parameters)}


def button(index, sub_type, parameter):
    return {"type": "button", "sub_type": sub_type, "index": str(index), "parameters": [parameter]}


def action(index, sub_type, given):
    return button(index, sub_type, {"type": "action", "action": given})


CODE_URL = "https://www.whatsapp.com/otp/code/?otp_type={}&code=otp{{{{1}}}}"
STATIC = [
    {"type": "PHONE_NUMBER", "text": "Call", "phone_number": "+15550051310"},
    {"type": "VOICE_CALL", "text": "Call us"},
    {"type": "URL", "text": "Shop", "url": "https://ex.com/shop"},
    {"type": "REQUEST_CONTACT_INFO"},
]
DYNAMIC_URL = {"type": "URL", "text": "Shop", "url": "https://ex.com/shop?promo={{1}}"}
QUICK = {"type": "QUICK_REPLY", "text": "Unsubscribe"}
COUPON = {"type": "COPY_CODE", "text": "Copy offer code", "example": ["250FF"]}
FLOW = {"type": "FLOW", "text": "Sign up", "flow_id": "1234567890", "flow_action": "NAVIGATE"}
FLOW_ACTION = {"flow_token": "tok_3f4a91", "flow_action_data": {"branch_id": "cairo-downtown"}}
SECTIONS = [{"title": "Popular", "product_items": [{"product_retailer_id": "2lc20305pt"}]}]
MPM_ACTION = {"thumbnail_product_retailer_id": "2lc20305pt", "sections": SECTIONS}
ORDER = {"order_details": {"reference_id": "r1", "currency": "BRL", "type": "digital-goods"}}
PRODUCT = {"product_retailer_id": "nqryix03ez", "catalog_id": "194836987003835"}
PLACE = {
    "latitude": "37.44211676562361",
    "longitude": "-122.16155960083124",
    "name": "Philz Coffee",
    "address": "101 Forest Ave",
}
CARD = {
    "card_index": 0,
    "components": [part("header", {"type": "image", "image": {"id": "1558081531584829"}})],
}
SAMPLE = {"id": "2871834006348767"}
LINK = "https://cdn.example.com/shipments/A12345.jpg"

KINDS = {
    "no variables": ([header("Hello World"), body("Welcome!"), {"type": "FOOTER", "text": "Bye"}], {}, None),
    "values that no placeholder wants": (
        [body("Welcome!"), buttons(*STATIC)],
        {
            "parameters": {"1": "Sara", "name": "Sara"},
            "header_parameters": {"x": "y"},
            "header_media_url": LINK,
            "buttons": (ButtonValue(2, url_suffix="ignored"),),
        },
        None,
    ),
    "6.1 header text, positional": (
        [header("Our {{1}} is on!"), body("Come in")],
        {"header_parameters": {"1": "Summer Sale"}},
        [part("header", text("Summer Sale"))],
    ),
    "6.1 header text, named": (
        [header("Our new sale starts {{sale_start_date}}!"), body("Come in")],
        {"header_parameters": {"sale_start_date": "December 1st"}},
        [part("header", text("December 1st", "sale_start_date"))],
    ),
    "6.1 header and body are numbered apart": (
        [header("Our {{1}} is on!"), body("Dear {{1}}, come in")],
        {"header_parameters": {"1": "Sale"}, "parameters": {"1": "Sara"}},
        [part("header", text("Sale")), part("body", text("Sara"))],
    ),
    "6.2 header image by address": (
        [header(kind="IMAGE", header_handle=["https://scontent.whatsapp.net/x"]), body("Look")],
        {"header_media_url": LINK},
        [part("header", {"type": "image", "image": {"link": LINK}})],
    ),
    "6.2 header image as approved": (
        [header(kind="IMAGE", header_handle=["https://scontent.whatsapp.net/x"]), body("Look")],
        {},
        [part("header", {"type": "image", "image": SAMPLE})],
    ),
    "6.2 header video": (
        [header(kind="VIDEO"), body("Look")],
        {"header_media_url": "https://cdn.example.com/v.mp4"},
        [part("header", {"type": "video", "video": {"link": "https://cdn.example.com/v.mp4"}})],
    ),
    "6.2 header document, with its name": (
        [header(kind="DOCUMENT"), body("Look")],
        {"header_media_url": "https://cdn.example.com/a%20b.pdf?sig=1"},
        [
            part(
                "header",
                {
                    "type": "document",
                    "document": {
                        "link": "https://cdn.example.com/a%20b.pdf?sig=1",
                        "filename": "a b.pdf",
                    },
                },
            )
        ],
    ),
    "6.3 location header": (
        [header(kind="LOCATION"), body("Here")],
        {"header_parameters": PLACE},
        [part("header", {"type": "location", "location": PLACE})],
    ),
    "6.4 body, positional, more than nine": (
        [body("Of " + " ".join(f"{{{{{n}}}}} and" for n in range(1, 12)) + " more")],
        {"parameters": {str(n): f"v{n}" for n in range(11, 0, -1)}},
        [part("body", *(text(f"v{n}") for n in range(1, 12)))],
    ),
    "6.5 body, named, one name twice": (
        [body("Thank you, {{first_name}}! {{first_name}}, your order is {{order_number}}.")],
        {"parameters": {"order_number": "860198-230332", "first_name": "Pablo", "surplus": "x"}},
        [part("body", text("Pablo", "first_name"), text("860198-230332", "order_number"))],
    ),
    "6.7 link with a variable end": (
        [body("Shop"), buttons(DYNAMIC_URL)],
        {"buttons": (ButtonValue(0, url_suffix="summer2023"),)},
        [button(0, "url", text("summer2023"))],
    ),
    "6.7 a link in a named template stays positional": (
        [body("Dear {{name}}, shop"), buttons(DYNAMIC_URL)],
        {"parameters": {"name": "Sara"}, "buttons": (ButtonValue(0, url_suffix="s"),)},
        [part("body", text("Sara", "name")), button(0, "url", text("s"))],
    ),
    "6.7 static buttons keep their index": (
        [body("Shop"), buttons(*STATIC, DYNAMIC_URL, QUICK)],
        {"buttons": (ButtonValue(5, quick_reply_payload="UNSUB"), ButtonValue(4, url_suffix="s"))},
        [
            button(4, "url", text("s")),
            button(5, "quick_reply", {"type": "payload", "payload": "UNSUB"}),
        ],
    ),
    "6.7 coupon": (
        [body("Save"), buttons(QUICK, COUPON)],
        {"buttons": (ButtonValue(0, quick_reply_payload="U"), ButtonValue(1, coupon_code="25OFF"))},
        [
            button(0, "quick_reply", {"type": "payload", "payload": "U"}),
            button(1, "copy_code", {"type": "coupon_code", "coupon_code": "25OFF"}),
        ],
    ),
    "6.7 a coupon too long for Meta is Meta's to refuse": (
        [body("Save"), buttons(COUPON)],
        {"buttons": (ButtonValue(0, coupon_code="X" * 40),)},
        [button(0, "copy_code", {"type": "coupon_code", "coupon_code": "X" * 40})],
    ),
    "6.7 flow": (
        [body("Join"), buttons(FLOW)],
        {"buttons": (ButtonValue(0, action=FLOW_ACTION),)},
        [action(0, "flow", FLOW_ACTION)],
    ),
    "6.7 catalog": (
        [body("See"), buttons({"type": "CATALOG", "text": "View catalog"})],
        {"buttons": (ButtonValue(0, action={"thumbnail_product_retailer_id": "2lc20305pt"}),)},
        [action(0, "catalog", {"thumbnail_product_retailer_id": "2lc20305pt"})],
    ),
    "6.7 several products": (
        [body("See"), buttons({"type": "MPM", "text": "View items"})],
        {"buttons": (ButtonValue(0, action=MPM_ACTION),)},
        [action(0, "mpm", MPM_ACTION)],
    ),
    "6.7 one product, in the header": (
        [header(kind="PRODUCT"), body("See"), buttons({"type": "SPM", "text": "View"})],
        {"header_parameters": PRODUCT},
        [part("header", {"type": "product", "product": PRODUCT})],
    ),
    "6.7 one product, given as the button's action": (
        [header(kind="PRODUCT"), body("See"), buttons({"type": "SPM", "text": "View"})],
        {"buttons": (ButtonValue(0, action=PRODUCT),)},
        [part("header", {"type": "product", "product": PRODUCT})],
    ),
    "6.7 order details": (
        [body("Pay"), buttons({"type": "ORDER_DETAILS", "text": "Copy Pix code"})],
        {"buttons": (ButtonValue(0, action=ORDER),)},
        [action(0, "order_details", ORDER)],
    ),
    "6.8 an OTP button not yet rewritten by Meta": (
        [body("*{{1}}* is your code."), buttons({"type": "OTP", "otp_type": "ONE_TAP"})],
        {"parameters": {"1": "493281"}, "buttons": (ButtonValue(0, otp_code="493281"),)},
        [part("body", text("493281")), button(0, "url", text("493281"))],
    ),
    "6.9 limited-time offer": (
        [
            header(kind="IMAGE"),
            {
                "type": "LIMITED_TIME_OFFER",
                "limited_time_offer": {"text": "Expiring offer!", "has_expiration": True},
            },
            body("Good news, {{1}}!"),
            buttons(COUPON, DYNAMIC_URL),
        ],
        {
            "header_media_url": LINK,
            "parameters": {"1": "Pablo"},
            "limited_time_offer": {"expiration_time_ms": 1764547200000},
            "buttons": (ButtonValue(0, coupon_code="25OFF"), ButtonValue(1, url_suffix="25OFF")),
        },
        [
            part("header", {"type": "image", "image": {"link": LINK}}),
            part("body", text("Pablo")),
            part(
                "limited_time_offer",
                {
                    "type": "limited_time_offer",
                    "limited_time_offer": {"expiration_time_ms": 1764547200000},
                },
            ),
            button(0, "copy_code", {"type": "coupon_code", "coupon_code": "25OFF"}),
            button(1, "url", text("25OFF")),
        ],
    ),
    "6.10 carousel": (
        [body("Rare plants for {{1}}!"), {"type": "CAROUSEL", "cards": [{"components": []}]}],
        {"parameters": {"1": "you"}, "carousel": {"cards": [CARD]}},
        [part("body", text("you")), {"type": "carousel", "cards": [CARD]}],
    ),
    "the wrong member for a button is Meta's to refuse": (
        [body("Save"), buttons(DYNAMIC_URL)],
        {"buttons": (ButtonValue(0, coupon_code="25OFF"),)},
        [button(0, "copy_code", {"type": "coupon_code", "coupon_code": "25OFF"})],
    ),
    "of several members the fitting one counts": (
        [body("Save"), buttons(COUPON)],
        {"buttons": (ButtonValue(0, url_suffix="u", coupon_code="25OFF", otp_code="1"),)},
        [button(0, "copy_code", {"type": "coupon_code", "coupon_code": "25OFF"})],
    ),
}
for tap in ("COPY_CODE", "ONE_TAP", "ZERO_TAP"):
    for member in ("otp_code", "url_suffix"):
        KINDS[f"6.8 one-time password, {tap}, by {member}"] = (
            [
                body("*{{1}}* is your verification code."),
                buttons({"type": "URL", "text": "Copy", "url": CODE_URL.format(tap)}),
            ],
            {"parameters": {"1": "J$FpnYnP"}, "buttons": (ButtonValue(0, **{member: "J$FpnYnP"}),)},
            [part("body", text("J$FpnYnP")), button(0, "url", text("J$FpnYnP"))],
        )


@pytest.mark.parametrize("kind", KINDS)
def test_components_of_every_kind_are_those_of_metas_reference(kind):
    components, values, expected = KINDS[kind]
    made = fill(FilledTemplate("name", "en", **values), read(components), SAMPLE)
    assert made.components == expected


def test_the_text_that_people_read_is_the_filled_body():
    made = fill(
        FilledTemplate("name", "en", {"1": "Sara", "2": "{{1}}"}), read([body("Hi {{1}}, code {{ 2 }}.")])
    )
    assert made.text == "Hi Sara, code {{1}}."


UNKNOWN = {
    "positional": (
        {"parameters": {"10": "j", "2": "b"}},
        [part("body", text("b"), text("j"))],
    ),
    "named, with everything": (
        {
            "parameters": {"name": "Sara"},
            "header_media_url": "https://cdn.example.com/v.mp4?x=1",
            "buttons": (ButtonValue(1, action=FLOW_ACTION), ButtonValue(0, otp_code="1")),
        },
        [
            part("header", {"type": "video", "video": {"link": "https://cdn.example.com/v.mp4?x=1"}}),
            part("body", text("Sara", "name")),
            button(0, "url", text("1")),
            action(1, "flow", FLOW_ACTION),
        ],
    ),
    "header text": (
        {"header_parameters": {"1": "Sale"}, "buttons": (ButtonValue(3, action=MPM_ACTION),)},
        [part("header", text("Sale")), action(3, "mpm", MPM_ACTION)],
    ),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_template_that_is_not_known_is_filled_by_the_looks_of_its_values(case):
    values, expected = UNKNOWN[case]
    assert fill_unknown(FilledTemplate("name", "en", **values)).components == expected


@pytest.mark.parametrize(
    "components",
    [None, "x", [None, 3, {"type": 5}], [{"type": "BUTTONS", "buttons": "x"}], [{"type": "BODY", "text": 3}]],
)
def test_components_that_no_version_of_meta_would_give_are_read_as_empty(components):
    assert fill(FilledTemplate("name", "en"), read(components)).components is None
