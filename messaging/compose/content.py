"""Stored content: a draft in Meta's shape, put into the envelope of the call later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from messaging.compose.approved import filled
from messaging.compose.drafts import Draft, FilledTemplate, RawTemplate, Text, What
from messaging.compose.kinds import Native


def compose(draft: Draft) -> dict[str, Any]:
    """Return the Meta-shaped part of a message: its ``type``, the object named like it, and its context.

    ``fallback`` and ``simulate`` are ours and never leave: the part to send instead when the window is
    closed, and how a test key's send ends.
    """
    content = _part(draft.what)
    if draft.reply_to:
        content["context"] = {"message_id": draft.reply_to}
    if draft.fallback:
        content["fallback"] = _part(draft.fallback)
    if draft.simulate:
        content["simulate"] = draft.simulate
    return content


def body_of(what: What) -> str | None:
    """Return the text that people read in a message, as far as it is known before sending."""
    if isinstance(what, RawTemplate):
        return what.text
    return what.body if isinstance(what, Text | Native) else None


def with_text(what: What, texts: Mapping[tuple[str, str], str]) -> What:
    """Return a raw template with the text that people will read, where its template is in ``texts``.

    A value in Meta's shape is a text, or an amount or a date with one to fall back on.
    """
    if not isinstance(what, RawTemplate) or what.text is not None:
        return what
    text = texts.get((what.name, what.language))
    return replace(what, text=filled(text, _values(what.components or []))) if text else what


def _values(components: list[Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for component in components:
        kind = component.get("type") if isinstance(component, dict) else None
        if not isinstance(kind, str) or kind.lower() != "body":
            continue
        listed = component.get("parameters")
        for place, one in enumerate(listed if isinstance(listed, list) else [], start=1):
            if not isinstance(one, dict):
                continue
            inner = one.get(str(one.get("type")))
            value = inner.get("fallback_value") if isinstance(inner, dict) else one.get("text")
            if isinstance(value, str):
                found[str(one.get("parameter_name") or place)] = value
    return found


def _part(what: What) -> dict[str, Any]:
    if isinstance(what, Text):
        text: dict[str, Any] = {"body": what.body}
        if what.preview_url:
            text["preview_url"] = True
        return {"type": "text", "text": text}
    if isinstance(what, Native):
        return {"type": what.type, what.type: what.part}
    assert not isinstance(what, FilledTemplate), "filled before it is queued"
    template: dict[str, Any] = {"name": what.name, "language": what.language}
    if what.components:
        template["components"] = what.components
    return {"type": "template", "template": template}
