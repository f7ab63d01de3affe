"""Reader of templates and their values as the v1 API writes them: flat maps, buttons by index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.errors import invalid
from core.http.wire import when
from messaging.api.v1.base import REQUIRED, read_mapping, read_text
from messaging.compose.drafts import LANGUAGE, ButtonValue, FilledTemplate
from messaging.models import Template

NAME_LONGEST = 512
MOST_BUTTONS = 100
_BUTTON_TEXTS = ("url_suffix", "otp_code", "quick_reply_payload", "coupon_code")


def read_template(data: Mapping[str, Any]) -> FilledTemplate:
    """Read ``template`` with its flat maps. Raises ``Invalid`` with the first fault."""
    template = read_mapping(data, "template")
    if template is None:
        raise invalid("template", REQUIRED)
    name, language = read_name(template)
    return read_values(template, name, language)


def read_name(template: Mapping[str, Any]) -> tuple[str, str]:
    """Read a template's name and language. Raises ``Invalid`` with the first fault."""
    name = template.get("name")
    if name is None or (isinstance(name, str) and not name.strip()):
        raise invalid("template.name", "Must name an approved template.", code="invalid_template_name")
    name = read_text(template, "name", path="template.name", longest=NAME_LONGEST)
    language = read_text(template, "language", path="template.language", longest=20)
    if not LANGUAGE.fullmatch(language):
        raise invalid("template.language", "Must be the template's language code, for example en or en_US.")
    return name, language


def read_values(template: Mapping[str, Any], name: str, language: str) -> FilledTemplate:
    """Read the values of a template. Raises ``Invalid`` with the first fault."""
    url = template.get("header_media_url")
    if url is not None and not isinstance(url, str):
        raise invalid("template.header_media_url", "Must be a string.")
    return FilledTemplate(
        name=name,
        language=language,
        parameters=_values(template, "parameters"),
        header_parameters=_values(template, "header_parameters"),
        header_media_url=url,
        buttons=_buttons(template),
        limited_time_offer=read_mapping(template, "limited_time_offer", path="template.limited_time_offer"),
        carousel=read_mapping(template, "carousel", path="template.carousel"),
    )


def _values(template: Mapping[str, Any], name: str) -> dict[str, str]:
    path = f"template.{name}"
    values = read_mapping(template, name, path=path) or {}
    return {key: _as_text(value, f"{path}.{key}") for key, value in values.items()}


def _as_text(value: Any, path: str) -> str:
    """Numbers and booleans are taken as people mean them; null, lists and objects are not values (J24)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise invalid(path, "Must be a string.")


def _buttons(template: Mapping[str, Any]) -> tuple[ButtonValue, ...]:
    entries = template.get("buttons")
    if entries is None:
        return ()
    if not isinstance(entries, list) or len(entries) > MOST_BUTTONS:
        raise invalid("template.buttons", f"Must be a list of at most {MOST_BUTTONS} entries.")
    buttons: list[ButtonValue] = []
    for place, entry in enumerate(entries):
        path = f"template.buttons[{place}]"
        if not isinstance(entry, dict):
            raise invalid(path, "Must be an object with an index.")
        index = entry.get("index")
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise invalid(f"{path}.index", "Must be the button's place in the template, counted from 0.")
        if any(index == button.index for button in buttons):
            raise invalid(f"{path}.index", "This button has an entry already.")
        texts = {
            name: _as_text(entry[name], f"{path}.{name}")
            for name in _BUTTON_TEXTS
            if entry.get(name) is not None
        }
        action = read_mapping(entry, "action", path=f"{path}.action")
        buttons.append(ButtonValue(index, action=action, **texts))
    return tuple(buttons)


def template_object(template: Template) -> dict[str, Any]:
    """Write a template."""
    return {
        "id": template.meta_id,
        "name": template.name,
        "language": template.language,
        "status": template.status,
        "category": template.category,
        "quality": template.quality or None,
        "rejected_reason": template.rejected_reason or None,
        "parameter_format": template.parameter_format,
        "components": template.components,
        "business_account_id": template.waba_id,
        "synced_at": when(template.synced_at),
    }
