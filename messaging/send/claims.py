"""Taking due rows: many at once, fair over numbers, with each number's pace reserved in the same commit.

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

from core.sql import hot
from messaging.models import Status
from messaging.send import claims_sql, pair_limit

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
class Sender:
    """The number that a claimed message goes out from, as it was when claimed."""

    id: uuid.UUID
    account_id: uuid.UUID
    phone_number_id: str
    waba_id: str
    access_token_sealed: str
    app_secret_sealed: str
    removed: bool
    probing: bool  # its breaker is open and this claim is the probe
    proven: bool  # Meta has answered to its token; the first message that Meta takes proves it, too


@dataclass(frozen=True, slots=True)
class Claim:
    """One leased message. ``wait`` is the number of seconds until its slot; ``left`` until it expires."""

    id: uuid.UUID
    token: int
    sender: Sender | None
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
    with hot() as cursor:
        cursor.execute(claims_sql.NUMBERS, [RECOVERY_PER_SECOND, HORIZON_SECONDS, NUMBERS_PER_CLAIM])
        numbers = cursor.fetchall()
        claims = _of_numbers(cursor, numbers, capacity, suspect) if numbers else []
        if len(claims) < capacity:
            cursor.execute(
                claims_sql.CLAIM_WITHOUT_NUMBER, [capacity - len(claims), settings.SEND_LEASE_SECONDS]
            )
            claims += [_claim(row, None, 0.0) for row in cursor.fetchall()]
    return claims


def _of_numbers(cursor: Any, numbers: Sequence[tuple[Any, ...]], capacity: int, suspect: bool) -> list[Claim]:
    senders: dict[uuid.UUID, Sender] = {}
    rates: dict[uuid.UUID, float] = {}
    first_slots: dict[uuid.UUID, float] = {}
    for *sender, rate, first_slot in numbers:
        senders[sender[0]] = Sender(*sender)
        rates[sender[0]] = max(rate, 0.01)
        first_slots[sender[0]] = first_slot
    slots = share(
        {
            ident: 1
            if senders[ident].probing
            else max(1, round((HORIZON_SECONDS - first_slots[ident]) * rates[ident]))
            for ident in senders
        },
        capacity,
    )
    bulk = {ident: max(1, round(count * BULK_SHARE)) if count > 1 else 0 for ident, count in slots.items()}
    probing = [ident for ident in slots if senders[ident].probing]
    if probing:
        cursor.execute(claims_sql.PROBE, [PROBE_EVERY_SECONDS, probing])
    cursor.execute(
        claims_sql.CLAIM,
        [list(slots), list(slots.values()), list(bulk.values()), suspect, settings.SEND_LEASE_SECONDS],
    )
    rows = pair_limit.admit(cursor, cursor.fetchall())
    # Within a number the lane decides who gets the earlier slot; the rows come back in no order.
    rows.sort(key=lambda row: row[11])
    taken = dict.fromkeys(senders, 0)
    claims: list[Claim] = []
    for row in rows:
        ident = row[2]
        wait = first_slots[ident] + taken[ident] / rates[ident]
        if not row[7]:  # a dry run makes no call and needs no slot
            taken[ident] += 1
        claims.append(_claim(row, senders[ident], wait))
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


def _claim(row: tuple[Any, ...], sender: Sender | None, wait: float) -> Claim:
    return Claim(
        id=row[0],
        token=row[1],
        sender=sender,
        account_id=row[3],
        status=Status(row[4]),
        recipient=row[5],
        content=orjson.loads(row[6]),
        dry_run=row[7],
        attempts=row[8],
        crashes=row[9],
        correlation_id=row[10],
        wait=wait,
        contact_id=row[12],
        left=row[13],
        submitted_ago=row[14],
        suppressed=row[15],
        round=row[16],
    )
