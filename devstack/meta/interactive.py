"""Checks of interactive messages: what each type needs and how long its parts may be."""

from collections.abc import Callable
from typing import Any

from .errors import GraphError, invalid, missing

MediaCheck = Callable[[str, Any], Any]

_BODY_LENGTH = {"list": 4096}
_NEEDS_NO_BODY = {"product", "catalog_message"}
# Types Meta knows and this sandbox lets through with the common checks alone.
_PASSED_ON = {
    "order_status", "order_details", "address_message", "call_permission_request", "request_contact_info",
    "carousel", "voice_call", "product_list", "product", "catalog_message",
}  # fmt: skip


def _short(holder: Any, key: str, path: str, longest: int, required: bool = True) -> str:
    """A text of limited length; Meta calls a longer one an invalid value."""
    value = holder.get(key) if isinstance(holder, dict) else None
    if value is None or value == "":
        if required:
            raise missing(f"{path}['{key}']")
        return ""
    if not isinstance(value, str):
        raise GraphError(100, f"Param {path}['{key}'] must be a string.")
    if len(value) > longest:
        raise invalid(f"{path}['{key}'] length invalid. Min length: 1, Max length: {longest}")
    return value


def check(part: Any, media: MediaCheck) -> None:
    """Check the `interactive` object; `media` checks a media header."""
    if not isinstance(part, dict):
        raise GraphError(100, "Param interactive must be a JSON object.")
    kind = part.get("type")
    if kind is None:
        raise missing("interactive['type']")
    checker = _CHECKERS.get(kind)
    if checker is None and kind not in _PASSED_ON:
        raise GraphError(100, f"Param interactive['type'] must be a known type - got '{kind}'.")
    if kind not in _NEEDS_NO_BODY or part.get("body") is not None:
        _short(part.get("body"), "text", "interactive['body']", _BODY_LENGTH.get(kind, 1024))
    if part.get("footer") is not None:
        _short(part["footer"], "text", "interactive['footer']", 60)
    if part.get("header") is not None:
        _header(kind, part["header"], media)
    action = part.get("action")
    if not isinstance(action, dict):
        raise missing("interactive['action']")
    if checker:
        checker(action)


def _header(kind: str, header: Any, media: MediaCheck) -> None:
    if not isinstance(header, dict):
        raise GraphError(100, "Param interactive['header'] must be a JSON object.")
    if kind == "product":
        raise invalid("A product message has no header.")
    form = header.get("type")
    if form == "text":
        _short(header, "text", "interactive['header']", 60)
    elif form in ("image", "video", "document"):
        if kind == "list":
            raise invalid("The header of a list message is a text.")
        media(form, header.get(form))
    else:
        raise GraphError(100, f"Param interactive['header']['type'] is not valid - got '{form}'.")


def _items(holder: dict[str, Any], key: str, path: str) -> list[Any]:
    found = holder.get(key)
    if not isinstance(found, list) or not found:
        raise missing(f"{path}['{key}']")
    return found


def _unique(values: list[str], what: str) -> None:
    if len(set(values)) != len(values):
        raise invalid(f"Duplicated {what}.")


def _buttons(action: dict[str, Any]) -> None:
    buttons = _items(action, "buttons", "interactive['action']")
    if len(buttons) > 3:
        raise invalid("Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
    identities, titles = [], []
    for index, button in enumerate(buttons):
        path = f"interactive['action']['buttons'][{index}]"
        if not isinstance(button, dict) or button.get("type", "reply") != "reply":
            raise GraphError(100, f"Param {path}['type'] must be one of {{reply}}.")
        identities.append(_short(button.get("reply"), "id", f"{path}['reply']", 256))
        titles.append(_short(button.get("reply"), "title", f"{path}['reply']", 20))
    _unique(identities, "button id")
    _unique(titles, "button title")


def _list(action: dict[str, Any]) -> None:
    _short(action, "button", "interactive['action']", 20)
    sections = _items(action, "sections", "interactive['action']")
    if len(sections) > 10:
        raise invalid("Invalid sections count. Max allowed sections: 10")
    identities = []
    for place, section in enumerate(sections):
        path = f"interactive['action']['sections'][{place}]"
        if not isinstance(section, dict):
            raise GraphError(100, f"Param {path} must be a JSON object.")
        _short(section, "title", path, 24, required=len(sections) > 1)
        for index, row in enumerate(_items(section, "rows", path)):
            row_path = f"{path}['rows'][{index}]"
            identities.append(_short(row, "id", row_path, 200))
            _short(row, "title", row_path, 24)
            _short(row, "description", row_path, 72, required=False)
    if len(identities) > 10:
        raise invalid("Total row count exceed max allowed count: 10")
    _unique(identities, "row id")


def _parameters(action: dict[str, Any], name: str) -> dict[str, Any]:
    if action.get("name") != name:
        raise invalid(f"interactive['action']['name'] must be '{name}'.")
    found = action.get("parameters")
    if not isinstance(found, dict):
        raise missing("interactive['action']['parameters']")
    return found


def _cta_url(action: dict[str, Any]) -> None:
    parameters = _parameters(action, "cta_url")
    path = "interactive['action']['parameters']"
    _short(parameters, "display_text", path, 20)
    url = _short(parameters, "url", path, 2000)
    if not url.startswith(("http://", "https://")):
        raise invalid(f"{path}['url'] is not a valid URL.")


def _flow(action: dict[str, Any]) -> None:
    parameters = _parameters(action, "flow")
    path = "interactive['action']['parameters']"
    if str(parameters.get("flow_message_version", "")) != "3":
        raise invalid(f"{path}['flow_message_version'] must be '3'.")
    if bool(parameters.get("flow_id")) == bool(parameters.get("flow_name")):
        raise invalid(f"{path} needs exactly one of 'flow_id' and 'flow_name'.")
    _short(parameters, "flow_cta", path, 30)
    if parameters.get("mode", "published") not in ("draft", "published"):
        raise invalid(f"{path}['mode'] must be 'draft' or 'published'.")
    doing = parameters.get("flow_action", "navigate")
    if doing not in ("navigate", "data_exchange"):
        raise invalid(f"{path}['flow_action'] must be 'navigate' or 'data_exchange'.")
    payload = parameters.get("flow_action_payload")
    if payload is not None and doing == "navigate":
        _short(payload, "screen", f"{path}['flow_action_payload']", 200)


def _location_request(action: dict[str, Any]) -> None:
    if action.get("name") != "send_location":
        raise invalid("interactive['action']['name'] must be 'send_location'.")


_CHECKERS: dict[str, Callable[[dict[str, Any]], None]] = {
    "button": _buttons,
    "list": _list,
    "cta_url": _cta_url,
    "flow": _flow,
    "location_request_message": _location_request,
}
