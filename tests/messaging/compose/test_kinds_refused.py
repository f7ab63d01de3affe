"""What no kind of message may hold is refused with its path and its reason."""

from __future__ import annotations

from typing import Any

import pytest

from core.http.fields import Fields
from messaging.compose import interactive, kinds
from messaging.compose.kinds import KINDS, Native, read_kind
from tests.support.kinds import (
    LINK,
    TEXT_HEADER,
    WAMID,
    buttons,
    card,
    cta,
    listing,
    read,
    refused,
    rows,
    where,
)

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
    assert set(kinds.READERS) == set(KINDS)
    assert set(interactive.MEDIA_EXTRAS) < set(KINDS)
