"""Previews: a template with its values as the customer's phone will show it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from messaging.compose.approved import MEDIA, Approved, Button, filled, read
from messaging.compose.drafts import ButtonValue, FilledTemplate


@dataclass(frozen=True, slots=True)
class ShownButton:
    """A button under the message: its label and what a tap does with ``value`` (an address, a code, …)."""

    kind: str
    text: str
    value: str


@dataclass(frozen=True, slots=True)
class Preview:
    """The visible parts. A placeholder that got no value stands as it is, so that the gap is seen."""

    header_format: str
    header: str
    #: address of the header's file; empty when the approved sample will be shown
    header_media_url: str
    body: str
    footer: str
    offer: str
    buttons: tuple[ShownButton, ...]
    cards: tuple[Preview, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as the v1 API writes it; parts that the template does not have are left out."""
        header: dict[str, Any] = {"format": self.header_format}
        if self.header:
            header["text"] = self.header
        if self.header_format in MEDIA:
            header["media_url"] = self.header_media_url or None
        shown = {
            "header": header if self.header_format else None,
            "body": self.body,
            "footer": self.footer,
            "limited_time_offer": self.offer,
            "buttons": [{"type": one.kind, "text": one.text, "value": one.value} for one in self.buttons],
            "cards": [card.as_dict() for card in self.cards],
        }
        return {name: value for name, value in shown.items() if value}


def preview(parts: Approved, what: FilledTemplate) -> Preview:
    """Render an approved template with values, complete or not."""
    values = {value.index: value for value in what.buttons}
    header = filled(parts.header_text, what.header_parameters)
    if parts.header_format in ("LOCATION", "PRODUCT"):
        names = ("name", "address", "product_retailer_id")
        header = ", ".join(what.header_parameters[name] for name in names if name in what.header_parameters)
    return Preview(
        header_format=parts.header_format,
        header=header,
        header_media_url=what.header_media_url or "",
        body=filled(parts.body_text, what.parameters),
        footer=parts.footer,
        offer=parts.offer,
        buttons=tuple(_button(one, values.get(index)) for index, one in enumerate(parts.buttons)),
        cards=_cards(parts, what),
    )


def _button(button: Button, value: ButtonValue | None) -> ShownButton:
    given = value or ButtonValue(0)
    if button.is_code:
        return ShownButton("OTP", button.text, given.otp_code or given.url_suffix or "")
    if button.varies:
        suffix = given.url_suffix or given.otp_code
        return ShownButton(button.kind, button.text, filled(button.target, {"1": suffix} if suffix else {}))
    if button.kind == "COPY_CODE":
        return ShownButton(button.kind, button.text, given.coupon_code or "")
    if button.kind == "QUICK_REPLY":
        return ShownButton(button.kind, button.text, given.quick_reply_payload or "")
    return ShownButton(button.kind, button.text, button.target)


def _cards(parts: Approved, what: FilledTemplate) -> tuple[Preview, ...]:
    listed = (what.carousel or {}).get("cards")
    given = listed if isinstance(listed, list) else []
    return tuple(
        preview(card, _values_of(given[index] if index < len(given) else None))
        for index, card in enumerate(parts.cards)
    )


def _values_of(card: object) -> FilledTemplate:
    """Read back the texts of a card, which comes in Meta's own shape."""
    components = card.get("components") if isinstance(card, Mapping) else None
    texts: dict[str, str] = {}
    for component in components if isinstance(components, list) else []:
        if isinstance(component, Mapping) and str(component.get("type", "")).lower() == "body":
            listed = component.get("parameters")
            for place, one in enumerate(listed if isinstance(listed, list) else [], start=1):
                if isinstance(one, Mapping) and isinstance(one.get("text"), str):
                    texts[str(one.get("parameter_name") or place)] = one["text"]
    return FilledTemplate("", "", parameters=texts)


def example_values(components: object) -> FilledTemplate:
    """Return the values that a template was handed in with, as far as Meta still lists them."""
    body: dict[str, str] = {}
    header: dict[str, str] = {}
    parts = read(components)
    for component in components if isinstance(components, list) else []:
        example = component.get("example") if isinstance(component, Mapping) else None
        if not isinstance(example, Mapping):
            continue
        rows = example.get("body_text")
        first = rows[0] if isinstance(rows, list) and rows else None
        if isinstance(first, list):
            body |= dict(zip(parts.body_names, (str(one) for one in first), strict=False))
        body |= _named(example.get("body_text_named_params"))
        texts = example.get("header_text")
        if isinstance(texts, list):
            header |= dict(zip(parts.header_names, (str(one) for one in texts), strict=False))
        header |= _named(example.get("header_text_named_params"))
    return FilledTemplate("", "", parameters=body, header_parameters=header)


def _named(listed: object) -> dict[str, str]:
    return {
        str(one.get("param_name")): str(one.get("example"))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, Mapping)
    }
