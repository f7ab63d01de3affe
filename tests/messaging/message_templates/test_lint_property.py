"""Whatever is thrown at them: filling and linting never break, and what the linter lets pass, Meta takes.

Meta is the sandbox's own check of a send here, which was written apart from ours.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Refusal
from devstack.meta import seed, template_checks
from devstack.meta.errors import GraphError
from devstack.meta.world import World
from messaging.compose.approved import read
from messaging.compose.drafts import ButtonValue, FilledTemplate
from messaging.compose.template import fill, fill_unknown
from messaging.message_templates import lint
from messaging.message_templates.previews import example_values, preview
from messaging.meta.payloads import build

WORLD = World.default()
NUMBER = WORLD.numbers[seed.number(0).phone_number_id]
TEMPLATES = [
    one
    for one in WORLD.wabas[NUMBER.waba_id].templates.values()
    if one.status == "APPROVED" and one.name != "plant_carousel"  # its cards are passed on unread
]

PLACE = {"latitude": "1.5", "longitude": "2.5", "name": "Café", "address": "1 Road"}
PRODUCT = {"product_retailer_id": "nq", "catalog_id": "194836987003835"}
ACTIONS: dict[str, dict[str, Any]] = {
    "FLOW": {"flow_token": "t"},
    "CATALOG": {"thumbnail_product_retailer_id": "2lc"},
    "MPM": {"sections": [{"title": "A", "product_items": []}]},
    "SPM": PRODUCT,
    "ORDER_DETAILS": {"order_details": {"reference_id": "r"}},
}
MEMBERS = ["url_suffix", "otp_code", "quick_reply_payload", "coupon_code"]
good = st.sampled_from(["Sara", "493281", "25OFF", "é", "{{1}}", "a  b"])
odd = st.sampled_from(
    ["a\nb", "a     b", "", " ", "x" * 16, "x" * 21, "x" * 61, "x" * 260, "x" * 1100, "x" * 2001]
)
texts = good | odd | st.text(max_size=20)


@st.composite
def values_for(draw: Any, template: Any) -> FilledTemplate:
    """Draw values that mostly fit a template, with an oddity here and there."""
    parts = read(template.components, template.parameter_format)
    text = st.one_of(good, good, good, good, texts)
    buttons = []
    for index, button in enumerate(parts.buttons):
        if draw(st.integers(0, 9)):
            action = ACTIONS.get(button.kind) if draw(st.integers(0, 9)) else PRODUCT
            member = {"QUICK_REPLY": 2, "COPY_CODE": 3}.get(button.kind, int(button.is_code))
            name = MEMBERS[member] if draw(st.integers(0, 9)) else draw(st.sampled_from(MEMBERS))
            buttons.append(ButtonValue(index, action=action, **{name: draw(text)}))
    header = {name: draw(text) for name in parts.header_names}
    header |= {"LOCATION": PLACE, "PRODUCT": PRODUCT}.get(parts.header_format, {})
    return FilledTemplate(
        "n",
        "en",
        parameters={name: draw(text) for name in parts.body_names if draw(st.integers(0, 19))},
        header_parameters=header,
        header_media_url=draw(st.sampled_from([None, None, "https://cdn.example.com/a.pdf", "http://x"])),
        buttons=tuple(buttons),
        limited_time_offer=draw(st.sampled_from([{"expiration_time_ms": 1795200000000}, None])),
    )


leaves = st.sampled_from([None, 3, True, [], {}, [None], "", "{{1}}", "{{1}} {{name}}", "https://x/{{1}}"])
words = st.sampled_from(
    ["HEADER", "BODY", "BUTTONS", "CAROUSEL", "LIMITED_TIME_OFFER", "TEXT", "IMAGE", "LOCATION", "URL", "SPM"]
)
junk = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.fixed_dictionaries(
            {"type": words | leaves},
            optional=dict.fromkeys(
                (
                    "format",
                    "text",
                    "buttons",
                    "cards",
                    "components",
                    "url",
                    "example",
                    "header_handle",
                    "body_text",
                ),
                inner | words,
            ),
        )
    ),
    max_leaves=12,
)
anything = st.builds(
    FilledTemplate,
    name=st.just("n"),
    language=st.just("en"),
    parameters=st.dictionaries(st.sampled_from(["1", "name"]), texts),
    header_parameters=st.dictionaries(st.sampled_from(["1", "name"]), texts),
    header_media_url=st.sampled_from([None, "https://[x", "https://e.com/a.pdf"]),
    buttons=st.lists(
        st.builds(
            ButtonValue,
            index=st.integers(-1, 2),
            url_suffix=st.none() | texts,
            action=st.none() | st.just({}),
        ),
        max_size=3,
    ).map(tuple),
    carousel=st.sampled_from(
        [None, {}, {"cards": [{}]}, {"cards": [None, {"components": [{"type": "body"}]}]}]
    ),
)
QUICK = settings(max_examples=300, deadline=None, database=None, derandomize=True)


def reach_meta(what: FilledTemplate, template: Any) -> None:
    """Fill a template and let the sandbox check what would be sent; GraphError if Meta refused it."""
    sample = {"link": "https://scontent.whatsapp.net/sample"}
    made = fill(what, read(template.components, template.parameter_format), sample)
    part = {"name": template.name, "language": template.language, "components": made.components}
    body = build(to="14155550100", content={"type": "template", "template": part}, ref="hm:x")
    template_checks.check(WORLD, NUMBER, body["template"], by_user_id=False)


@QUICK
@given(data=st.data(), template=st.sampled_from(TEMPLATES))
def test_what_the_linter_lets_pass_meta_takes(data, template):
    what = data.draw(values_for(template))
    parts = read(template.components, template.parameter_format)
    is_authentication = template.category == "AUTHENTICATION"
    (row,) = lint.lint_rows(parts, [what], is_authentication=is_authentication)
    if row.is_valid:
        reach_meta(what, template)


def test_the_property_is_not_empty():
    passed = 0
    for template in TEMPLATES:
        parts = read(template.components, template.parameter_format)
        examples = example_values(template.components)
        header = {"LOCATION": PLACE, "PRODUCT": PRODUCT}.get(parts.header_format, examples.header_parameters)
        action = {"flow_token": "t", "sections": [{}], "order_details": {}} | PRODUCT
        what = FilledTemplate(
            "n",
            "en",
            examples.parameters,
            header,
            buttons=tuple(
                ButtonValue(index, "a", None, "b", "c", action) for index in range(len(parts.buttons))
            ),
            limited_time_offer={"expiration_time_ms": 1},
        )
        assert not [one for one in lint.findings(parts, what) if one.is_error], template.name
        reach_meta(what, template)
        passed += 1
    assert passed == len(TEMPLATES) > 20


@pytest.mark.parametrize(
    "name", ["order_ready", "login_code", "summer_sale", "limited_offer", "meeting_point"]
)
def test_what_is_missing_is_found_by_both(name):
    template = next(one for one in TEMPLATES if one.name == name)
    parts = read(template.components, template.parameter_format)
    bare = FilledTemplate("n", "en")
    assert any(one.is_error for one in lint.findings(parts, bare))
    with pytest.raises(Refusal):
        fill(bare, parts)
    with pytest.raises(GraphError):
        part = {"name": template.name, "language": {"code": template.language}, "components": []}
        template_checks.check(WORLD, NUMBER, part, by_user_id=False)


@QUICK
@given(components=st.lists(junk, max_size=4) | junk, what=anything)
def test_no_components_and_no_values_break_them(components, what):
    parts = read(components)
    preview(parts, what).as_dict()
    example_values(components)
    list(lint.findings(parts, what, is_authentication=True))
    for attempt in (lambda: fill(what, parts), lambda: fill_unknown(what)):
        try:
            attempt()
        except Refusal as refusal:
            assert refusal.message
