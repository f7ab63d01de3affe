"""Claims of messages: many due rows at once, fair over numbers, each number's pace in the same commit.

A claim is a postponement: ``due_at`` moves to the end of the lease and ``lease_token`` goes up. If the
worker dies, the row is simply due again. Only the database's clock counts.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import transaction

from core.sql import hot, rows_as
from messaging.models import Status
from messaging.send import claims_sql, pair_limit
from messaging.send.claims_sql import DueNumber, Leased

#: How far ahead slots of a number's rate are given out. Long enough for a claim to be worth its
#: statements, short enough that a one-time password never waits behind more than this much bulk.
HORIZON_SECONDS = 0.25
#: Numbers served by one claim; the rest come first next time (their slots are older).
NUMBERS_PER_CLAIM = 100
#: The part of each number's slots that bulk gets even while single messages wait.
BULK_SHARE = 0.1
#: How quickly a number that was slowed down climbs back: this part of its full rate every second.
RECOVERY_PER_SECOND = 0.03
#: How long a number whose breaker is open waits for the next probe.
PROBE_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Claim:
    """One leased message. ``wait`` is the number of seconds until its slot; ``left`` until it expires."""

    id: uuid.UUID
    token: int
    #: the number it goes out from
    number: DueNumber | None
    account_id: uuid.UUID
    status: Status
    recipient: str
    content: dict[str, Any]
    dry_run: bool
    attempts: int
    crashes: int
    correlation_id: str
    contact_id: uuid.UUID | None
    wait: float
    left: float | None
    submitted_ago: float | None
    suppressed: bool  # the recipient opted out since the message was accepted
    round: int

    @property
    def suspect(self) -> bool:
        """Whether earlier claims of this message ended with their worker often enough to set it apart."""
        return self.crashes > claims_sql.SUSPECT_CRASHES


@transaction.atomic
def claim(capacity: int, *, suspect: bool = True) -> list[Claim]:
    """Lease up to about ``capacity`` due messages; an empty list when nothing is due or may go now.

    ``suspect``: one of them may be a message whose earlier claims ended with their worker. At most one at
    a time should be under way in a process, so that a message which kills workers is told from those that
    were merely near it.
    """
    limits = [RECOVERY_PER_SECOND, HORIZON_SECONDS, NUMBERS_PER_CLAIM]
    numbers = rows_as(DueNumber, claims_sql.NUMBERS, limits)
    claims = _of_numbers(numbers, capacity, suspect) if numbers else []
    if len(claims) < capacity:
        leased = rows_as(
            Leased,
            claims_sql.CLAIM_WITHOUT_NUMBER,
            [capacity - len(claims), settings.SEND_LEASE_SECONDS],
        )
        claims += [_claim(row, None, 0.0) for row in leased]
    return claims


def _of_numbers(numbers: Sequence[DueNumber], capacity: int, suspect: bool) -> list[Claim]:
    by_id = {one.id: one for one in numbers}
    rates = {one.id: max(one.rate, 0.01) for one in numbers}
    slots = share(
        {
            one.id: 1 if one.probing else max(1, round((HORIZON_SECONDS - one.first_slot) * rates[one.id]))
            for one in numbers
        },
        capacity,
    )
    bulk = {ident: max(1, round(count * BULK_SHARE)) if count > 1 else 0 for ident, count in slots.items()}
    probing = [ident for ident in slots if by_id[ident].probing]
    wanted = [list(slots), list(slots.values()), list(bulk.values()), suspect, settings.SEND_LEASE_SECONDS]
    taken = dict.fromkeys(by_id, 0)
    claims: list[Claim] = []
    with hot() as cursor:
        if probing:
            cursor.execute(claims_sql.PROBE, [PROBE_EVERY_SECONDS, probing])
        leased = pair_limit.admit(cursor, rows_as(Leased, claims_sql.CLAIM, wanted))
        # Within a number the lane decides who gets the earlier slot; the rows come back in no order.
        leased.sort(key=lambda row: row.lane)
        for row in leased:
            assert row.connection_id is not None
            number = by_id[row.connection_id]
            wait = number.first_slot + taken[number.id] / rates[number.id]
            if not row.dry_run:  # it makes no call and needs no slot
                taken[number.id] += 1
            claims.append(_claim(row, number, wait))
        used = {ident: count / rates[ident] for ident, count in taken.items() if count}
        if used:
            cursor.execute(claims_sql.RESERVE, [list(used), list(used.values())])
    return claims


def share(wanted: dict[uuid.UUID, int], capacity: int) -> dict[uuid.UUID, int]:
    """Divide ``capacity`` over the numbers so that each gets what it wants or an equal part.

    What one number does not need goes to the others, in the order given.
    """
    given: dict[uuid.UUID, int] = {}
    left = capacity
    by_appetite = sorted(wanted, key=lambda ident: wanted[ident])
    for position, ident in enumerate(by_appetite):
        part = left // (len(by_appetite) - position)
        given[ident] = min(wanted[ident], part)
        left -= given[ident]
    return given


def _claim(row: Leased, number: DueNumber | None, wait: float) -> Claim:
    return Claim(
        id=row.id,
        token=row.token,
        number=number,
        account_id=row.account_id,
        status=Status(row.status),
        recipient=row.recipient,
        content=orjson.loads(row.content),
        dry_run=row.dry_run,
        attempts=row.attempts,
        crashes=row.crashes,
        correlation_id=row.correlation_id,
        contact_id=row.contact_id,
        wait=wait,
        left=row.left,
        submitted_ago=row.submitted_ago,
        suppressed=row.suppressed,
        round=row.round,
    )
