"""The inbox: what Meta and Stripe call in is stored before it is answered, and applied by the worker after.

Each source is drained by itself and with a ``Patience`` of its own: Meta's callbacks here, in batches of one
transaction; Stripe's events in ``stripe_events``, because a question to Stripe belongs in no transaction.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction

from core.correlation import correlation_id
from core.failpoints import failpoint
from core.ids import uuid7
from core.json_signed import written
from core.sql import hot, rows_as
from webhooks.incoming import archive
from webhooks.models import InboundEvent

log = structlog.get_logger(__name__)

BATCH = 200
#: tries before a callback of Meta's that cannot be applied is left for an operator
MAX_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Patience:
    """How a source's callback is tried again: the n-th wait is ``base`` to the power of n, in seconds."""

    max_attempts: int
    base: float
    longest_seconds: float


_META = Patience(max_attempts=MAX_ATTEMPTS, base=4, longest_seconds=256)


@dataclass(frozen=True, slots=True)
class Held:
    """A claimed callback: a row of ``_CLAIM``."""

    id: uuid.UUID
    token: int
    account_id: uuid.UUID | None
    kept: bytes
    attempts: int
    correlation_id: str
    #: it was applied in full before, and is applied once more (``manage.py reprocess_callbacks``)
    again: bool

    @property
    def raw(self) -> bytes:
        """The bytes that were signed. Raises ``vault.CannotOpen``."""
        return archive.unseal(self.id, self.kept)


#: applies callbacks and returns, per callback, the items that had to be set aside
Apply = Callable[[Sequence[Held]], dict[uuid.UUID, list[dict[str, object]]]]

_INSERT = """
INSERT INTO webhooks_inboundevent
    (id, source, account_id, digest, raw, names, correlation_id,
     received_at, due_at, lease_token, attempts, parked)
VALUES (%s, %s, %s, %s, %s, %s, %s, now(), now(), 0, 0, '[]')
ON CONFLICT (digest) DO NOTHING
"""
# Picked first and materialised: as a subquery the planner may run it once per row of a small table, and
# each run would skip what it has locked and pick more.
_CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM webhooks_inboundevent WHERE due_at <= now() AND source = %s
    ORDER BY due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE webhooks_inboundevent e
SET lease_token = e.lease_token + 1, due_at = now() + make_interval(secs => %s), attempts = e.attempts + 1
WHERE e.id IN (SELECT id FROM picked)
RETURNING e.id, e.lease_token AS token, e.account_id, e.raw AS kept, e.attempts, e.correlation_id,
          e.applied_at IS NOT NULL AND e.parked = '[]' AS again
"""
_DONE = """
UPDATE webhooks_inboundevent e SET due_at = NULL, applied_at = now(), parked = u.parked, names = ''
FROM unnest(%s::uuid[], %s::bigint[], %s::jsonb[]) AS u(id, token, parked)
WHERE e.id = u.id AND e.lease_token = u.token
"""
_LATER = """
UPDATE webhooks_inboundevent
SET due_at = CASE WHEN attempts >= %s THEN NULL
                  ELSE now() + make_interval(secs => least(power(%s::float8, least(attempts, 10)), %s)) END,
    parked = %s::jsonb
WHERE id = %s AND lease_token = %s
"""
# Somebody whom we must ask is silent. It waits for as long again as it has waited, and no try is counted.
_SILENCE = """
UPDATE webhooks_inboundevent
SET due_at = now() + make_interval(secs => least(greatest(extract(epoch FROM now() - received_at), 3), %s)),
    attempts = attempts - 1, parked = %s::jsonb
