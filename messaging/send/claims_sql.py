"""Statements of the claim and their rows. Made of constants only; every value travels as a parameter."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from messaging.models import Message


class DueNumber(NamedTuple):
    """A row of ``NUMBERS``: a number with due messages, as it was when claimed."""

    id: uuid.UUID
    account_id: uuid.UUID
    phone_number_id: str
    waba_id: str
    access_token_sealed: str
    app_secret_sealed: str
    removed: bool
    #: its breaker is open and this claim is the probe
    probing: bool
    #: Meta has answered to its token; the first message that Meta takes proves it, too
    proven: bool
    #: messages a second, after what it was slowed down to
    rate: float
    #: seconds until its next slot
    first_slot: float


class Leased(NamedTuple):
    """A row of ``CLAIM`` and ``CLAIM_WITHOUT_NUMBER``: a message that is ours until its lease runs out."""

    id: uuid.UUID
    token: int
    connection_id: uuid.UUID | None
    account_id: uuid.UUID
    status: str
    recipient: str
    content: str
    dry_run: bool
    attempts: int
    crashes: int
    correlation_id: str
    lane: int
    contact_id: uuid.UUID | None
    #: seconds until it expires
    left: float | None
    #: seconds since it was handed to Meta
    submitted_ago: float | None
    #: the recipient opted out since the message was accepted
    suppressed: bool
    round: int


#: claims without an outcome after which a row is only claimed while no other such row is under way
SUSPECT_CRASHES = 3

# A recursive CTE: the numbers with pending rows, found by skipping from one to the next in the partial index.
# The cost is one probe per such number, not one per row; its last row is null.
PENDING = """
pending AS (
    (SELECT connection_id FROM messaging_message
     WHERE due_at IS NOT NULL AND connection_id IS NOT NULL ORDER BY connection_id LIMIT 1)
    UNION ALL
    SELECT (SELECT m.connection_id FROM messaging_message m
            WHERE m.due_at IS NOT NULL AND m.connection_id > pending.connection_id
            ORDER BY m.connection_id LIMIT 1)
    FROM pending WHERE pending.connection_id IS NOT NULL
)"""
#: each lane's earliest due time, for rows that ``{whose}``. ORDER BY with LIMIT 1 can only be an index probe,
#: where EXISTS or min() tempts the planner to read the whole table as soon as most rows would do.
_EARLIEST = (
    "(SELECT m.due_at FROM messaging_message m WHERE m.connection_id {whose} "
    "AND m.lane = {lane} AND m.due_at IS NOT NULL ORDER BY m.due_at LIMIT 1)"
)


def earliest(whose: str) -> list[str]:
    """Return one scalar subquery a lane: when its first row is due, null without one.

    ``whose`` is what the rows' ``connection_id`` must be, in SQL: ``= p.connection_id``, ``IS NULL``.
    """
    return [_EARLIEST.format(whose=whose, lane=lane) for lane in Message.Lane.values]


# Numbers that have due rows: those with pending ones, then each one's earliest row of each lane.
NUMBERS = """
WITH RECURSIVE {pending}, due AS MATERIALIZED (
    SELECT p.connection_id FROM pending p WHERE p.connection_id IS NOT NULL AND ({due})
)
SELECT c.id, c.account_id, c.phone_number_id, c.waba_id, c.access_token_sealed, c.app_secret_sealed,
       c.removed_at IS NOT NULL AS removed, c.breaker_open_since IS NOT NULL AS probing,
       c.proven_at IS NOT NULL AS proven,
       least(c.messages_per_second, c.slowed_to
           + c.messages_per_second * %s * extract(epoch FROM now() - c.slowed_at))::float AS rate,
       greatest(extract(epoch FROM c.next_slot_at - now()), 0)::float AS first_slot
FROM accounts_connection c
WHERE c.id IN (SELECT connection_id FROM due)
  AND c.status <> 'held'
  -- A deactivated account sends nothing; what it queued waits for it. A removed number's rows fail.
  AND (c.removed_at IS NOT NULL OR (SELECT a.is_active FROM accounts_account a WHERE a.id = c.account_id))
  AND (c.paused_until IS NULL OR c.paused_until <= now())
  AND (c.next_slot_at IS NULL OR c.next_slot_at < now() + make_interval(secs => %s))
