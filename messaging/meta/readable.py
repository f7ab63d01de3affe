"""Readable text of a WhatsApp message of any type (pure, never raises)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from messaging.meta.envelope import clean, text

_Part = Mapping[str, Any]


def readable_text(message: _Part) -> str | None:
    """Return the best text in a message: body, caption, button, reply title, emoji, place or name.

    The text is whole, not shortened. ``None`` when nothing in it is text: a photo without caption, a
    removed reaction, a type nobody has documented.
    """
    kind = message.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    return reader(message) if reader else None


def context_of(message: _Part) -> str | None:
    """Return the wamid that a message answers, reacts to, edits or takes back."""
    for key, name in (
        ("context", "id"),
        ("reaction", "message_id"),
        ("edit", "original_message_id"),
        ("revoke", "original_message_id"),
    ):
        found = text(_part(message, key).get(name))
        if found:
            return found
    return None


def _part(message: _Part, key: str) -> _Part:
    value = message.get(key)
    return value if isinstance(value, Mapping) else {}


def _fields(key: str, *names: str) -> Callable[[_Part], str | None]:
    """Make a reader for the first text among some fields of one part."""

    def read(message: _Part) -> str | None:
        part = _part(message, key)
        return next((found for name in names if (found := clean(part.get(name)))), None)

    return read


def _interactive(message: _Part) -> str | None:
    part = _part(message, "interactive")
    reply = part.get(part["type"]) if isinstance(part.get("type"), str) else None
    if not isinstance(reply, Mapping):
        return None
    # Replies have a title, a completed flow a body, a call permission only its answer.
    return clean(reply.get("title")) or clean(reply.get("body")) or clean(reply.get("response"))


def _location(message: _Part) -> str | None:
    part = _part(message, "location")
    words = [found for name in ("name", "address") if (found := clean(part.get(name)))]
    if words:
        return ", ".join(words)
    place = [part.get("latitude"), part.get("longitude")]
    return clean(", ".join(map(str, place))) if all(map(_is_coordinate, place)) else None


def _is_coordinate(value: object) -> bool:
    return isinstance(value, (float, str)) or (isinstance(value, int) and -180 <= value <= 180)


def _contacts(message: _Part) -> str | None:
    people = message.get("contacts")
    names = [
        found
        for person in (people if isinstance(people, list) else [])
        if isinstance(person, Mapping) and (found := clean(_part(person, "name").get("formatted_name")))
    ]
    return ", ".join(names) or None


def _edit(message: _Part) -> str | None:
    changed = _part(_part(message, "edit"), "message")
    # One level only: an edit of an edit is still one message, and a loop here would have no floor.
    return readable_text(changed) if changed.get("type") != "edit" else None


_READERS: dict[str, Callable[[_Part], str | None]] = {
    "text": _fields("text", "body"),
    "image": _fields("image", "caption"),
    "video": _fields("video", "caption"),
    "document": _fields("document", "caption", "filename"),
    "button": _fields("button", "text", "payload"),
    "reaction": _fields("reaction", "emoji"),
    "order": _fields("order", "text"),
    "system": _fields("system", "body"),
    "interactive": _interactive,
    "location": _location,
    "contacts": _contacts,
    "edit": _edit,
}
