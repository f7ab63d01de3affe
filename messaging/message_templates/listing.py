"""The templates that an account can send, page by page."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.models import Account, Number
from messaging.models import Template


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is narrowed to; None: not at all.

    ``agent_ids``: what these agents' numbers can send; ``waba_id``: what belongs to this WhatsApp account.
    """

    agent_ids: Sequence[str] | None = None
    waba_id: str | None = None
    name: str | None = None
    language: str | None = None
    status: str | None = None


def page(
    account: Account, wanted: Wanted, *, limit: int, after: uuid.UUID | None = None
) -> tuple[list[Template], uuid.UUID | None]:
    """Return up to ``limit`` templates, oldest first, and the id to go on after (None: no more)."""
    rows = Template.objects.filter(account=account).order_by("id")
    if wanted.agent_ids is not None:
        numbers = Number.objects.filter(
            account=account, agent_id__in=wanted.agent_ids, removed_at=None
        ).exclude(waba_id="")
        rows = rows.filter(waba_id__in=numbers.values("waba_id"))
    for field in ("waba_id", "name", "language", "status"):
        value = getattr(wanted, field)
        if value is not None:
            rows = rows.filter(**{field: value})
    if after is not None:
        rows = rows.filter(pk__gt=after)
    found = list(rows[: limit + 1])
    more = len(found) > limit
    return found[:limit], found[limit - 1].pk if more else None
