"""A new template as a person writes it becomes Meta's components, with an example for each gap (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from messaging.approved import filled, placeholders

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
