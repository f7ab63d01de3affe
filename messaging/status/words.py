"""Words of customers for a status, and back."""

from __future__ import annotations

from messaging.models import Status

#: the engine's words that customers see as ``processing``
_SHOWN = {Status.SUBMITTING: "processing", Status.UNKNOWN: "processing"}


def shown(status: str) -> str:
    """Return a status as customers know it."""
    return _SHOWN.get(Status(status), status)


def meant(word: str) -> list[Status]:
    """Return the statuses that customers know by this word."""
    return [status for status in Status if shown(status) == word]