WHERE id = %s AND lease_token = %s
"""
# The database's own troubles (a deadlock, a restart) say nothing of the callback: it is never given up for
# them, and seconds later they are over.
_SOON = """
UPDATE webhooks_inboundevent
SET due_at = now() + make_interval(secs => 1 + random()), attempts = attempts - 1
WHERE id = %s AND lease_token = %s
"""


def receive(
    *,
    source: InboundEvent.Source,
    account_id: uuid.UUID | None,
    raw: bytes,
    names: Iterable[str] = (),
    known_as: str = "",
) -> bool:
    """Store a verified callback, sealed: one insert. False: it was stored before.

    ``names`` are words by which it can be found until it is applied. The same callback is the same bytes;
    where the sender gives it an id of its own (``known_as``), it is the same id, however it is written.
    The account is part of the digest, so that one signer cannot make another's callback a duplicate.
    """
    digest = hashlib.sha256(f"{source}:{account_id or ''}:".encode() + raw).digest()
    if known_as:
        digest = digest_of(source, known_as)
    ident = uuid7()
    kept = archive.seal(ident, raw)
    with hot() as cursor:
        cursor.execute(
            _INSERT, [ident, source, account_id, digest, kept, " ".join(sorted(names)), correlation_id()]
        )
        return cursor.rowcount == 1


def digest_of(source: InboundEvent.Source, known_as: str) -> bytes:
    """Return the digest of what its sender gave an id; it cannot be that of any bytes."""
    # webhooks/migrations/0004_one_inbox.py writes it, too.
    return hashlib.sha256(f"{source}/id:{known_as}".encode()).digest()


def drain(*, source: InboundEvent.Source, apply: Apply, seconds: float = 30.0) -> int:
    """Apply what is due now, in batches; returns how many callbacks were applied.

    When a batch fails as a whole, its callbacks are tried one by one, and one that keeps failing is
    parked after ``MAX_ATTEMPTS``.
    """
    done = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        held = claim(source, batch=BATCH, lease_seconds=settings.INBOX_LEASE_SECONDS)
        if not held:
            break
        failpoint("inbox.after_claim")
        try:
            done += apply_held(held, apply)
            failpoint("inbox.after_commit")
        except Exception:
            if len(held) > 1:
                log.exception("a batch of callbacks failed; each is tried by itself", count=len(held))
            for one in held:
                try:
                    done += apply_held([one], apply)
                except Exception as error:
                    log.exception("a callback could not be applied", callback=str(one.id))
                    try_later(one, error, _META)
        if len(held) < BATCH:
            # What came meanwhile is worth waiting for: many in one transaction cost little more than one.
            break
    return done


@transaction.atomic
def claim(source: InboundEvent.Source, *, batch: int, lease_seconds: float) -> list[Held]:
    """Take callbacks of a source that are due; nobody else has them until the lease ends."""
    held = rows_as(Held, _CLAIM, [source, batch, lease_seconds])
    return sorted(held, key=lambda one: one.id)


@transaction.atomic
def apply_held(held: Sequence[Held], apply: Apply) -> int:
    """Apply claimed events and let them go, in one transaction; returns how many."""
    parked = apply(held)
    finish(held, parked)
    failpoint("inbox.before_commit")
    return len(held)


def finish(held: Sequence[Held], parked: Mapping[uuid.UUID, list[dict[str, object]]]) -> None:
    """Mark claimed callbacks as applied, with what had to be set aside of each."""
    with hot() as cursor:
        cursor.execute(
            _DONE,
            [
                [one.id for one in held],
                [one.token for one in held],
                [written(parked.get(one.id, [])) for one in held],
            ],
        )
    for ident, items in parked.items():
        log.warning("items of a callback were parked", callback=str(ident), count=len(items))


def try_later(one: Held, error: Exception, patience: Patience) -> None:
    """Let a callback that could not be applied come again; after its last try it is left to an operator."""
    with hot() as cursor:
        if isinstance(error, OperationalError | InterfaceError):
            cursor.execute(_SOON, [one.id, one.token])
            return
        cursor.execute(
            _LATER,
            [
                *(patience.max_attempts, patience.base, patience.longest_seconds),
                *(_reason(error), one.id, one.token),
            ],
        )


def wait_for_answer(one: Held, error: Exception, *, longest_seconds: float) -> None:
    """Let a callback come again whose sender does not answer our question. It is never given up for that."""
    with hot() as cursor:
        cursor.execute(_SILENCE, [longest_seconds, _reason(error), one.id, one.token])


def _reason(error: Exception) -> str:
    return written([{"reason": repr(error)[:500]}])
