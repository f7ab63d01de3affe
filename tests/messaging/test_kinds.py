"""Every kind of message is read into Meta's own shape and held to Meta's limits, whatever JSON comes."""

from __future__ import annotations

import copy
import json
import pathlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.fields import Fields
from messaging import kinds, kinds_interactive
from messaging.kinds import KINDS, Native, read_kind, read_reply_to
from messaging.meta.payloads import build, encode
from messaging.sandbox import interactive as sandbox_interactive

EXAMPLES = pathlib.Path(__file__).resolve().parents[2].parent / "shared/meta/data/openapi-send-examples"
WAMID = "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQUYzMjEzNDM2RTZGQ0MzMDJBRgA="
TO = "16505551234"
COUPLE = "👨🏻‍❤️‍💋‍👨🏿"  # ten code points


def read(kind: str, value: Any, prefix: str = "") -> tuple[Native | None, dict[str, str]]:
    """What was read, and the faults as path → sentence."""
    fields = Fields({kind: value}, prefix)
    native = read_kind(fields, kind)
    return native, {fault.field: fault.message for fault in fields.faults}


def accepted(kind: str, value: Any) -> Native:
    native, faults = read(kind, value)
    assert faults == {}
    assert native is not None
    assert native.type == kind
    return native


def refused(kind: str, value: Any) -> dict[str, str]:
    native, faults = read(kind, value)
    assert native is None
    assert faults
    return faults


# --- good requests ---


def buttons(*replies: dict[str, Any], **members: Any) -> dict[str, Any]:
    replies = replies or ({"id": "yes", "title": "Yes"}, {"id": "no", "title": "No"})
    made = [{"type": "reply", "reply": reply} for reply in replies]
    return {"type": "button", "body": {"text": "Choose"}, "action": {"buttons": made}} | members


def rows(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"id": f"r{index}", "title": f"Row {index}"} for index in range(first, first + count)]


def listing(*sections: dict[str, Any], button: str = "Open", **members: Any) -> dict[str, Any]:
    made = list(sections) or [{"rows": rows(2)}]
    action = {"button": button, "sections": made}
    return {"type": "list", "body": {"text": "Choose"}, "action": action} | members


def cta(**parameters: Any) -> dict[str, Any]:
    made = {"display_text": "Open", "url": "https://example.com/a?b=c"} | parameters
    return {"type": "cta_url", "body": {"text": "x"}, "action": {"name": "cta_url", "parameters": made}}


def where(**members: Any) -> dict[str, Any]:
    made = {"type": "location_request_message", "body": {"text": "x"}, "action": {"name": "send_location"}}
    return made | members


def card(**members: Any) -> dict[str, Any]:
    return {"name": {"formatted_name": "John Smith", "first_name": "John"}} | members


