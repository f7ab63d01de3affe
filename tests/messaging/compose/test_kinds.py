"""Every kind of message is read into Meta's own shape, and taken up to Meta's limits."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from core.http.fields import Fields
from devstack.meta import interactive as sandbox_interactive
from messaging.compose import interactive
from messaging.compose.kinds import KINDS, read_kind, read_reply_to
from messaging.meta.payloads import build, encode
from tests.support.examples import sends
from tests.support.kinds import (
    COUPLE,
    GOOD,
    LINK,
    TO,
    WAMID,
    accepted,
    buttons,
    card,
    cta,
    listing,
    read,
    refused,
    rows,
    where,
)

# --- good requests ---


@pytest.mark.parametrize("name", GOOD)
def test_it_reads_what_meta_documents(name):
    kind, value, body = GOOD[name]
    before = copy.deepcopy(value)
    native = accepted(kind, value)
    assert native.part == before
    assert native.body == body
    assert value == before


@pytest.mark.parametrize(
    "name",
    [
        # What is passed on unchecked is between the sender and Meta.
        name
        for name, (kind, value, _) in GOOD.items()
        if kind == "interactive" and value["type"] in interactive.TYPES
    ],
)
def test_what_it_reads_the_sandbox_takes(name):
    _, value, _ = GOOD[name]
    sandbox_interactive.check(accepted("interactive", value).part, lambda kind, media: None)


@pytest.mark.parametrize("emoji", ["👍", "", COUPLE, "🏴󠁧󠁢󠁥󠁮󠁧󠁿"])
def test_it_reads_a_reaction(emoji):
    native = accepted("reaction", {"messageId": WAMID, "emoji": emoji})
    assert native.part == {"message_id": WAMID, "emoji": emoji}
    assert native.body is None


@pytest.mark.parametrize(
    ("kind", "given", "sent"),
    [
        ("image", {"link": LINK, "id": None, "caption": None, "alt": "x"}, {"link": LINK}),
        ("audio", {"id": "12345", "voice": None}, {"id": "12345"}),
        (
            "location",
            {"latitude": 1, "longitude": 2, "name": None, "url": "x"},
            {"latitude": 1, "longitude": 2},
        ),
        ("reaction", {"messageId": WAMID, "emoji": "👍", "x": 1}, {"message_id": WAMID, "emoji": "👍"}),
        (
            "contacts",
            [
                card(
                    name={"formatted_name": "J", "first_name": "J", "last_name": "", "nick": "x"},
                    birthday="",
                    org={"company": None},
                    phones=[{"phone": "1", "type": "", "x": 1}],
                    emails=[],
                    addresses=[{"street": " "}, {"city": "Paris", "x": 1}],
                    note="x",
                )
            ],
            [
                {
                    "name": {"formatted_name": "J", "first_name": "J"},
                    "phones": [{"phone": "1"}],
                    "addresses": [{"city": "Paris"}],
                }
            ],
        ),
        (
            "interactive",
            buttons({"id": "a", "title": "A", "x": 1}, header=None, footer=None, colour="red"),
            buttons({"id": "a", "title": "A"}),
        ),
        (
            "interactive",
            listing({"title": None, "rows": [{"id": "a", "title": "A", "description": None}]}, x=1),
            listing({"rows": [{"id": "a", "title": "A"}]}),
        ),
        ("interactive", cta(icon="x"), cta()),
        ("interactive", where(action={"name": "send_location", "x": 1}), where()),
    ],
)
def test_it_leaves_out_what_it_does_not_know(kind, given, sent):
    assert accepted(kind, given).part == sent


# --- bodies as Meta's examples have them ---


def _kind_of(example: dict[str, Any]) -> str | None:
    return next((kind for kind in KINDS if kind in example), None)


@pytest.mark.parametrize("name", sorted(name for name, example in sends().items() if _kind_of(example)))
def test_it_reads_what_metas_examples_look_like(name):
    example = sends()[name]
    kind = _kind_of(example)
    assert kind is not None
    request = {kind: copy.deepcopy(example[kind])}
    if kind == "reaction":
        request[kind]["messageId"] = request[kind].pop("message_id")
    if "context" in example:
        request["replyTo"] = example["context"]["message_id"]

    fields = Fields(request)
    native, reply_to = read_kind(fields, kind), read_reply_to(fields)

    assert fields.faults == []
    assert native is not None
    content: dict[str, Any] = {"type": native.type, native.type: native.part}
    if reply_to:
        content["context"] = {"message_id": reply_to}
    body = build(to=TO, content=content, ref="hm:1")
    assert body.pop("biz_opaque_callback_data") == "hm:1"
    assert body == example | {"type": kind, "to": f"+{TO}", "recipient_type": "individual"}
    assert json.loads(encode(body)) == body


# --- limits ---


def sized(length: int) -> str:
    return "x" * length


LINK_ROOM = len("https://example.com/")
#: what is limited → kind, a value of that size, the limit, the path of the fault
LIMITS: dict[str, tuple[str, Any, int, str]] = {
    "image caption": ("image", lambda n: {"id": "12345", "caption": sized(n)}, 1_024, "image.caption"),
    "video caption": ("video", lambda n: {"id": "12345", "caption": sized(n)}, 1_024, "video.caption"),
    "document caption": (
        "document",
        lambda n: {"id": "12345", "caption": sized(n)},
        1_024,
        "document.caption",
    ),
    "filename": ("document", lambda n: {"id": "12345", "filename": sized(n)}, 240, "document.filename"),
    "link": (
        "sticker",
        lambda n: {"link": "https://example.com/" + sized(n - LINK_ROOM)},
        2_048,
        "sticker.link",
    ),
    "place name": (
        "location",
        lambda n: {"latitude": 1, "longitude": 1, "name": sized(n)},
        1_000,
        "location.name",
    ),
    "place address": (
        "location",
        lambda n: {"latitude": 1, "longitude": 1, "address": sized(n)},
        1_000,
        "location.address",
    ),
    "contacts": ("contacts", lambda n: [card() for _ in range(n)], 257, "contacts"),
    "detail of a contact": (
        "contacts",
        lambda n: [card(org={"title": sized(n)})],
        1_000,
        "contacts[0].org.title",
    ),
    "url of a contact": (
        "contacts",
        lambda n: [card(urls=[{"url": sized(n)}])],
        2_048,
        "contacts[0].urls[0].url",
    ),
    "emoji": ("reaction", lambda n: {"messageId": WAMID, "emoji": "👍" * n}, 10, "reaction.emoji"),
    "header text": (
        "interactive",
        lambda n: buttons(header={"type": "text", "text": sized(n)}),
        60,
        "interactive.header.text",
    ),
    "footer": ("interactive", lambda n: buttons(footer={"text": sized(n)}), 60, "interactive.footer.text"),
    "body with buttons": (
        "interactive",
        lambda n: buttons(body={"text": sized(n)}),
        1_024,
        "interactive.body.text",
    ),
    "body of a list": (
        "interactive",
        lambda n: listing(body={"text": sized(n)}),
        4_096,
        "interactive.body.text",
    ),
    "body of a cta_url": (
        "interactive",
        lambda n: cta() | {"body": {"text": sized(n)}},
        1_024,
        "interactive.body.text",
    ),
    "body of a location request": (
        "interactive",
        lambda n: where(body={"text": sized(n)}),
        1_024,
        "interactive.body.text",
    ),
    "buttons": (
        "interactive",
        lambda n: buttons(*({"id": str(i), "title": str(i)} for i in range(n))),
        3,
        "interactive.action.buttons",
    ),
    "button id": (
        "interactive",
        lambda n: buttons({"id": sized(n), "title": "A"}),
        256,
        "interactive.action.buttons[0].reply.id",
    ),
    "button title": (
        "interactive",
        lambda n: buttons({"id": "a", "title": sized(n)}),
        20,
        "interactive.action.buttons[0].reply.title",
    ),
    "button of a list": ("interactive", lambda n: listing(button=sized(n)), 20, "interactive.action.button"),
    "sections": (
        "interactive",
        lambda n: listing(*({"title": "S", "rows": rows(1, first=i)} for i in range(n))),
        10,
        "interactive.action.sections",
    ),
    "rows of one section": (
        "interactive",
        lambda n: listing({"rows": rows(n)}),
        10,
        "interactive.action.sections",
    ),
    "rows of two sections": (
        "interactive",
        lambda n: listing({"title": "A", "rows": rows(5)}, {"title": "B", "rows": rows(n - 5, first=5)}),
        10,
        "interactive.action.sections",
    ),
    "section title": (
        "interactive",
        lambda n: listing({"title": sized(n), "rows": rows(1)}),
        24,
        "interactive.action.sections[0].title",
    ),
    "row id": (
        "interactive",
        lambda n: listing({"rows": [{"id": sized(n), "title": "A"}]}),
        200,
        "interactive.action.sections[0].rows[0].id",
    ),
    "row title": (
        "interactive",
        lambda n: listing({"rows": [{"id": "a", "title": sized(n)}]}),
        24,
        "interactive.action.sections[0].rows[0].title",
    ),
    "row description": (
        "interactive",
        lambda n: listing({"rows": [{"id": "a", "title": "A", "description": sized(n)}]}),
        72,
        "interactive.action.sections[0].rows[0].description",
    ),
    "text on a cta_url": (
        "interactive",
        lambda n: cta(display_text=sized(n)),
        20,
        "interactive.action.parameters.display_text",
    ),
    "url of a cta_url": (
        "interactive",
        lambda n: cta(url="https://example.com/" + sized(n - LINK_ROOM)),
        2_000,
        "interactive.action.parameters.url",
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_it_takes_what_is_at_the_limit(name):
    kind, value, limit, _ = LIMITS[name]
    accepted(kind, value(limit))


@pytest.mark.parametrize("name", LIMITS)
def test_it_refuses_one_more_and_names_the_limit(name):
    kind, value, limit, path = LIMITS[name]
    faults = refused(kind, value(limit + 1))
    assert set(faults) == {path}
    assert str(limit) in faults[path]
    assert str(limit + 1) in faults[path]


def test_it_counts_characters_and_not_bytes():
    accepted("interactive", buttons({"id": "a", "title": "🎉" * 20}))


@pytest.mark.parametrize(("digits", "good"), [(4, False), (5, True), (40, True), (41, False)])
def test_it_bounds_the_digits_of_a_media_id(digits, good):
    native, faults = read("image", {"id": "1" * digits})
    assert (native is not None) == good
    assert ("image.id" in faults) == (not good)
