"""Rendering of messages as on a phone: templates with their values filled in, buttons, media, places."""

import re
from typing import Any

from .models import ReceivedMessage, SentMessage
from .template_checks import variables
from .world import World

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z0-9_]+)\s*\}\}")


def entry(world: World, item: SentMessage | ReceivedMessage) -> dict[str, Any]:
    """One bubble of a chat."""
    if isinstance(item, ReceivedMessage):
        shown = _content(item.message, item.message.get("type", "text"))
        return {"id": item.wamid, "mine": True, "at": item.at, "read": item.read, **shown}
    body = item.body
    if item.type == "template":
        shown = _template(world, item, body.get("template") or {})
    elif item.type == "interactive":
        shown = _interactive(body.get("interactive") or {})
    else:
        shown = _content(body, item.type)
    base = {
        "id": item.wamid,
        "mine": False,
        "at": item.accepted_at,
        "status": item.status,
        "error": item.error,
    }
    return base | {"kind": item.type, "category": item.category, **shown}


def _content(message: dict[str, Any], kind: str) -> dict[str, Any]:
    part = message.get(kind)
    if kind == "contacts" and isinstance(part, list):
        names = [str((card.get("name") or {}).get("formatted_name", "")) for card in part]
        return {"media": "contact", "body": ", ".join(names)}
    if not isinstance(part, dict):
        return {"media": kind, "body": ""}
    if kind == "text":
        return {"body": str(part.get("body", ""))}
    if kind == "location":
        label = part.get("name") or f"{part.get('latitude')}, {part.get('longitude')}"
        return {"media": "location", "body": str(label), "footer": str(part.get("address") or "")}
    if kind == "reaction":
        return {"media": "reaction", "body": str(part.get("emoji") or "(removed)")}
    if kind == "button":
        return {"body": str(part.get("text", "")), "media": "reply"}
    if kind == "interactive":
        inner = part.get(part.get("type", "")) or {}
        return {"body": str(inner.get("title") or inner.get("name") or ""), "media": "reply"}
    if kind == "system":
        return {"body": str(part.get("body", "")), "media": "system"}
    label = part.get("caption") or part.get("filename") or ""
    return {"media": kind, "body": str(label), "link": str(part.get("link") or "")}


def _interactive(part: dict[str, Any]) -> dict[str, Any]:
    action = part.get("action") or {}
    header = part.get("header") or {}
    shown: dict[str, Any] = {
        "header": str(header.get("text") or ""),
        "body": str((part.get("body") or {}).get("text") or ""),
        "footer": str((part.get("footer") or {}).get("text") or ""),
    }
    if header.get("type") in ("image", "video", "document"):
        shown["media"] = header["type"]
    buttons: list[dict[str, Any]] = []
    for button in action.get("buttons") or []:
        reply = button.get("reply") or {}
        buttons.append(
            {"text": reply.get("title"), "answer": {"type": "button_reply", "button_reply": reply}}
        )
    for section in action.get("sections") or []:
        for row in section.get("rows") or []:
            buttons.append({"text": row.get("title"), "answer": {"type": "list_reply", "list_reply": row}})
    parameters = action.get("parameters") or {}
    label = parameters.get("display_text") or parameters.get("flow_cta")
    if label:
        buttons.append({"text": str(label), "hint": str(parameters.get("url") or "Opens a flow")})
    if action.get("name") == "send_location":
        buttons.append({"text": "Send location", "location": True})
    return shown | {"buttons": buttons}


def _given(components: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    for component in components:
        if str(component.get("type", "")).lower() == kind:
            return component.get("parameters") or []
    return []


def _filled(text: str, parameters: list[dict[str, Any]]) -> str:
    values = {}
    for name, parameter in zip(variables(text), parameters, strict=False):
        inner = parameter.get(parameter.get("type", ""))
        value = inner.get("fallback_value", "") if isinstance(inner, dict) else parameter.get("text", "")
        values[parameter.get("parameter_name") or name] = str(value)
    return _VARIABLE.sub(lambda found: values.get(found.group(1), found.group(0)), text)


def _template(world: World, item: SentMessage, part: dict[str, Any]) -> dict[str, Any]:
    template = world.templates.get(item.template_id)
    if template is None:
        return {"body": f"Template {part.get('name')} (deleted since)", "buttons": []}
    return {"template": template.name} | _components(template.components, part.get("components") or [])


def _components(stored: list[dict[str, Any]], given: list[dict[str, Any]]) -> dict[str, Any]:
    shown: dict[str, Any] = {"header": "", "body": "", "footer": "", "buttons": [], "cards": []}
    for component in stored:
        kind = component.get("type")
        if kind == "HEADER":
            _header(shown, component, _given(given, "header"))
        elif kind == "BODY":
            shown["body"] = _filled(component.get("text", ""), _given(given, "body"))
        elif kind == "FOOTER":
            shown["footer"] = component.get("text", "")
        elif kind == "LIMITED_TIME_OFFER":
            shown["offer"] = component.get("limited_time_offer", {}).get("text", "")
        elif kind == "BUTTONS":
            shown["buttons"] = _buttons(component.get("buttons", []), given)
        elif kind == "CAROUSEL":
            cards: list[Any] = []
            for one in given:
                if str(one.get("type", "")).lower() == "carousel":
                    cards = one.get("cards") or []
            for stored_card, card in zip(component.get("cards", []), cards, strict=False):
                shown["cards"].append(
                    _components(stored_card.get("components", []), card.get("components") or [])
                )
    return shown


def _header(shown: dict[str, Any], stored: dict[str, Any], given: list[dict[str, Any]]) -> None:
    form = stored.get("format", "TEXT")
    if form == "TEXT":
        shown["header"] = _filled(stored.get("text", ""), given)
        return
    shown["media"] = form.lower()
    inner = given[0].get(form.lower()) if given else None
    if isinstance(inner, dict):
        shown["link"] = str(inner.get("link") or "")
        shown["label"] = str(inner.get("filename") or inner.get("name") or "")


def _buttons(stored: list[dict[str, Any]], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    values: dict[int, list[dict[str, Any]]] = {}
    for component in given:
        if str(component.get("type", "")).lower() == "button":
            values[int(component.get("index", 0))] = component.get("parameters") or []
    shown = []
    for index, button in enumerate(stored):
        text = str(button.get("text") or "")
        parameters = values.get(index) or [{}]
        if button.get("type") == "QUICK_REPLY":
            payload = parameters[0].get("payload") or text
            shown.append({"text": text, "button": {"payload": payload, "text": text}})
        elif button.get("type") == "URL":
            shown.append({"text": text, "hint": _filled(str(button.get("url", "")), values.get(index) or [])})
        elif button.get("type") == "COPY_CODE":
            shown.append({"text": text, "hint": f"Code: {parameters[0].get('coupon_code', '')}"})
        else:
            shown.append({"text": text, "hint": str(button.get("type", "")).replace("_", " ").lower()})
    return shown