LINK = "https://example.com/a"
TEXT_HEADER = {"type": "text", "text": "Hello"}
GOOD: dict[str, tuple[str, Any, str | None]] = {
    "image by link": ("image", {"link": "https://ex.com/a.jpg", "caption": "Hi"}, "Hi"),
    "image with a port and a query": ("image", {"link": "https://cdn.ex.com:8443/a.jpg?v=1#x"}, None),
    "host ends with a dot": ("image", {"link": "https://ex.com./a.jpg"}, None),
    "host in ASCII form": ("image", {"link": "https://xn--mnchen-3ya.de/ä.jpg"}, None),
    "host with digits": ("image", {"link": "https://1.2.3.4.nip.example.com"}, None),
    "scheme in capitals": ("image", {"link": "HTTPS://EX.COM/a.jpg"}, None),
    "video by id": ("video", {"id": "1166846181421424", "caption": "Hi"}, "Hi"),
    "voice": ("audio", {"id": "1013859600285441", "voice": True}, None),
    "no voice": ("audio", {"id": "1013859600285441", "voice": False}, None),
    "document": ("document", {"id": "12345", "caption": "Invoice", "filename": "inv.pdf"}, "Invoice"),
    "document without caption": ("document", {"link": LINK, "filename": "inv.pdf"}, None),
    "sticker": ("sticker", {"id": "798882015472548"}, None),
    "location as text": (
        "location",
        {
            "latitude": "37.44216251868683",
            "longitude": "-122.16153582049394",
            "name": "Philz",
            "address": "101 Forest Ave",
        },
        "Philz",
    ),
    "location at the edge": ("location", {"latitude": -90, "longitude": 180.0}, None),
    "location at zero": ("location", {"latitude": 0, "longitude": "0"}, None),
    "contact": ("contacts", [card()], None),
    "contact with all": (
        "contacts",
        [
            card(
                birthday="2000-02-29",
                org={"company": "C", "department": "D", "title": "T"},
                phones=[{"phone": "+1 (650) 555-1234", "type": "WORK", "wa_id": TO}, {"phone": "1"}],
                emails=[{"email": "test@fb.com", "type": "WORK"}],
                urls=[{"url": "https://www.facebook.com", "type": "WORK"}],
                addresses=[{"street": "1 Hacker Way", "zip": "94025", "country_code": "us"}],
            )
        ],
        None,
    ),
    "buttons": ("interactive", buttons(), "Choose"),
    "buttons with a text header": (
        "interactive",
        buttons(header=TEXT_HEADER, footer={"text": "Bye"}),
        "Choose",
    ),
    "buttons with an image": (
        "interactive",
        buttons(header={"type": "image", "image": {"link": LINK}}),
        "Choose",
    ),
    "buttons with a video": (
        "interactive",
        buttons(header={"type": "video", "video": {"id": "12345"}}),
        "Choose",
    ),
    "buttons with a document": (
        "interactive",
        buttons(header={"type": "document", "document": {"id": "12345", "filename": "a.pdf"}}),
        "Choose",
    ),
    "list": ("interactive", listing(header=TEXT_HEADER, footer={"text": "Bye"}), "Choose"),
    "list of sections": (
        "interactive",
        listing(
            {"title": "A", "rows": rows(9)},
            {"title": "A", "rows": [{"id": "x", "title": "Row 1", "description": "more"}]},
        ),
        "Choose",
    ),
    "cta_url": ("interactive", cta(), "x"),
    "cta_url to anywhere": ("interactive", cta(url="http://user@10.0.0.1:8080/"), "x"),
    "location request": ("interactive", where(), "x"),
    "flow": (
        "interactive",
        {
            "type": "flow",
            "body": {"text": "x"},
            "action": {"name": "flow", "parameters": {"flow_id": "1", "flow_action_payload": {"a": [1]}}},
        },
        "x",
    ),
    "product": ("interactive", {"type": "product", "action": {"catalog_id": "1"}}, None),
    "a type of tomorrow": ("interactive", {"type": "hologram", "body": 3, "action": {}, "new": None}, None),
    "an odd body passed on": ("interactive", {"type": "poem", "body": {"text": 3}, "action": {}}, None),
}


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
        if kind == "interactive" and value["type"] in kinds_interactive._TYPES
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


# --- Meta's own examples ---


def example_files() -> list[str]:
    names = [path.name for path in EXAMPLES.glob("*.json")]
    return sorted(name for name in names if _kind_of(json.loads((EXAMPLES / name).read_text())))


def _kind_of(example: dict[str, Any]) -> str | None:
    return next((kind for kind in KINDS if kind in example), None)


class _Filling:
    """Puts values in the place of an example's <PLACEHOLDERS>."""

    def __init__(self) -> None:
        self.made = 0

    def fill(self, value: Any, key: str = "", above: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self.fill(inner, name, key) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.fill(inner, key, above) for inner in value]
        if not isinstance(value, str):
            return value
        if key == "message_id":
            return WAMID
        if key == "link":
            return "https://example.com/file"
        if not value.startswith("<"):
            return value
        if key == "id" and above in KINDS:
            return "1013859600285441"
        if key == "type":
            return "text"
        self.made += 1
        return f"Value {self.made}"


@pytest.mark.parametrize("name", example_files() or [None])
def test_it_reads_metas_examples(name):
    if name is None:
        pytest.skip(f"Meta's send examples are not here ({EXAMPLES})")
    example = _Filling().fill(json.loads((EXAMPLES / name).read_text()))
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


# --- bad requests ---

