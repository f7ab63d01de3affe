"""What a number may do now: held for its credentials, paused, or given a breath."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from django.db.models import Value
from django.db.models.functions import Greatest, Now

from accounts.models import Connection

log = structlog.get_logger(__name__)


def hold(connection_id: uuid.UUID, *, sealed_token: str, reason: str) -> None:
    """Stop claiming for a number whose credentials Meta refused; its queue waits for new ones.

    ``sealed_token`` is the token that was refused: when the customer has saved another one meanwhile,
    the refusal says nothing about it and nothing is held.
    """
    held = Connection.objects.filter(
        pk=connection_id, access_token_sealed=sealed_token, removed_at=None
    ).exclude(status=Connection.Status.HELD)
    if held.update(status=Connection.Status.HELD, status_reason=reason):
        log.warning("number held", connection=str(connection_id), reason=reason)


def pause(connection_id: uuid.UUID, *, seconds: float, reason: str) -> None:
    """Claim nothing for a number for ``seconds``; a longer pause in force stays."""
    until = Now() + Value(timedelta(seconds=seconds))
    Connection.objects.filter(pk=connection_id).update(
        paused_until=Greatest("paused_until", until), status_reason=reason
    )
    log.warning("number paused", connection=str(connection_id), seconds=seconds, reason=reason)


def slow_down(connection_id: uuid.UUID) -> None:
    """Leave a number a breath of a second after Meta said it is too fast (130429)."""
    Connection.objects.filter(pk=connection_id).update(
        next_slot_at=Greatest("next_slot_at", Now() + Value(timedelta(seconds=1)))
    )
