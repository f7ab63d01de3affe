"""Approved template: what it asks for, read from the components as Meta returns them (pure).

Nothing Meta says about examples is relied on: they may be missing. The placeholders in the texts count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PLACEHOLDER = re.compile(r"\{\{[ \t]*([A-Za-z0-9_]{1,64})[ \t]*\}\}")
#: where Meta's one-time password buttons lead once the template is stored
_CODE_ADDRESS = "https://www.whatsapp.com/otp/"

MEDIA = {"IMAGE": "image", "VIDEO": "video", "DOCUMENT": "document", "GIF": "gif"}
"""Header formats that show a file, and Meta's word for them in a send call."""

PLACE = ("latitude", "longitude", "name", "address")
PRODUCT = ("product_retailer_id", "catalog_id")
"""What fills a header that shows a place or a product."""

STATIC = frozenset({"PHONE_NUMBER", "VOICE_CALL", "REQUEST_CONTACT_INFO", "CALL_PERMISSION_REQUEST"})
"""Buttons whose values are fixed at approval."""


@dataclass(frozen=True, slots=True)
class Button:
    """One button as it was approved."""

    kind: str
    text: str
    #: address or phone number behind it
    target: str = ""
    #: a link with a placeholder at its end
    varies: bool = False
    #: it hands over a one-time password
    is_code: bool = False

    @property
    def is_static(self) -> bool:
        """Tell whether nothing has to be sent for it."""
        return self.kind in STATIC or (self.kind == "URL" and not self.varies)


@dataclass(frozen=True, slots=True)
class Approved:
    """The parts of a template. ``body_names`` and ``header_names`` are its placeholders in Meta's order."""

    named: bool = False
    header_format: str = ""
    header_text: str = ""
    header_names: tuple[str, ...] = ()
    #: address of the file that was given for approval; Meta signs it and it expires
    sample_url: str = ""
    body_text: str = ""
    body_names: tuple[str, ...] = ()
    footer: str = ""
    buttons: tuple[Button, ...] = ()
    #: the words of a limited-time offer; ``offer_expires`` when a send must say when
    offer: str = ""
    offer_expires: bool = False
    cards: tuple[Approved, ...] = field(default=())

    @property
    def mixed(self) -> bool:
        """Tell whether ``{{1}}`` and ``{{name}}`` stand in one template, which cannot be filled."""
        names = self.header_names + self.body_names
        return len({name.isdigit() for name in names}) > 1


def placeholders(text: str) -> tuple[str, ...]:
    """Return the placeholders of a text, each once; numbers in numeric order (10 after 9)."""
    names = list(dict.fromkeys(_PLACEHOLDER.findall(text)))
    if names and all(name.isdigit() for name in names):
        names.sort(key=int)
    return tuple(names)


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with the values in it; a placeholder without one stays as it is."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)


def read(components: object, parameter_format: str = "") -> Approved:
    """Read the components of a template; what is not understood is skipped.

    The style is seen in the texts; ``parameter_format`` decides only where they have no placeholder.
    """
    found: dict[str, Any] = {}
    for component in components if isinstance(components, list) else []:
        if isinstance(component, Mapping):
            reader = _READERS.get(_word(component.get("type")))
            if reader is not None:
                found |= reader(component)
    names = (*found.get("header_names", ()), *found.get("body_names", ()))
    named = not names[0].isdigit() if names else parameter_format == "NAMED"
    return Approved(named=named, **found)


def _header(component: Mapping[str, Any]) -> dict[str, Any]:
    text = _text(component.get("text"))
    example = component.get("example")
    handles = example.get("header_handle") if isinstance(example, Mapping) else None
    first = handles[0] if isinstance(handles, list) and handles else handles
    return {
        "header_format": _word(component.get("format")) or "TEXT",
        "header_text": text,
        "header_names": placeholders(text),
        "sample_url": _text(first),
    }


def _body(component: Mapping[str, Any]) -> dict[str, Any]:
    text = _text(component.get("text"))
    return {"body_text": text, "body_names": placeholders(text)}


def _offer(component: Mapping[str, Any]) -> dict[str, Any]:
    inner = component.get("limited_time_offer")
    inner = inner if isinstance(inner, Mapping) else {}
    return {"offer": _text(inner.get("text")), "offer_expires": inner.get("has_expiration") is True}


def _cards(component: Mapping[str, Any]) -> dict[str, Any]:
    cards = component.get("cards")
    return {"cards": tuple(read(card["components"]) for card in _objects(cards) if "components" in card)}


def _buttons(component: Mapping[str, Any]) -> dict[str, Any]:
    buttons = component.get("buttons")
    # Not _objects: the place in the list is the button's index, also behind one that we cannot read.
    listed = buttons if isinstance(buttons, Sequence) and not isinstance(buttons, str) else []
    return {"buttons": tuple(_button(one if isinstance(one, Mapping) else {}) for one in listed)}


def _button(button: Mapping[str, Any]) -> Button:
    kind = _word(button.get("type"))
    address = _text(button.get("url"))
    return Button(
        kind=kind,
        text=_text(button.get("text")),
        target=address or _text(button.get("phone_number")),
        varies=kind == "URL" and bool(placeholders(address)),
        is_code=kind == "OTP" or (kind == "URL" and address.startswith(_CODE_ADDRESS)),
    )


_READERS = {
    "HEADER": _header,
    "BODY": _body,
    "FOOTER": lambda component: {"footer": _text(component.get("text"))},
    "BUTTONS": _buttons,
    "LIMITED_TIME_OFFER": _offer,
    "CAROUSEL": _cards,
}


def _word(value: object) -> str:
    return value.upper() if isinstance(value, str) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
