"""Form of a template: a field for each thing it asks for; values of a form or a table read back (pure).

A field has a ``key`` (its name in a form) and a ``column`` (its heading in a table of many recipients). What
only a program can know (a flow's token, the cards of a carousel) is not asked for: ``needs_code`` says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from messaging.compose.approved import MEDIA, PLACE, PRODUCT, Approved, Button
from messaging.compose.drafts import ButtonValue, FilledTemplate
from messaging.models import Template

#: member of ``ButtonValue`` by kind of button; one-time passwords are known by ``is_code``
_MEMBERS = {"URL": "url_suffix", "QUICK_REPLY": "quick_reply_payload", "COPY_CODE": "coupon_code"}
#: buttons that Meta wants an object for
_OBJECTS = frozenset({"MPM", "ORDER_DETAILS", "SPM", "CATALOG"})
#: what Meta itself assumes for a flow that was given no token
_FLOW = {"flow_token": "unused"}
_BUTTON = re.compile(r"template\.buttons\[([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Ask:
    """One value that a template asks for. ``part`` says where it goes: header, body, button or offer."""

    key: str
    column: str
    part: str
    name: str
    example: str = ""
    required: bool = True
    #: what stands before the value in the finished message (the beginning of a link)
    before: str = ""


def asks(parts: Approved, examples: FilledTemplate) -> list[Ask]:
    """Return what a template asks for, in the order in which it is read."""
    found = [
        Ask(f"header.{name}", f"header_{name}", "header", name, examples.header_parameters.get(name, ""))
        for name in _header_names(parts)
    ]
    if parts.header_format in MEDIA:
        found.append(
            Ask(
                "header_media_url",
                "header_media_url",
                "media",
                parts.header_format.lower(),
                required=not parts.sample_url,
            )
        )
    found += [
        Ask(f"body.{name}", name, "body", name, examples.parameters.get(name, ""))
        for name in parts.body_names
    ]
    if parts.offer_expires:
        found.append(Ask("offer_ends", "offer_ends", "offer", parts.offer))
    for index, button in enumerate(parts.buttons):
        member = _member(button)
        if member:
            needed = member != "quick_reply_payload"  # its label will do
            before = button.target.partition("{{")[0] if member == "url_suffix" else ""
            column = f"button_{index + 1}"
            found.append(Ask(f"button.{index}", column, member, button.text, required=needed, before=before))
    return found


def needs_code(parts: Approved) -> bool:
    """Tell whether a template takes what a form cannot give, so that only the API can send it."""
    return bool(parts.cards) or any(button.kind in _OBJECTS for button in parts.buttons)


def filled(template: Template, parts: Approved, values: Mapping[str, str]) -> FilledTemplate:
    """Read the values of a form (by ``key``) back; what was left empty counts as not given."""
    given = {key: value for key, value in values.items() if value}
    header = {name: given[f"header.{name}"] for name in _header_names(parts) if f"header.{name}" in given}
    ends = _moment(given.get("offer_ends", "")) if parts.offer_expires else None
    buttons = []
    for index, button in enumerate(parts.buttons):
        member = _member(button)
        value = given.get(f"button.{index}", button.text if member == "quick_reply_payload" else "")
        if member:
            # Also without a value: then a refusal names the button by its place in this list.
            buttons.append(ButtonValue(index, **({member: value} if value else {})))  # type: ignore[arg-type]
        elif button.kind == "FLOW":
            buttons.append(ButtonValue(index, action=dict(_FLOW)))
    return FilledTemplate(
        template.name,
        template.language,
        parameters={name: given[f"body.{name}"] for name in parts.body_names if f"body.{name}" in given},
        header_parameters=header,
        header_media_url=given.get("header_media_url") if parts.header_format in MEDIA else None,
        buttons=tuple(buttons),
        limited_time_offer={"expiration_time_ms": int(ends.timestamp() * 1000)} if ends else None,
    )


def key_of(param: str, what: FilledTemplate) -> str:
    """Return the field that a finding's ``param`` speaks of; empty when it speaks of the whole."""
    if param.startswith("template.parameters."):
        return "body." + param.removeprefix("template.parameters.")
    if param.startswith("template.header_parameters."):
        return "header." + param.removeprefix("template.header_parameters.")
    if param.startswith("template.limited_time_offer"):
        return "offer_ends"
    place = _BUTTON.match(param)
    if place:
        number = int(place[1])
        return f"button.{what.buttons[number].index}" if number < len(what.buttons) else ""
    return param.removeprefix("template.") if param == "template.header_media_url" else ""


def _header_names(parts: Approved) -> tuple[str, ...]:
    return {"LOCATION": PLACE, "PRODUCT": PRODUCT}.get(parts.header_format, parts.header_names)


def _member(button: Button) -> str:
    if button.is_static:
        return ""
    return "otp_code" if button.is_code else _MEMBERS.get(button.kind, "")


def _moment(text: str) -> datetime | None:
    """Read ``2026-12-31T23:59``, with an offset or in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
