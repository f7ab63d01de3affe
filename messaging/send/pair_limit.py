"""The pair limit: at most 45 messages at once and one per six seconds to the same person (contract 3.4).

Each contact carries one moment, ``pair_slot_at``: every message moves it six seconds further from now.
While it is less than a burst ahead, one more may go; otherwise only that person's message waits.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from messaging.models import Status
from messaging.send.claims_sql import Leased

PER_MESSAGE_SECONDS = 6.0
BURST = 45
_AHEAD_AT_MOST = PER_MESSAGE_SECONDS * (BURST - 1)

# Contacts belong to one number, and the claim holds that number's lock: no two claims meet here. A claim
# and a batch of callbacks may, hence the order (contacts.hold).
_RESERVE = """
WITH held AS MATERIALIZED (
    SELECT id FROM messaging_contact WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE
)
UPDATE messaging_contact c
SET pair_slot_at = greatest(c.pair_slot_at, now()) + make_interval(secs => u.count * %s)
FROM held JOIN unnest(%s::uuid[], %s::int[]) AS u(id, count) USING (id) WHERE c.id = held.id
RETURNING c.id, extract(epoch FROM c.pair_slot_at - now())::float - u.count * %s
"""
_RETURN = """
UPDATE messaging_contact c SET pair_slot_at = c.pair_slot_at - make_interval(secs => u.count * %s)
FROM unnest(%s::uuid[], %s::int[]) AS u(id, count) WHERE c.id = u.id
"""
_POSTPONE = """
UPDATE messaging_message m
SET due_at = now() + make_interval(secs => u.seconds), crashes = greatest(m.crashes - 1, 0)
FROM unnest(%s::uuid[], %s::float[]) AS u(id, seconds) WHERE m.id = u.id
"""
_CALLS = (Status.QUEUED, Status.SCHEDULED, Status.RETRYING)


def admit(cursor: Any, rows: Sequence[Leased]) -> list[Leased]:
    """Return the claimed rows that may be called for now, having reserved their place.

    The others are due again at the moment when their recipient's limit allows them.
    """
    counted = Counter(row.contact_id for row in rows if row.contact_id and _needs_place(row))
    if not counted:
        return list(rows)
    people, counts = list(counted), list(counted.values())
    cursor.execute(_RESERVE, [people, PER_MESSAGE_SECONDS, people, counts, PER_MESSAGE_SECONDS])
    ahead: dict[uuid.UUID, float] = dict(cursor.fetchall())
    admitted: list[Leased] = []
    postponed: dict[uuid.UUID, float] = {}
    returned: Counter[uuid.UUID] = Counter()
    for row in rows:
        contact = row.contact_id
        if not _needs_place(row) or contact not in ahead:
            admitted.append(row)
            continue
        wait = ahead[contact] - _AHEAD_AT_MOST
        ahead[contact] += PER_MESSAGE_SECONDS
        if wait <= 0:
            admitted.append(row)
        else:
            postponed[row.id] = wait
            returned[contact] += 1
    if postponed:
        cursor.execute(_RETURN, [PER_MESSAGE_SECONDS, list(returned), list(returned.values())])
        cursor.execute(_POSTPONE, [list(postponed), list(postponed.values())])
    return admitted


def _needs_place(row: Leased) -> bool:
    return row.contact_id is not None and not row.dry_run and row.status in _CALLS