ORDER BY c.next_slot_at NULLS FIRST
LIMIT %s
FOR NO KEY UPDATE OF c SKIP LOCKED
""".format(
    pending=PENDING,
    due=" OR ".join(f"{one} <= now()" for one in earliest("= p.connection_id")),
)
# One lane's due rows of every wanted number. Each lane is a range of the partial index of its own, so
# rows scheduled for later are never read, however many there are.
_LANE = """
    SELECT p.id, w.connection_id FROM {slots} w CROSS JOIN LATERAL (
        SELECT m.id FROM messaging_message m
        WHERE m.connection_id = w.connection_id AND m.lane = {lane} AND m.due_at <= now()
            AND m.crashes < {most}
        ORDER BY m.due_at LIMIT w.slots FOR NO KEY UPDATE SKIP LOCKED) p
"""
# Rows whose claims ended without an outcome again and again, one at a time: if one of them kills the
# worker, only its own count goes on.
_SUSPECT = """
    SELECT m.id FROM messaging_message m JOIN wanted w USING (connection_id)
    WHERE %s AND m.crashes >= {most} AND m.due_at <= now()
    ORDER BY m.due_at LIMIT 1 FOR NO KEY UPDATE OF m SKIP LOCKED
"""
_LEFT = """
    SELECT w.connection_id, greatest({least}, w.slots - count(taken.id))::int AS slots, w.bulk
    FROM {slots} w LEFT JOIN {taken} taken USING (connection_id)
    GROUP BY w.connection_id, w.slots, w.bulk
"""
_LEASE = """
UPDATE messaging_message m
SET lease_token = m.lease_token + 1, due_at = now() + make_interval(secs => %s), crashes = m.crashes + 1
WHERE m.id IN ({ids})
RETURNING m.id, m.lease_token AS token, m.connection_id, m.account_id, m.status, m.recipient,
          m.content::text AS content,
          m.dry_run, m.attempts, m.crashes, m.correlation_id, m.lane, m.contact_id,
          extract(epoch FROM m.expires_at - now())::float AS "left",
          extract(epoch FROM now() - m.submitted_at)::float AS submitted_ago,
          EXISTS (SELECT 1 FROM messaging_suppression s
                  WHERE s.account_id = m.account_id AND s.phone = m.recipient
                    AND (NOT s.marketing_only OR EXISTS (
                        SELECT 1 FROM messaging_template t
                        WHERE t.account_id = m.account_id AND t.category = 'MARKETING'
                          AND t.name = m.content->'template'->>'name'
                          AND t.language = m.content->'template'->>'language'))) AS suppressed,
          m.round
"""


def _lane(slots: str, lane: Message.Lane) -> str:
    return _LANE.format(slots=slots, lane=int(lane), most=SUSPECT_CRASHES)


CLAIM = (
    "WITH wanted AS (SELECT * FROM unnest(%s::uuid[], %s::int[], %s::int[]) "
    "AS w(connection_id, slots, bulk)), "
    f"replies AS MATERIALIZED ({_lane('wanted', Message.Lane.REPLY)}), "
    f"after_replies AS ({_LEFT.format(slots='wanted', taken='replies', least='0')}), "
    f"singles AS MATERIALIZED ({_lane('after_replies', Message.Lane.SINGLE)}), "
    f"after_singles AS ({_LEFT.format(slots='after_replies', taken='singles', least='w.bulk')}), "
    f"bulk AS MATERIALIZED ({_lane('after_singles', Message.Lane.BULK)}), "
    f"suspect AS MATERIALIZED ({_SUSPECT.format(most=SUSPECT_CRASHES)}) "
    + _LEASE.format(
        ids="SELECT id FROM replies UNION ALL SELECT id FROM singles UNION ALL SELECT id FROM bulk "
        "UNION ALL SELECT id FROM suspect"
    )
)
# Materialised, because the planner may run a mere subquery once per row, and each run would pick others.
CLAIM_WITHOUT_NUMBER = (
    "WITH picked AS MATERIALIZED (SELECT id FROM messaging_message "
    "WHERE connection_id IS NULL AND due_at <= now() "
    "ORDER BY lane, due_at LIMIT %s FOR NO KEY UPDATE SKIP LOCKED) "
    + _LEASE.format(ids="SELECT id FROM picked")
)
PROBE = """
UPDATE accounts_connection SET paused_until = now() + make_interval(secs => %s) WHERE id = ANY(%s)
"""
RESERVE = """
UPDATE accounts_connection c
SET next_slot_at = greatest(c.next_slot_at, now()) + make_interval(secs => u.seconds)
FROM unnest(%s::uuid[], %s::float[]) AS u(id, seconds) WHERE c.id = u.id
"""
