"""What somebody wants sent, before it is known whether and how it can be: plain values, no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from messaging.kinds import Native


@dataclass(frozen=True, slots=True)
class Text:
    """Free-form text, for the 24 hours after the customer last wrote."""

    body: str
    preview_url: bool = False


@dataclass(frozen=True, slots=True)
class RawTemplate:
    """An approved template with its values already in Meta's ``components``."""

    name: str
    language: str
    components: list[Any] | None = None


What = Text | RawTemplate | Native


class Priority(StrEnum):
    """High goes before normal, normal before low; low always gets a share."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Draft:
    """One message to queue.

    ``to`` is digits only; ``send_at`` None means now. ``expires_in`` is how long the message is worth
    sending, from its due time; ``priority`` which queue of its number it stands in. None: by its kind.
    ``reply_to`` is the wamid it quotes; ``fallback`` a template that takes the place of a text when the
    customer service window is closed at the time of sending.
    """

    to: str
    what: What
    send_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    expires_in: timedelta | None = None
    priority: Priority | None = None
    #: Meta's error code that a simulated send ends with; None: it is delivered
    simulate: int | None = None
    reply_to: str | None = None
    fallback: RawTemplate | None = None