BAD: dict[str, tuple[str, Any, dict[str, str]]] = {
    "media is text": ("image", "https://example.com/a.jpg", {"image": "Must be an object."}),
    "media is null": ("image", None, {"image": "required"}),
    "media with neither": ("image", {}, {"image.link": "Send link or id."}),
    "media with both": ("video", {"link": LINK, "id": "12345"}, {"video.link": "not both"}),
    "media id as a number": ("image", {"id": 1166846181421424}, {"image.id": "Must be a string."}),
    "media id in other digits": ("image", {"id": "١٢٣٤٥٦"}, {"image.id": "5 to 40 digits"}),
    "empty caption": ("image", {"id": "12345", "caption": " "}, {"image.caption": "Must not be empty."}),
    "caption on audio": (
        "audio",
        {"id": "12345", "caption": "x"},
        {"audio.caption": "takes only link, id, voice"},
    ),
    "caption on a sticker": (
        "sticker",
        {"id": "12345", "caption": "x"},
        {"sticker.caption": "only link, id."},
    ),
    "filename on an image": ("image", {"id": "12345", "filename": "x"}, {"image.filename": "Not allowed"}),
    "voice on a video": ("video", {"id": "12345", "voice": True}, {"video.voice": "Not allowed"}),
    "voice as text": ("audio", {"id": "12345", "voice": "yes"}, {"audio.voice": "true or false"}),
    "latitude missing": ("location", {"longitude": 1}, {"location.latitude": "required"}),
    "latitude over the pole": (
        "location",
        {"latitude": 90.1, "longitude": 1},
        {"location.latitude": "-90 to 90"},
    ),
    "longitude too far": (
        "location",
        {"latitude": 1, "longitude": "-180.5"},
        {"location.longitude": "-180 to 180"},
    ),
    "latitude is a truth": ("location", {"latitude": True, "longitude": 1}, {"location.latitude": "number"}),
    "latitude is not decimal": (
        "location",
        {"latitude": "1_0", "longitude": "inf"},
        {"location.latitude": "number", "location.longitude": "number"},
    ),
    "latitude is no number": (
        "location",
        {"latitude": float("nan"), "longitude": 10**400},
        {"location.latitude": "number", "location.longitude": "number"},
    ),
    "no contacts": ("contacts", [], {"contacts": "Must not be empty."}),
    "contacts are one": ("contacts", card(), {"contacts": "Must be a list."}),
    "contact is text": ("contacts", [card(), "John"], {"contacts[1]": "Must be an object."}),
    "contact without name": ("contacts", [{}], {"contacts[0].name": "required"}),
    "contact with one name": (
        "contacts",
        [{"name": {"formatted_name": "J", "last_name": ""}}],
        {"contacts[0].name": "at least one of first_name"},
    ),
    "contact without formatted name": (
        "contacts",
        [{"name": {"first_name": "J"}}],
        {"contacts[0].name.formatted_name": "required"},
    ),
    "contact's first name is a number": (
        "contacts",
        [{"name": {"formatted_name": "J", "first_name": 1}}],
        {"contacts[0].name.first_name": "Must be a string."},
    ),
    "birthday as people write it": (
        "contacts",
        [card(birthday="18.08.2012")],
        {"contacts[0].birthday": "YYYY-MM-DD"},
    ),
    "birthday that never was": (
        "contacts",
        [card(birthday="2001-02-29")],
        {"contacts[0].birthday": "YYYY-MM-DD"},
    ),
    "phone without number": (
        "contacts",
        [card(phones=[{"type": "WORK"}])],
        {"contacts[0].phones[0].phone": "required"},
    ),
    "wa_id with plus": (
        "contacts",
        [card(phones=[{"phone": "1", "wa_id": "+16505551234"}])],
        {"contacts[0].phones[0].wa_id": "digits"},
    ),
    "e-mail without at": (
        "contacts",
        [card(emails=[{"email": "john"}])],
        {"contacts[0].emails[0].email": "e-mail"},
    ),
    "phones are one": (
        "contacts",
        [card(phones={"phone": "1"})],
        {"contacts[0].phones": "Must be a list."},
    ),
    "interactive without type": (
        "interactive",
        {"action": {}},
        {"interactive.type": "required"},
    ),
    "interactive of an odd type": (
        "interactive",
        {"type": "Button!", "action": {}},
        {"interactive.type": "such as button"},
    ),
    "passed on without action": ("interactive", {"type": "flow"}, {"interactive.action": "required"}),
    "passed on with a list for action": (
        "interactive",
        {"type": "flow", "action": []},
        {"interactive.action": "Must be an object."},
    ),
    "buttons without anything": (
        "interactive",
        {"type": "button"},
        {"interactive.body": "required", "interactive.action": "required"},
    ),
    "no buttons": (
        "interactive",
        buttons(action={"buttons": []}),
        {"interactive.action.buttons": "Must not be empty."},
    ),
    "buttons with the same id": (
        "interactive",
        buttons({"id": "a", "title": "A"}, {"id": "a", "title": "B"}),
        {"interactive.action.buttons[1].reply.id": "interactive.action.buttons[0].reply has the same id"},
    ),
    "buttons with the same title": (
        "interactive",
        buttons({"id": "a", "title": "A"}, {"id": "b", "title": "A"}),
        {"interactive.action.buttons[1].reply.title": "unique"},
    ),
    "button id with a space": (
        "interactive",
        buttons({"id": "a ", "title": "A"}),
        {"interactive.action.buttons[0].reply.id": "space"},
    ),
    "button of another type": (
        "interactive",
        buttons(action={"buttons": [{"type": "url", "reply": {"id": "a", "title": "A"}}]}),
        {"interactive.action.buttons[0].type": '"reply"'},
    ),
    "button without reply": (
        "interactive",
        buttons(action={"buttons": [{"type": "reply"}]}),
        {"interactive.action.buttons[0].reply": "required"},
    ),
    "empty body": ("interactive", buttons(body={"text": ""}), {"interactive.body.text": "not be empty"}),
    "body is text": ("interactive", buttons(body="x"), {"interactive.body": "Must be an object."}),
    "header without type": (
        "interactive",
        buttons(header={"text": "x"}),
        {"interactive.header.type": "required"},
    ),
    "header of another type": (
        "interactive",
        buttons(header={"type": "audio", "audio": {"id": "12345"}}),
        {"interactive.header.type": "one of: text, image, video, document"},
    ),
    "header without its file": (
        "interactive",
        buttons(header={"type": "image", "video": {"id": "12345"}}),
        {"interactive.header.image": "required"},
    ),
    "header with a caption": (
        "interactive",
        buttons(header={"type": "image", "image": {"id": "12345", "caption": "x"}}),
        {"interactive.header.image.caption": "Not allowed"},
    ),
    "header with a local link": (
        "interactive",
        buttons(header={"type": "image", "image": {"link": "https://localhost/a"}}),
        {"interactive.header.image.link": "public name"},
    ),
    "list with an image": (
        "interactive",
        listing(header={"type": "image", "image": {"id": "12345"}}),
        {"interactive.header.type": "one of: text."},
    ),
    "list without button": (
        "interactive",
        listing(action={"sections": [{"rows": rows(1)}]}),
        {"interactive.action.button": "required"},
    ),
    "section without rows": (
        "interactive",
        listing({"rows": []}),
        {"interactive.action.sections[0].rows": "Must not be empty."},
    ),
    "two sections, one without title": (
        "interactive",
        listing({"title": "A", "rows": rows(1)}, {"rows": rows(1, first=1)}),
        {"interactive.action.sections[1].title": "more than one section"},
    ),
    "rows with the same id": (
        "interactive",
        listing({"title": "A", "rows": rows(1)}, {"title": "B", "rows": rows(1)}),
        {"interactive.action.sections[1].rows[0].id": "unique"},
    ),
    "row without title": (
        "interactive",
        listing({"rows": [{"id": "a"}]}),
        {"interactive.action.sections[0].rows[0].title": "required"},
    ),
    "cta_url of another name": (
        "interactive",
        cta() | {"action": {"name": "open", "parameters": {"display_text": "x", "url": LINK}}},
        {"interactive.action.name": '"cta_url"'},
    ),
    "cta_url without parameters": (
        "interactive",
        cta() | {"action": {"name": "cta_url"}},
        {"interactive.action.parameters": "required"},
    ),
    "cta_url to a telephone": (
        "interactive",
        cta(url="tel:+16505551234"),
        {"interactive.action.parameters.url": "https:// or http://"},
    ),
    "location request of another name": (
        "interactive",
        where(action={"name": "locate"}),
        {"interactive.action.name": '"send_location"'},
    ),
    "location request with header and footer": (
        "interactive",
        where(header=TEXT_HEADER, footer={"text": "x"}),
        {"interactive.header": "no header", "interactive.footer": "no footer"},
    ),
    "reaction without emoji": (
        "reaction",
        {"messageId": WAMID},
        {"reaction.emoji": "an empty string removes"},
    ),
    "reaction with a space": (
        "reaction",
        {"messageId": WAMID, "emoji": " "},
        {"reaction.emoji": "Must be an emoji"},
    ),
    "reaction to our own id": (
        "reaction",
        {"messageId": "018f3a60-7c1e-7b1a-9d55-0123456789ab", "emoji": "👍"},
        {"reaction.messageId": "WhatsApp id"},
    ),
    "reaction in Meta's spelling": (
        "reaction",
        {"message_id": WAMID, "emoji": "👍"},
        {"reaction.messageId": "required"},
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_it_says_what_is_wrong_and_where(name):
    kind, value, expected = BAD[name]
    faults = refused(kind, value)
    assert set(faults) == set(expected)
    for path, words in expected.items():
        assert words in faults[path]


@pytest.mark.parametrize(
    "link",
    [
        "http://example.com/a.jpg",
        "ftp://example.com/a.jpg",
        "example.com/a.jpg",
        "//example.com/a.jpg",
        "https:///a.jpg",
        "https:example.com",
        "https://",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://user:password@example.com/a.jpg",
        "https://user@example.com/a.jpg",
        "https://@example.com/",
        "https://example.com\\@evil.com/",
        "https://example.com/a b.jpg",
        "https://exam\tple.com/a.jpg",
        "https://example.com/a.jpg\n",
        " https://example.com/a.jpg",
        "https://example.com/\u200b\u2028a.jpg",
        "https://localhost/a.jpg",
        "https://LOCALHOST./a.jpg",
        "https://app.localhost/a.jpg",
        "https://printer.local/a.jpg",
        "https://db.internal/a.jpg",
        "https://nas.home.arpa/a.jpg",
        "https://web/a.jpg",
        "https://127.0.0.1/a.jpg",
        "https://127.0.0.1./a.jpg",
        "https://127.1/a.jpg",
        "https://2130706433/a.jpg",
        "https://0x7f.0x1/a.jpg",
        "https://8.8.8.8/a.jpg",
        "https://[::1]/a.jpg",
        "https://[::1/a.jpg",
        "https://[2001:db8::1]:443/a.jpg",
        "https://１２７.0.0.1/a.jpg",
        "https://münchen.de/a.jpg",
        "https://example.com%2f@evil.com/",
        "https://example..com/",
        "https://-example.com/",
        "https://exa$mple.com/",
        "https://" + "a" * 64 + ".com/",
        "https://" + "a." * 130 + "com/",
        "javascript:alert(1)",
        "data:image/png;base64,AAAA",
    ],
)
def test_it_refuses_a_link_meta_could_not_or_should_not_fetch(link):
    assert list(refused("image", {"link": link})) == ["image.link"]


def test_it_names_every_fault_at_once():
    value = buttons(
        {"id": "", "title": "x" * 27}, body=None, header={"type": "poem"}, footer={"text": "x" * 61}
    )
    faults = refused("interactive", value)
    assert set(faults) == {
        "interactive.action.buttons[0].reply.id",
        "interactive.action.buttons[0].reply.title",
        "interactive.body",
        "interactive.header.type",
        "interactive.footer.text",
    }
    assert (
        faults["interactive.action.buttons[0].reply.title"] == "Must be at most 20 characters; this has 27."
    )


def test_it_puts_the_prefix_before_every_path():
    value = buttons({"id": "a", "title": "x" * 21}, {"id": "a", "title": "A"})
    native, faults = read("interactive", value, "messages[3].")
    assert native is None
    assert faults == {
        "messages[3].interactive.action.buttons[0].reply.title": (
            "Must be at most 20 characters; this has 21."
        ),
        "messages[3].interactive.action.buttons[1].reply.id": (
            "Must be unique; messages[3].interactive.action.buttons[0].reply has the same id."
        ),
    }


def test_faults_of_other_fields_do_not_spoil_it():
    fields = Fields({"image": {"id": "12345"}})
    fields.fault("to", "This field is required.")
    assert read_kind(fields, "image") == Native("image", {"id": "12345"}, None)
    assert len(fields.faults) == 1


def test_every_kind_has_a_reader():
    assert set(kinds._READERS) == set(KINDS)
    assert set(kinds_interactive.MEDIA_EXTRAS) < set(KINDS)


# --- replyTo ---


@pytest.mark.parametrize("value", [WAMID, "wamid." + "A" * 10, "wamid." + "+/=_-" * 48, "wamid.HBgL12+/=="])
def test_it_reads_the_message_to_reply_to(value):
    fields = Fields({"replyTo": value})
    assert read_reply_to(fields) == value
    assert fields.faults == []


@pytest.mark.parametrize("data", [{}, {"replyTo": None}])
def test_no_reply_is_no_fault(data):
    fields = Fields(data | {"reaction": {}})
    assert read_reply_to(fields) is None
    assert fields.faults == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        "17",
        "wamid.",
        "wamid." + "A" * 9,
        "wamid." + "A" * 241,
        f"{WAMID}\n",
        f" {WAMID}",
        "WAMID.AAAAAAAAAA",
        "wamid.AAAA AAAAAA",
        "wamid.ÄÄÄÄÄÄÄÄÄÄ",
        17,
        [WAMID],
        {},
        True,
    ],
)
def test_it_refuses_what_is_no_message_id(value):
    fields = Fields({"replyTo": value}, "messages[0].")
    assert read_reply_to(fields) is None
    assert [fault.field for fault in fields.faults] == ["messages[0].replyTo"]


