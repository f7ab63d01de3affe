"""Claims of deliveries: leased in batches, their outcomes recorded in batches.

Two transactions, both short and without any network in them.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.db import transaction

from core.sql import hot, rows, rows_as
from core.storable import storable
from webhooks.outgoing import claims_sql
from webhooks.outgoing.schedule import Verdict

log = structlog.get_logger(__name__)

#: endpoints looked at by one claim
ENDPOINTS_AT_ONCE = 200
#: failures in a row that open an endpoint's breaker
FAILURES_TO_OPEN = 5
#: seconds between two probes while the breaker is open
PROBE_EVERY_SECONDS = 30.0
#: an endpoint with nothing but failures for so long is disabled
DISABLE_AFTER_SECONDS = 5 * 86_400.0
#: characters of an answer that the log keeps
RESPONSE_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Target:
    """A row of ``ENDPOINTS``: an endpoint as it is at the moment of a claim; its secrets are still sealed."""

    id: uuid.UUID
    account_id: uuid.UUID
    url: str
    headers_sealed: str
    secret_sealed: str
    previous_secret_sealed: str
    probing: bool
    failing: bool
    #: seconds since its breaker closed; None: it never was open
    recovering_for: float | None
    #: when its owner last changed it
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """A row of ``CLAIM``: a leased delivery, ours until the lease runs out."""

    id: uuid.UUID
    token: int
    endpoint_id: uuid.UUID
    #: attempts of this schedule that were made before
    tried: int
    event_id: uuid.UUID
    subject: str
    text: str

    @property
    def body(self) -> bytes:
        """What is signed and sent."""
        return self.text.encode()


@dataclass(frozen=True, slots=True)
class Outcome:
    """One attempt: what was sent, what came back, and what it means."""

    claim: Claim
    verdict: Verdict
    at: datetime
    milliseconds: int
    status: int | None
    error: str
    url: str
    headers: dict[str, str]
    response: str


@dataclass(slots=True)
class Claimed:
    """What a claim brought."""

    targets: dict[uuid.UUID, Target] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)


@transaction.atomic
def claim(
    room: int,
    *,
    slots_for: Callable[[Target], int],
    room_of: Callable[[uuid.UUID], int],
    without: Collection[uuid.UUID] = (),
    without_accounts: Collection[uuid.UUID] = (),
) -> Claimed:
    """Lease what is due: at most ``room`` deliveries, of each endpoint at most what ``slots_for`` gives.

    ``room_of`` is how many of an account, whatever its endpoints. ``without`` are endpoints and accounts that
    have enough already. An endpoint whose breaker is open gets one probe.
    """
    claimed = Claimed()
    wanted: dict[uuid.UUID, int] = {}
    taken: Counter[uuid.UUID] = Counter()
    asked = [list(without), list(without_accounts), ENDPOINTS_AT_ONCE]
    for target in rows_as(Target, claims_sql.ENDPOINTS, asked):
        left = min(room, room_of(target.account_id) - taken[target.account_id])
        slots = min(1 if target.probing else slots_for(target), left)
        if slots <= 0:
            continue
        room -= slots
        taken[target.account_id] += slots
        claimed.targets[target.id] = target
        wanted[target.id] = slots
    if not wanted:
        return claimed
    probes = [target.id for target in claimed.targets.values() if target.probing]
    if probes:
        rows(claims_sql.PROBE, [PROBE_EVERY_SECONDS, probes])
    claimed.claims = rows_as(
        Claim,
        claims_sql.CLAIM,
        [list(wanted), list(wanted.values()), settings.WEBHOOK_LEASE_SECONDS],
    )
    claimed.claims.sort(key=lambda one: one.id)
    return claimed


def changed(targets: Sequence[Target]) -> set[uuid.UUID]:
    """Return which of these endpoints were changed, disabled or removed since they were claimed for."""
    with hot() as cursor:
        cursor.execute(claims_sql.CHANGED, [[one.id for one in targets], [one.updated_at for one in targets]])
        return {ident for (ident,) in cursor.fetchall()}


def give_back(claims: Sequence[Claim]) -> None:
    """Let deliveries that were not tried be due again at once."""
    if claims:
        with hot() as cursor:
            cursor.execute(claims_sql.GIVE_BACK, [[one.id for one in claims], [one.token for one in claims]])


@transaction.atomic
def record(outcomes: Sequence[Outcome]) -> None:
    """Write what came of attempts: the deliveries, the log, the state of the endpoints."""
    with hot() as cursor:
        cursor.execute(claims_sql.RECORD, _columns(outcomes))
        states = _states(outcomes)
        cursor.execute(
            claims_sql.ENDPOINT_STATE,
            [*states, FAILURES_TO_OPEN, FAILURES_TO_OPEN, PROBE_EVERY_SECONDS],
        )
        gone = sorted({one.claim.endpoint_id for one in outcomes if one.verdict.gone})
        failed = sorted({one.claim.endpoint_id for one in outcomes if not one.verdict.arrived})
        if failed:
            cursor.execute(claims_sql.DISABLE, [gone, gone, failed, DISABLE_AFTER_SECONDS])
            for (ident,) in cursor.fetchall():
                log.warning("endpoint disabled", endpoint=str(ident), gone=ident in gone)


def _columns(outcomes: Sequence[Outcome]) -> list[list[Any]]:
    return [
        [one.claim.id for one in outcomes],
        [one.claim.token for one in outcomes],
        [one.verdict.arrived for one in outcomes],
        [one.verdict.retry_in for one in outcomes],
        [one.at for one in outcomes],
        [one.milliseconds for one in outcomes],
        [one.status for one in outcomes],
        [storable(one.error[:300]) for one in outcomes],
        [one.url for one in outcomes],
        [orjson.dumps(one.headers).decode() for one in outcomes],
        [storable(one.response[:RESPONSE_KEPT]) for one in outcomes],
    ]


def _states(outcomes: Sequence[Outcome]) -> list[list[Any]]:
    """Add outcomes up by endpoint: did any arrive, how many failed since, how long a rest it wants."""
    found: dict[uuid.UUID, tuple[bool, int, float]] = {}
    for one in outcomes:
        arrived, failures, pause = found.get(one.claim.endpoint_id, (False, 0, 0.0))
        if one.verdict.arrived:
            found[one.claim.endpoint_id] = (True, 0, pause)
        else:
            found[one.claim.endpoint_id] = (arrived, failures + 1, max(pause, one.verdict.pause))
    states = sorted(found.items())
    return [
        [ident for ident, _ in states],
        [arrived for _, (arrived, _, _) in states],
        [failures for _, (_, failures, _) in states],
        [pause for _, (_, _, pause) in states],
    ]
