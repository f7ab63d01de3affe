"""Writing a template: a person's words become Meta's components, with examples of gaps, and back (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from messaging.compose.approved import filled, placeholders

#: most buttons that the form offers; Meta takes up to ten
BUTTONS = 3


@dataclass(frozen=True, slots=True)
class Written:
    """The parts of a template as they were typed. A button is (label, address); no address: a quick reply."""

    body: str
    header: str = ""
    footer: str = ""
    buttons: Sequence[tuple[str, str]] = ()

    @property
    def gaps(self) -> list[str]:
        """The placeholders of header and body, each once; Meta wants an example of every one."""
        return list(dict.fromkeys([*placeholders(self.header), *placeholders(self.body)]))

    @property
    def format(self) -> str:
        """``NAMED`` or ``POSITIONAL``, as the placeholders are written."""
        return "NAMED" if any(not name.isdigit() for name in self.gaps) else "POSITIONAL"

    @property
    def link_gaps(self) -> list[int]:
        """The positions of buttons whose address has a gap."""
        return [place for place, (_, address) in enumerate(self.buttons) if placeholders(address)]


def components(written: Written, examples: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return Meta's components. ``examples`` are by placeholder, those of a link by ``button.<place>``."""
    made: list[dict[str, Any]] = []
    if written.header:
        made.append({"type": "HEADER", "format": "TEXT", "text": written.header})
        names = placeholders(written.header)
        if names:
            made[-1]["example"] = _example("header_text", names, examples, written.format)
    made.append({"type": "BODY", "text": written.body})
    names = placeholders(written.body)
    if names:
        made[-1]["example"] = _example("body_text", names, examples, written.format)
    if written.footer:
        made.append({"type": "FOOTER", "text": written.footer})
    buttons = [_button(place, one, examples) for place, one in enumerate(written.buttons)]
    if buttons:
        made.append({"type": "BUTTONS", "buttons": buttons})
    return made


@dataclass(slots=True)
class _Read:
    """What ``read_back`` has gathered so far."""

    texts: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    examples: dict[str, str] = field(default_factory=dict)


def read_back(components: object) -> tuple[Written, dict[str, str]] | None:
    """Return what somebody would have typed to get these components, and the examples; the way back.

    None when they hold what the form has no field for (media, cards, codes …): saving would lose it.
    """
    found = _Read()
    for part in components if isinstance(components, list) else [None]:
        if not isinstance(part, dict) or not _took(part, found):
            return None
    if not found.texts.get("BODY"):
        return None
    written = Written(
        found.texts["BODY"], found.texts.get("HEADER", ""), found.texts.get("FOOTER", ""), found.buttons
    )
    return written, found.examples


def _took(part: dict[str, Any], found: _Read) -> bool:
    kind, text = part.get("type"), part.get("text")
    if kind == "BUTTONS":
        given = part.get("buttons")
        some = given if isinstance(given, list) else []
        return len(some) <= BUTTONS and all(_took_button(one, found) for one in some)
    fits = kind in ("BODY", "FOOTER") or (kind == "HEADER" and part.get("format") == "TEXT")
    if not fits or not isinstance(text, str) or set(part) - {"type", "format", "text", "example"}:
        return False
    found.texts[str(kind)] = text
    found.examples |= _examples_of(part.get("example"), placeholders(text))
    return True


def _took_button(button: Any, found: _Read) -> bool:
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        return False
    address = button.get("url", "")
    names = placeholders(address) if isinstance(address, str) else ()
    known = {"QUICK_REPLY": {"type", "text"}, "URL": {"type", "text", "url", "example"}}
    if set(button) - known.get(str(button.get("type")), set()) or (names and not address.endswith("}}")):
        return False
    given = button.get("example")
    if names and isinstance(given, list) and given:
        before = address.partition("{{")[0]
        found.examples[f"button.{len(found.buttons)}"] = str(given[0]).removeprefix(before)
    found.buttons.append((button["text"], str(address)))
    return True


def _examples_of(example: Any, names: Sequence[str]) -> dict[str, str]:
    """Read the examples of a text in either style; what is not understood is asked for anew."""
    for name, given in example.items() if isinstance(example, dict) else ():
        if not isinstance(given, list):
            continue
        if name.endswith("_named_params"):
            pairs = [one for one in given if isinstance(one, dict)]
            return {str(one.get("param_name")): str(one.get("example", "")) for one in pairs}
        values = given[0] if given and isinstance(given[0], list) else given
        return dict(zip(names, map(str, values), strict=False))
    return {}


def _example(part: str, names: Sequence[str], examples: Mapping[str, str], style: str) -> dict[str, Any]:
    values = [examples.get(name, "") for name in names]
    if style == "NAMED":
        pairs = zip(names, values, strict=True)
        return {f"{part}_named_params": [{"param_name": name, "example": value} for name, value in pairs]}
    return {part: [values] if part == "body_text" else values}


def _button(place: int, button: tuple[str, str], examples: Mapping[str, str]) -> dict[str, Any]:
    label, address = button
    if not address:
        return {"type": "QUICK_REPLY", "text": label}
    made: dict[str, Any] = {"type": "URL", "text": label, "url": address}
    names = placeholders(address)
    if names:
        made["example"] = [filled(address, dict.fromkeys(names, examples.get(f"button.{place}", "")))]
    return made