def test_a_reaction_is_no_reply():
    fields = Fields({"replyTo": WAMID, "reaction": {"messageId": WAMID, "emoji": "👍"}})
    assert read_reply_to(fields) is None
    assert [fault.field for fault in fields.faults] == ["replyTo"]


# --- anything at all ---

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from([LINK, "https://[", "12345", "button", "list", "text", "image", "reply", WAMID, "👍"])
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found += _places(one, (*path, key))
    return found


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = _with(value[path[0]], path[1:], new)
    return changed


def _spoilable() -> list[tuple[str, Any, tuple[Any, ...]]]:
    good = [(kind, value) for kind, value, _ in GOOD.values()]
    good.append(("reaction", {"messageId": WAMID, "emoji": "👍"}))
    return [(kind, value, path) for kind, value in good for path in _places(value)]


def _reads_or_faults(data: dict[str, Any], kind: str) -> None:
    fields = Fields(data)
    native = read_kind(fields, kind)
    assert (native is None) == bool(fields.faults)
    for fault in fields.faults:
        assert fault.field == kind or fault.field.startswith((f"{kind}.", f"{kind}["))
        assert fault.message.endswith(".")
    if native is not None:
        assert native.type == kind
        assert build(to=TO, content={"type": kind, kind: native.part}, ref="r")[kind] == native.part


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(value=ANYTHING)
def test_no_json_makes_it_raise(kind, value):
    _reads_or_faults({kind: value}, kind)
    _reads_or_faults({"x": value}, kind)
    read_reply_to(Fields({"replyTo": value}))


@settings(max_examples=600)
@given(place=st.sampled_from(_spoilable()), value=ANYTHING)
def test_no_spoilt_message_makes_it_raise(place, value):
    kind, good, path = place
    _reads_or_faults({kind: _with(good, path, value)}, kind)


@settings(max_examples=300)
@given(
    link=st.text(max_size=60)
    | st.text(alphabet="ahtps:/.@[]%\\0159x-_é?#", max_size=40).map("https://".__add__)
)
def test_no_link_makes_it_raise(link):
    _reads_or_faults({"image": {"link": link}}, "image")
    _reads_or_faults({"interactive": cta(url=link)}, "interactive")
