"""What somebody wants sent, before it is known whether and how it can be: plain values, no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Text:
    """Free-form text, for the 24 hours after the customer last wrote."""

    body: str


@dataclass(frozen=True, slots=True)
class RawTemplate:
    """An approved template with its values already in Meta's ``components``."""

    name: str
    language: str
    components: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """One message to queue. ``to`` is digits only; ``send_at`` None means now."""

    to: str
    what: Text | RawTemplate
    send_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False
