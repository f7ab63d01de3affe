"""The linter names everything that Meta would refuse, and shows what the customer would see."""

from __future__ import annotations

import pytest

from messaging.compose.approved import read
from messaging.compose.drafts import ButtonValue, FilledTemplate
from messaging.message_templates import lint
from messaging.message_templates.previews import example_values, preview
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

CODE = {"type": "URL", "text": "Copy", "url": "https://www.whatsapp.com/otp/code/?code=otp{{1}}"}


def found(components, *, is_authentication=False, **values):
    what = FilledTemplate("name", "en", **values)
    listed = lint.findings(read(components), what, is_authentication=is_authentication)
    return [(one.severity, one.code, one.param.removeprefix("template."), one.meta_code) for one in listed]


ROWS = {
    "nothing wrong": ([body("Hi {{1}}")], {"parameters": {"1": "Sara"}}, []),
    "a sample stands in for a missing file": ([header(kind="IMAGE"), body("Hi")], {}, []),
    "everything at once": (
        [header("On {{day}}"), body("Hi {{name}}, {{code}}"), buttons(DYNAMIC_URL)],
        {"parameters": {"code": "a\nb"}},
        [
            ("error", "template_header_variable_missing", "header_parameters.day", None),
            ("error", "invalid_request", "parameters.name", None),
            ("error", "invalid_request", "parameters.code", None),
            ("error", "template_button_value_missing", "buttons[0].url_suffix", None),
        ],
    ),
    "text too long": (
        [header("On {{1}}"), body("Hi {{1}}")],
        {"header_parameters": {"1": "x" * 60}, "parameters": {"1": "x" * 1022}},
        [
            ("error", "template_text_too_long", "header_parameters", 132005),
            ("error", "template_text_too_long", "parameters", 132005),
        ],
    ),
    "just short enough": (
        [header("On {{1}}"), body("Hi {{1}}")],
        {"header_parameters": {"1": "x" * 57}, "parameters": {"1": "x" * 1021}},
        [],
    ),
    "unused values": (
        [body("Hi {{customer_name}}")],
        {
            "parameters": {"customer_nam": "x"},
            "header_parameters": {"1": "x"},
            "header_media_url": "https://example.com/a.png",
        },
        [
            ("error", "invalid_request", "parameters.customer_name", None),
            ("warning", "parameter_not_used", "parameters.customer_nam", None),
            ("warning", "parameter_not_used", "header_parameters.1", None),
            ("warning", "parameter_not_used", "header_media_url", None),
        ],
    ),
    "file of another type": (
        [header(kind="DOCUMENT"), body("Hi")],
        {"header_media_url": "https://example.com/a.png?x=1"},
        [("warning", "media_type_mismatch", "header_media_url", 132012)],
    ),
    "member for another button": (
        [body("Hi"), buttons(DYNAMIC_URL)],
        {"buttons": (ButtonValue(0, coupon_code="X"),)},
        [("error", "template_button_kind_mismatch", "buttons[0].coupon_code", 132018)],
    ),
    "value for a static button": (
        [body("Hi"), buttons(*STATIC)],
        {"buttons": (ButtonValue(2, url_suffix="x"),)},
        [("warning", "parameter_not_used", "buttons[0].url_suffix", None)],
    ),
    "an action that is no product": (
        [header(kind="PRODUCT"), body("Hi"), buttons({"type": "SPM", "text": "View"})],
        {
            "header_parameters": {"product_retailer_id": "a", "catalog_id": "1"},
            "buttons": (ButtonValue(0, action={"sections": []}),),
        },
        [("error", "template_button_kind_mismatch", "buttons[0].action", 132018)],
    ),
    "a whole address as suffix": (
        [body("Hi"), buttons(DYNAMIC_URL)],
        {"buttons": (ButtonValue(0, url_suffix="https://ex.com/a"),)},
        [("warning", "url_suffix_is_whole_address", "buttons[0].url_suffix", None)],
    ),
    "too long for their buttons": (
        [body("Hi"), buttons(QUICK, QUICK, COUPON, COUPON, DYNAMIC_URL, FLOW)],
        {
            "buttons": (
                ButtonValue(0, quick_reply_payload="x" * 257),
                ButtonValue(1, quick_reply_payload="x" * 256),
                ButtonValue(2, coupon_code="x" * 21),
                ButtonValue(3, coupon_code="x" * 16),
                ButtonValue(4, url_suffix="x" * 2001),
                ButtonValue(5, action={"flow_token": "t"}),
            )
        },
        [
            ("error", "template_value_too_long", "buttons[0].quick_reply_payload", 132018),
            ("error", "template_value_too_long", "buttons[2].coupon_code", 132018),
            ("warning", "coupon_code_long", "buttons[3].coupon_code", None),
            ("error", "template_value_too_long", "buttons[4].url_suffix", 132018),
        ],
    ),
}


