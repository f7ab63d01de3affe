"""Reader of buttons, lists and other interactive messages, and of parts they share with other kinds.

Limits are Meta's (section numbers are those of our notes on the Cloud API). A message over a limit is
refused here with its path instead of failing at Meta later without one. Everything is read through
``Fields``; nothing raises, whatever JSON came.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from core.http.fields import Fields

# --- media (1.4) ---
CAPTION_LONGEST = 1_024
FILENAME_LONGEST = 240  # ours: what file systems take
LINK_LONGEST = 2_048  # ours: what browsers and proxies take
#: which members a media object of a kind takes beside its ``link`` or ``id``
MEDIA_EXTRAS: dict[str, tuple[str, ...]] = {
    "image": ("caption",),
    "video": ("caption",),
    "audio": ("voice",),
    "document": ("caption", "filename"),
    "sticker": (),
}
_MEDIA_ID = re.compile(r"[0-9]{5,40}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# A last label that begins with a letter is no part of an IP address, in whatever base it is written.
_TOP = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST_LONGEST = 253
#: last labels of names that only a machine or a house network knows
_PRIVATE = frozenset(("localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp"))

# --- interactive (1.7) ---
HEADER_LONGEST = 60
FOOTER_LONGEST = 60
BODY_LONGEST = 1_024
LIST_BODY_LONGEST = 4_096
BUTTONS_MOST = 3
BUTTON_ID_LONGEST = 256
BUTTON_TITLE_LONGEST = 20
SECTIONS_MOST = 10
ROWS_MOST = 10  # of all sections together
SECTION_TITLE_LONGEST = 24
ROW_ID_LONGEST = 200
ROW_TITLE_LONGEST = 24
ROW_DESCRIPTION_LONGEST = 72
CTA_URL_LONGEST = 2_000  # what Meta takes in the URL button of a template; 1.7 names no limit
_TYPE = re.compile(r"[a-z_]{1,40}")
_ANY_HEADER = ("text", "image", "video", "document")


def inner(fields: Fields, name: str, *, required: bool = True) -> Fields | None:
    """Read an object as fields of its own, whose faults land among those of ``fields``."""
    if required and not fields.given(name):
        fields.fault(name, "This field is required.")
        return None
    data = fields.mapping(name)
    return None if data is None else _sharing(fields, data, name)


def items(fields: Fields, name: str, *, most: int | None = None, required: bool = True) -> list[Fields]:
    """Read a list of objects. A list with more than ``most`` of them is one fault, not one for each."""
    value = fields.data.get(name)
    if value is None:
        if required:
            fields.fault(name, "This field is required.")
        return []
    if not isinstance(value, list):
        fields.fault(name, "Must be a list.")
        return []
    if required and not value:
        fields.fault(name, "Must not be empty.")
    if most is not None and len(value) > most:
        fields.fault(name, f"Must have at most {most} items; this has {len(value)}.")
        return []
    found = []
    for index, item in enumerate(value):
        if isinstance(item, dict):
            found.append(_sharing(fields, item, f"{name}[{index}]"))
        else:
            fields.fault(f"{name}[{index}]", "Must be an object.")
    return found


def _sharing(fields: Fields, data: dict[str, Any], name: str) -> Fields:
    part = Fields(data, f"{fields.prefix}{name}.")
    part.faults = fields.faults
    return part


def present(values: dict[str, Any]) -> dict[str, Any]:
    """Return the members that have a value: Meta takes a null for a wrong type."""
    return {name: value for name, value in values.items() if value is not None}


# --- media ---


def read_media(part: Fields, extras: tuple[str, ...]) -> dict[str, Any]:
    """Read a media object: a ``link`` or an ``id``, and the ``extras`` its kind has."""
    if part.given("link") == part.given("id"):
        both = part.given("link")
        part.fault("link", "Send either link or id, not both." if both else "Send link or id.")
    found: dict[str, Any] = {"link": _link(part), "id": _media_id(part)}
    if "caption" in extras:
        found["caption"] = part.text("caption", longest=CAPTION_LONGEST)
    if "filename" in extras:
        found["filename"] = part.text("filename", longest=FILENAME_LONGEST)
    if "voice" in extras and part.given("voice"):
        found["voice"] = part.flag("voice")
    for name in ("caption", "filename", "voice"):
        # Unknown members may be ignored, but a caption that silently disappears is a lost message.
        if name not in extras and part.given(name):
            part.fault(name, f"Not allowed here; this takes only {', '.join(('link', 'id', *extras))}.")
    return present(found)


def _link(part: Fields) -> str | None:
    link = part.text("link", longest=LINK_LONGEST)
    if link is None:
        return None
    problem = link_problem(link)
    if problem:
        part.fault("link", problem)
    return link


def link_problem(link: str) -> str | None:
    """Say what keeps Meta from fetching a file from ``link`` (public, https), or None."""
    if len(link) > LINK_LONGEST:
        return f"Must be at most {LINK_LONGEST} characters; this has {len(link)}."
    return _address_problem(link, ("https",)) or _host_problem(link)


def _media_id(part: Fields) -> str | None:
    media_id = part.text("id", longest=LINK_LONGEST)
    if media_id is not None and not _MEDIA_ID.fullmatch(media_id):
        part.fault("id", "Must be the id of a file uploaded to Meta: a string of 5 to 40 digits.")
    return media_id


def _address_problem(url: str, schemes: tuple[str, ...]) -> str | None:
    """Say what keeps ``url`` from being a web address, or None."""
    named = " or ".join(f"{scheme}://" for scheme in schemes)
    # urlsplit drops tabs and line breaks and knows no backslash; other readers of URLs differ.
    if "\\" in url or any(letter.isspace() or not letter.isprintable() for letter in url):
        return "Must be a URL without spaces, line breaks and backslashes; percent-encode them."
    try:
        parts = urlsplit(url)
        _ = parts.port  # read only because a bad port shows when it is read
    except ValueError:
        return "Must be a valid URL."
    if parts.scheme not in schemes or not parts.hostname:
        return f"Must be a URL that starts with {named} and names a host."
    return None


def _host_problem(url: str) -> str | None:
    """Say why Meta could not or should not fetch from the host of a well-formed ``url``, or None."""
    parts = urlsplit(url)
    if "@" in parts.netloc:
        return "Must not contain a user name or password."
    host = (parts.hostname or "").removesuffix(".")
    if not host.isascii():
        return "The host must be in its ASCII form (xn--…)."
    labels = host.split(".")
    named = len(host) <= _HOST_LONGEST and all(map(_LABEL.fullmatch, labels)) and _TOP.fullmatch(labels[-1])
    if not named or len(labels) < 2 or labels[-1] in _PRIVATE or labels[-2:] == ["home", "arpa"]:
        return "The host must be a public name such as files.example.com: no IP address, no local name."
    return None


# --- interactive ---


def read_interactive(part: Fields) -> tuple[dict[str, Any], str | None]:
    """Read an ``interactive`` object: the object for Meta, and its body text.

    The types whose limits we know are checked member by member. Any other is passed on as it came,
    as long as it has a ``type`` and an ``action``: Meta adds types faster than gateways learn them.
    """
    kind = part.text("type", required=True)
    if kind is None:
        return {}, None
    if not _TYPE.fullmatch(kind):
        part.fault("type", "Must be a type of interactive message such as button, list or cta_url.")
        return {}, None
    reader = TYPES.get(kind)
    if reader is None:
        inner(part, "action")
        return dict(part.data), _body_passed_on(part)
    return reader(part, kind)


def _body_passed_on(part: Fields) -> str | None:
    body = part.data.get("body")
    text = body.get("text") if isinstance(body, dict) else None
    return text if isinstance(text, str) and text.strip() else None


def _common(
    part: Fields,
    kind: str,
    action: dict[str, Any],
    *,
    headers: tuple[str, ...] = _ANY_HEADER,
    footer: bool = True,
    longest: int = BODY_LONGEST,
) -> tuple[dict[str, Any], str | None]:
    """Put header, body and footer around an ``action``."""
    body = _short(part, "body", longest, required=True)
    found = {"type": kind, "header": _header(part, kind, headers), "body": body and {"text": body}}
    if footer:
        text = _short(part, "footer", FOOTER_LONGEST)
        found["footer"] = text and {"text": text}
    elif part.given("footer"):
        part.fault("footer", f"A {kind} has no footer.")
    return present(found | {"action": action}), body


def _short(part: Fields, name: str, longest: int, *, required: bool = False) -> str | None:
    """Read an object that is nothing but its ``text``."""
    holder = inner(part, name, required=required)
    return None if holder is None else holder.text("text", required=True, longest=longest)


def _header(part: Fields, kind: str, allowed: tuple[str, ...]) -> dict[str, Any] | None:
    if part.given("header") and not allowed:
        part.fault("header", f"A {kind} has no header.")
        return None
    header = inner(part, "header", required=False)
    if header is None:
        return None
    if not header.given("type"):
        header.fault("type", "This field is required.")
    form = header.choice("type", allowed)
    if form is None:
        return None
    if form == "text":
        return {"type": form, "text": header.text("text", required=True, longest=HEADER_LONGEST)}
    file = inner(header, form)
    if file is None:
        return None
    # The text of the message is its body; a header's file has no caption, only a document's name.
    return {"type": form, form: read_media(file, ("filename",) if form == "document" else ())}


def _unique(part: Fields, name: str, value: str | None, seen: dict[str, str]) -> None:
    """Note a fault when an earlier item has the same ``value``; ``seen`` says which."""
    if value is None:
        return
    here = part.prefix.removesuffix(".")
    if value in seen:
        part.fault(name, f"Must be unique; {seen[value]} has the same {name}.")
    seen.setdefault(value, here)


def _identity(part: Fields, longest: int, seen: dict[str, str]) -> str | None:
    value = part.text("id", required=True, longest=longest)
    if value is not None and value != value.strip():
        part.fault("id", "Must not begin or end with a space.")
    _unique(part, "id", value, seen)
    return value


def _buttons(part: Fields, kind: str) -> tuple[dict[str, Any], str | None]:
    buttons = []
    ids: dict[str, str] = {}
    titles: dict[str, str] = {}
    action = inner(part, "action")
    for button in [] if action is None else items(action, "buttons", most=BUTTONS_MOST):
        if button.data.get("type") != "reply":
            button.fault("type", 'Must be "reply".')
        reply = inner(button, "reply")
        if reply is None:
            continue
        identity = _identity(reply, BUTTON_ID_LONGEST, ids)
        title = reply.text("title", required=True, longest=BUTTON_TITLE_LONGEST)
        _unique(reply, "title", title, titles)
        buttons.append({"type": "reply", "reply": {"id": identity, "title": title}})
    return _common(part, kind, {"buttons": buttons})


def _list(part: Fields, kind: str) -> tuple[dict[str, Any], str | None]:
    found: dict[str, Any] = {}
    action = inner(part, "action")
    if action is not None:
        found["button"] = action.text("button", required=True, longest=BUTTON_TITLE_LONGEST)
        sections = items(action, "sections", most=SECTIONS_MOST)
        seen: dict[str, str] = {}
        found["sections"] = [_section(section, len(sections) > 1, seen) for section in sections]
        rows = sum(len(section["rows"]) for section in found["sections"])
        if rows > ROWS_MOST:
            action.fault(
                "sections", f"Must have at most {ROWS_MOST} rows in all sections together; this has {rows}."
            )
    return _common(part, kind, found, headers=("text",), longest=LIST_BODY_LONGEST)


def _section(section: Fields, titled: bool, seen: dict[str, str]) -> dict[str, Any]:
    if titled and not section.given("title"):
        section.fault("title", "Required when there is more than one section.")
    title = section.text("title", longest=SECTION_TITLE_LONGEST)
    return present({"title": title, "rows": [_row(row, seen) for row in items(section, "rows")]})


def _row(row: Fields, seen: dict[str, str]) -> dict[str, Any]:
    return present(
        {
            "id": _identity(row, ROW_ID_LONGEST, seen),
            "title": row.text("title", required=True, longest=ROW_TITLE_LONGEST),
            "description": row.text("description", longest=ROW_DESCRIPTION_LONGEST),
        }
    )


def _named_action(part: Fields, name: str) -> Fields | None:
    action = inner(part, "action")
    if action is not None and action.data.get("name") != name:
        action.fault("name", f'Must be "{name}".')
    return action


def _cta_url(part: Fields, kind: str) -> tuple[dict[str, Any], str | None]:
    found: dict[str, Any] = {}
    action = _named_action(part, "cta_url")
    parameters = None if action is None else inner(action, "parameters")
    if parameters is not None:
        url = parameters.text("url", required=True, longest=CTA_URL_LONGEST)
        # The customer's telephone opens it, not Meta's servers, so any host is the sender's business.
        problem = None if url is None else _address_problem(url, ("https", "http"))
        if problem:
            parameters.fault("url", problem)
        text = parameters.text("display_text", required=True, longest=BUTTON_TITLE_LONGEST)
        found = {"display_text": text, "url": url}
    return _common(part, kind, {"name": "cta_url", "parameters": found})


def _location_request(part: Fields, kind: str) -> tuple[dict[str, Any], str | None]:
    _named_action(part, "send_location")
    # Shown as a text and one button, nothing else.
    return _common(part, kind, {"name": "send_location"}, headers=(), footer=False)


TYPES: dict[str, Callable[[Fields, str], tuple[dict[str, Any], str | None]]] = {
    "button": _buttons,
    "list": _list,
    "cta_url": _cta_url,
    "location_request_message": _location_request,
}
