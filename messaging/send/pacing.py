"""Pacing: a number held for its credentials, paused, slowed down, its breaker open or closed.

Meta's limits are kept by reserving slots with each claim; this module is for what Meta says all the
same. A number is slowed like TCP: halved when Meta says it is too fast, then a little faster every
second. Resuming after a hold or an outage starts at a tenth and climbs the same way, so that a queue
that built up does not come out as one blow.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import structlog
from django.db import connection, transaction

from messaging.send.claims import PROBE_EVERY_SECONDS, RECOVERY_PER_SECOND
from messaging.status import webhook_events

log = structlog.get_logger(__name__)

#: failures in a row (no answer, or none that can be read) that open a number's breaker
FAILURES_TO_OPEN = 5
#: what a number resumes with, as a part of its full rate
RAMP_FROM = 0.1
#: the least a number is slowed to, in messages a second
SLOWEST = 1.0

_HOLD = """
UPDATE accounts_connection SET status = 'held', status_reason = %s, held_notice_at = NULL
WHERE id = %s AND access_token_sealed = %s AND removed_at IS NULL AND status <> 'held'
RETURNING account_id, phone_number_id, display_phone
"""
# Numbers of one WhatsApp account share its limits; without a known account only the number rests.
_PAUSE = """
UPDATE accounts_connection c
SET paused_until = greatest(c.paused_until, now() + make_interval(secs => %s)), status_reason = %s
FROM accounts_connection hit
WHERE hit.id = %s AND c.account_id = hit.account_id
  AND (c.id = hit.id OR (c.waba_id <> '' AND c.waba_id = hit.waba_id))
"""
# Many calls of one moment are refused together; they slow the number once, not once each.
_SLOW_DOWN = """
UPDATE accounts_connection c
SET slowed_to = greatest(%s, least(c.messages_per_second, coalesce(c.slowed_to + c.messages_per_second * %s
        * extract(epoch FROM now() - c.slowed_at), c.messages_per_second)) / 2),
    slowed_at = now(),
    next_slot_at = greatest(c.next_slot_at, now() + interval '1 second')
WHERE c.id = %s AND (c.slowed_at IS NULL OR c.slowed_at < now() - interval '1 second')
"""
_OPEN = """
UPDATE accounts_connection
SET breaker_open_since = now(), paused_until = now() + make_interval(secs => %s)
WHERE id = %s AND breaker_open_since IS NULL
"""
_CLOSE = """
UPDATE accounts_connection
SET breaker_open_since = NULL, paused_until = NULL, slowed_to = messages_per_second * %s, slowed_at = now()
WHERE id = %s AND breaker_open_since IS NOT NULL
"""


def _execute(statement: str, values: Sequence[Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.rowcount > 0


def hold(connection_id: uuid.UUID, *, sealed_token: str, reason: str) -> None:
    """Stop claiming for a number whose credentials Meta refused; its queue waits for new ones.

    ``sealed_token`` is the token that was refused: when the customer has saved another one meanwhile,
    the refusal says nothing about it and nothing is held.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_HOLD, [reason, connection_id, sealed_token])
        held = cursor.fetchone()
        if held is not None:
            account_id, phone_number_id, phone = held
            webhook_events.number_held(
                account_id, phone_number_id=phone_number_id, phone=phone, reason=reason
            )
    if held is not None:
        log.warning("number held", connection=str(connection_id), reason=reason)


def pause(connection_id: uuid.UUID, *, seconds: float, reason: str) -> None:
    """Claim nothing for a number, and for the others of its WhatsApp account, for ``seconds``."""
    _execute(_PAUSE, [seconds, reason, connection_id])
    log.warning("number paused", connection=str(connection_id), seconds=seconds, reason=reason)


def slow_down(connection_id: uuid.UUID) -> None:
    """Halve a number's rate after Meta said it is too fast (130429), and give it a second's rest."""
    if _execute(_SLOW_DOWN, [SLOWEST, RECOVERY_PER_SECOND, connection_id]):
        log.info("number slowed down", connection=str(connection_id))


def open_breaker(connection_id: uuid.UUID) -> None:
    """Stop sending for a number for which Meta keeps failing; a probe goes out every few seconds."""
    if _execute(_OPEN, [PROBE_EVERY_SECONDS, connection_id]):
        log.warning("breaker opened", connection=str(connection_id))


def close_breaker(connection_id: uuid.UUID) -> None:
    """Send again, slowly at first: a probe came through."""
    if _execute(_CLOSE, [RAMP_FROM, connection_id]):
        log.info("breaker closed", connection=str(connection_id))


class Breakers:
    """Counts each number's failures in a row, as one worker sees them."""

    def __init__(self) -> None:
        self._failures: dict[uuid.UUID, int] = {}

    def failed(self, connection_id: uuid.UUID) -> bool:
        """Note a failure; True when it is one that opens the breaker."""
        count = self._failures.get(connection_id, 0) + 1
        self._failures[connection_id] = count
        return count % FAILURES_TO_OPEN == 0

    def answered(self, connection_id: uuid.UUID) -> None:
        """Note that Meta answered, whatever it said."""
        self._failures.pop(connection_id, None)