@pytest.mark.parametrize("case", ROWS)
def test_findings_name_what_meta_would_refuse(case):
    components, values, expected = ROWS[case]
    assert found(components, **values) == expected


def test_a_one_time_password_has_at_most_fifteen_characters():
    values = {"parameters": {"1": "1" * 16}, "buttons": (ButtonValue(0, otp_code="1" * 16),)}
    listed = found([body("{{1}} is it"), buttons(CODE)], is_authentication=True, **values)
    assert [param for _, _, param, _ in listed] == ["buttons[0].otp_code", "parameters.1"]


def test_a_misspelled_name_is_met_with_the_right_one():
    what = FilledTemplate("n", "en", {"custmer_name": "x"})
    told = list(lint.findings(read([body("Hi {{customer_name}}")]), what))
    assert "Did you mean customer_name?" in told[-1].message


@pytest.mark.parametrize(
    ("status", "meta_code"),
    [("PENDING", 132001), ("REJECTED", 132001), ("PAUSED", 132015), ("DISABLED", 132016), ("LOCKED", 132001)],
)
def test_a_template_that_is_not_approved_is_an_error_by_itself(status, meta_code):
    (one,) = lint.state_findings(status, "SCAM")
    assert one.is_error and one.meta_code == meta_code and "(SCAM)" in one.message


def test_a_coming_change_of_category_is_a_warning():
    (one,) = lint.state_findings("APPROVED", correct_category="MARKETING")
    assert not one.is_error and "MARKETING" in one.message


def test_the_other_languages_of_a_template_are_named():
    assert "It exists in ar, en_US." in lint.not_found("a", "en", ["ar", "en_US"]).message


def test_a_preview_shows_every_part_filled_in():
    components = [
        header("On {{1}}"),
        body("Hi {{1}}, {{2}}"),
        {"type": "FOOTER", "text": "Bye"},
        buttons(DYNAMIC_URL, QUICK, COUPON, CODE, STATIC[0], STATIC[2]),
    ]
    values = FilledTemplate(
        "n",
        "en",
        parameters={"1": "Sara"},
        header_parameters={"1": "Monday"},
        buttons=(
            ButtonValue(0, url_suffix="may"),
            ButtonValue(1, quick_reply_payload="STOP"),
            ButtonValue(2, coupon_code="25OFF"),
            ButtonValue(3, otp_code="123456"),
        ),
    )
    shown = preview(read(components), values).as_dict()
    assert shown["header"] == {"format": "TEXT", "text": "On Monday"}
    assert (shown["body"], shown["footer"]) == ("Hi Sara, {{2}}", "Bye")
    assert [(one["type"], one["value"]) for one in shown["buttons"]] == [
        ("URL", "https://ex.com/shop?promo=may"),
        ("QUICK_REPLY", "STOP"),
        ("COPY_CODE", "25OFF"),
        ("OTP", "123456"),
        ("PHONE_NUMBER", "+15550051310"),
        ("URL", "https://ex.com/shop"),
    ]


def test_a_preview_shows_files_places_and_cards():
    shown = preview(
        read([header(kind="IMAGE")]), FilledTemplate("n", "en", header_media_url="https://e.com/a")
    )
    assert shown.as_dict() == {"header": {"format": "IMAGE", "media_url": "https://e.com/a"}}
    place = {"name": "Café", "address": "1 Road", "latitude": "1", "longitude": "2"}
    shown = preview(read([header(kind="LOCATION")]), FilledTemplate("n", "en", header_parameters=place))
    assert shown.header == "Café, 1 Road"
    card = {"components": [body("The {{1}} grows.")]}
    given = {"components": [{"type": "body", "parameters": [{"type": "text", "text": "aloe"}]}]}
    carousel = [body("Plants"), {"type": "CAROUSEL", "cards": [card, card]}]
    shown = preview(read(carousel), FilledTemplate("n", "en", carousel={"cards": [given]}))
    assert [one.body for one in shown.cards] == ["The aloe grows.", "The {{1}} grows."]


def test_the_examples_that_a_template_was_handed_in_with_fill_it():
    named = [{"param_name": "first_name", "example": "Pablo"}]
    components = [
        header("On {{1}}", header_text=["Monday"]),
        body("Hi {{first_name}}") | {"example": {"body_text_named_params": named}},
    ]
    values = example_values(components)
    assert (values.parameters, values.header_parameters) == ({"first_name": "Pablo"}, {"1": "Monday"})
    positional = example_values([body("Hi {{1}}, {{2}}") | {"example": {"body_text": [["a", "b"]]}}])
    assert positional.parameters == {"1": "a", "2": "b"}
