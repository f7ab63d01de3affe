"""The statement that stores accepted messages, with their first timeline entry, and takes what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from accounts.models import Account, ApiKey, Connection
from billing import quota
from core.correlation import correlation_id
from core.sql import rows
from messaging.models import Batch, Message

# The rows travel as one JSON text: cheaper to write and to read than an array for each column. What they
# cost is taken from the quota in the same breath; nothing is stored when the quota does not have it.
_STORE = f"""
WITH paid AS MATERIALIZED (SELECT {quota.TAKEN} AS enough), fresh AS (
    INSERT INTO messaging_message (
        id, account_id, connection_id, agent_id, api_key_id, batch_id, contact_id, direction, source,
        recipient, type, body, content, metadata, dry_run, correlation_id, status, sequence, lane, due_at,
        lease_token, attempts, crashes, expires_at, scheduled_for, failed_at, failure, error_message,
        created_at)
    SELECT u.id, %s::uuid, CASE WHEN NOT u.dry_run THEN %s::uuid END, %s::uuid, %s::uuid, %s::uuid,
           u.contact_id, 'out', %s, u.recipient,
           u.type, u.body, u.content, u.metadata, u.dry_run, %s, u.status, 1, u.lane,
           CASE WHEN u.failure = '' THEN coalesce(u.send_at, now()) END,
           0, 0, 0, coalesce(u.send_at, now()) + make_interval(secs => u.lifetime), u.send_at,
           CASE WHEN u.failure <> '' THEN now() END, u.failure, u.why, now()
    FROM paid CROSS JOIN jsonb_to_recordset(%s::jsonb)
        AS u(id uuid, contact_id uuid, recipient text, type text, body text, content jsonb, metadata jsonb,
             dry_run boolean, send_at timestamptz, lifetime float, lane smallint, status text, failure text,
             why text)
    WHERE paid.enough
    RETURNING id, status
)
INSERT INTO messaging_messageevent (message_id, sequence, status, at, recorded_at)
SELECT id, 1, status, now(), now() FROM fresh
RETURNING recorded_at
"""


def store(
    stored: Sequence[dict[str, Any]],
    *,
    cost: int,
    account: Account,
    number: Connection | None,
    api_key: ApiKey | None,
    batch: Batch | None,
    source: Message.Source,
) -> datetime:
    """Store messages, each given by its own columns, and charge for ``cost`` of them; returns the time.

    Raises ``Refusal`` (``quota_exceeded``) when the plan has fewer left. In the caller's transaction, after
    its other locks were taken.
    """
    values = [
        account.pk,
        number.pk if number else None,
        number.agent_id if number else None,
        api_key.pk if api_key else None,
        batch.pk if batch else None,
        source,
        correlation_id(),
        orjson.dumps(stored).decode(),
    ]
    written = rows(_STORE, [*quota.to_take(account.pk, cost), *values])
    if not written:
        quota.charge(account.pk, cost)
        written = rows(_STORE, [*quota.to_take(account.pk, 0), *values])
    created_at: datetime = written[0][0]
    return created_at
