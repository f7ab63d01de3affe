"""Values that do not fit the approved template are refused, by the page's code and with the field's path."""

from __future__ import annotations

import pytest

from core.errors import Invalid, Refusal
from messaging.compose.approved import read
from messaging.compose.drafts import ButtonValue, FilledTemplate
from messaging.compose.template import fill, fill_unknown
from tests.messaging.compose.test_composing_components import (
    COUPON,
    DYNAMIC_URL,
    FLOW,
    QUICK,
    STATIC,
    body,
    buttons,
    header,
)

MISSING = "template_button_value_missing"
MISMATCH = "template_header_kind_mismatch"
BAD_URL = "template_header_media_url_invalid"
HEADER = "template_header_variable_missing"
INVALID = "invalid_request"
CODE = {"type": "URL", "text": "Copy", "url": "https://www.whatsapp.com/otp/code/?code=otp{{1}}"}
OFFER = {"type": "LIMITED_TIME_OFFER", "limited_time_offer": {"text": "Now", "has_expiration": True}}
CAROUSEL = {"type": "CAROUSEL", "cards": [{"components": []}]}

CASES = {
    "link without a value": ([buttons(DYNAMIC_URL)], {}, MISSING, "buttons[0].url_suffix"),
    "one-time password": ([buttons(CODE)], {}, MISSING, "buttons[0].otp_code"),
    "quick reply": ([buttons(*STATIC, QUICK)], {}, MISSING, "buttons[4].quick_reply_payload"),
    "coupon": ([buttons(COUPON)], {}, MISSING, "buttons[0].coupon_code"),
    "flow": ([buttons(FLOW)], {}, MISSING, "buttons[0].action"),
    "several products": ([buttons({"type": "MPM"})], {}, MISSING, "buttons[0].action"),
    "catalog": ([buttons({"type": "CATALOG"})], {}, MISSING, "buttons[0].action"),
    "order": ([buttons({"type": "ORDER_DETAILS"})], {}, MISSING, "buttons[0].action"),
    "an entry without its member, named by its place": (
        [buttons(QUICK, DYNAMIC_URL)],
        {"buttons": (ButtonValue(1), ButtonValue(0, quick_reply_payload="x"))},
        MISSING,
        "buttons[0].url_suffix",
    ),
    "index too high": (
        [buttons(QUICK)],
        {"buttons": (ButtonValue(0, quick_reply_payload="x"), ButtonValue(1, url_suffix="x"))},
        INVALID,
        "buttons[1].index",
    ),
    "index below zero": ([buttons(QUICK)], {"buttons": (ButtonValue(-1),)}, INVALID, "buttons[0].index"),
    "index twice": (
        [buttons(QUICK)],
        {"buttons": (ButtonValue(0, quick_reply_payload="x"),) * 2},
        INVALID,
        "buttons[1].index",
    ),
    "line break in a link": (
        [buttons(DYNAMIC_URL)],
        {"buttons": (ButtonValue(0, url_suffix="a\nb"),)},
        INVALID,
        "buttons[0].url_suffix",
    ),
    "header variable": ([header("On {{day}}")], {}, HEADER, "header_parameters.day"),
    "header variable by the wrong name": (
        [header("On {{1}}")],
        {"header_parameters": {"day": "Monday"}},
        HEADER,
        "header_parameters.1",
    ),
    "place without its address": (
        [header(kind="LOCATION")],
        {"header_parameters": {"latitude": "1", "longitude": "2", "name": "x"}},
        HEADER,
        "header_parameters.address",
    ),
    "product": ([header(kind="PRODUCT")], {}, HEADER, "header_parameters.product_retailer_id"),
    "two header variables": (
        [header("On {{1}} at {{2}}")],
        {"header_parameters": {"1": "a", "2": "b"}},
        "template_header_too_many_parameters",
        "header_parameters",
    ),
    "file for a text header": (
        [header("Hi")],
        {"header_media_url": "https://example.com/a.png"},
        MISMATCH,
        "header_media_url",
    ),
    "text for a media header": (
        [header(kind="IMAGE")],
        {"header_parameters": {"1": "x"}, "header_media_url": "https://example.com/a.png"},
        MISMATCH,
        "header_parameters",
    ),
    "media header with neither file nor sample": ([header(kind="VIDEO")], {}, INVALID, "header_media_url"),
    "template that mixes": ([body("Hi {{1}} and {{name}}")], {}, "mixed_parameter_format", "name"),
    "header and body that mix": (
        [header("On {{day}}"), body("Hi {{1}}")],
        {},
        "mixed_parameter_format",
        "name",
    ),
    "values that mix": (
        [body("Hi {{1}}")],
        {"parameters": {"1": "x", "name": "y"}},
        "mixed_parameter_format",
        "parameters",
    ),
    "body value missing": ([body("Hi {{1}}")], {}, INVALID, "parameters.1"),
    "offer without its end": ([OFFER], {}, INVALID, "limited_time_offer"),
    "carousel without cards": (
        [{"type": "CAROUSEL", "cards": [{"components": []}]}],
        {},
        INVALID,
        "carousel.cards",
    ),
}
for label, value in {
    "line break": "a\nb",
    "carriage return": "a\rb",
    "tab": "a\tb",
    "five spaces": "a     b",
    "empty": "",
    "blank": "  ",
}.items():
    CASES[f"{label} in the body"] = (
        [body("Hi {{n}}")],
        {"parameters": {"n": value}},
        INVALID,
        "parameters.n",
    )
    CASES[f"{label} in the header"] = (
        [header("Hi {{n}}")],
        {"header_parameters": {"n": value}},
        INVALID,
        "header_parameters.n",
    )
