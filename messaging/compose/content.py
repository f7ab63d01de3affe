"""Draft to Meta's shape: what is stored with a message and later put into the envelope of the call."""

from __future__ import annotations

from typing import Any

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


def _part(what: What) -> dict[str, Any]:
    if isinstance(what, Text):
        text: dict[str, Any] = {"body": what.body}
        if what.preview_url:
            text["preview_url"] = True
        return {"type": "text", "text": text}
    if isinstance(what, Native):
        return {"type": what.type, what.type: what.part}
    assert not isinstance(what, FilledTemplate), "queueing fills it before it is composed"
    template: dict[str, Any] = {"name": what.name, "language": what.language}
    if what.components:
        template["components"] = what.components
    return {"type": "template", "template": template}
