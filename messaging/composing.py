"""Draft to Meta's shape: what is stored with a message and later put into the envelope of the call."""

from __future__ import annotations

from typing import Any

from messaging.drafts import RawTemplate, Text


def compose(what: Text | RawTemplate) -> dict[str, Any]:
    """Return the Meta-shaped part of a message: its ``type`` and the object named like it."""
    if isinstance(what, Text):
        return {"type": "text", "text": {"body": what.body}}
    template: dict[str, Any] = {"name": what.name, "language": what.language}
    if what.components:
        template["components"] = what.components
    return {"type": "template", "template": template}