for url in (
    "http://example.com/a.png",
    "ftp://example.com/a.png",
    "/a.png",
    "",
    "https:///a.png",
    "https://localhost/a.png",
    "https://10.0.0.1/a.png",
    "https://127.1/a.png",
    "https://2130706433/a.png",
    "https://[::1]/a.png",
    "https://[bad/a.png",
    "https://files.internal/a.png",
    "https://user:pw@example.com/a.png",
    "https://example.com/a b.png",
    "https://example.com\\@evil.example/",
    "https://example.com/" + "a" * 3000,
):
    CASES[f"address {url[:40]!r}"] = (
        [header(kind="IMAGE")],
        {"header_media_url": url},
        BAD_URL,
        "header_media_url",
    )


def told(refusal: Refusal) -> tuple[str, str]:
    where = refusal.fields[0].field if isinstance(refusal, Invalid) else refusal.extra["param"]
    return refusal.code, where


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_fit_is_refused_with_code_and_path(case):
    components, values, code, param = CASES[case]
    with pytest.raises(Refusal) as caught:
        fill(FilledTemplate("name", "en", **values), read(components))
    assert told(caught.value) == (code, f"template.{param}")
    assert caught.value.message


def test_four_spaces_in_a_row_are_still_allowed():
    assert fill(FilledTemplate("n", "en", {"1": "a    b"}), read([body("Hi {{1}}")])).components


@pytest.mark.parametrize(
    ("values", "code", "param"),
    [
        ({"parameters": {"1": "x", "name": "y"}}, "mixed_parameter_format", "parameters"),
        ({"parameters": {"1": "a\nb"}}, INVALID, "parameters.1"),
        ({"header_media_url": "http://example.com"}, BAD_URL, "header_media_url"),
        ({"buttons": (ButtonValue(0), ButtonValue(0))}, INVALID, "buttons[1].index"),
    ],
)
def test_what_no_template_could_take_is_refused_even_when_the_template_is_not_known(values, code, param):
    with pytest.raises(Refusal) as caught:
        fill_unknown(FilledTemplate("name", "en", **values))
    assert told(caught.value) == (code, f"template.{param}")
