"""Messages of every kind for tests: good ones by name, parts to build others from, and how each is read."""

from __future__ import annotations

from typing import Any

from core.http.fields import Fields
from messaging.compose.kinds import Native, read_kind

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
