"""How long what is due has waited: asked by ``/readyz`` and by the operator's first page."""

from __future__ import annotations

#: a due row older than this means that no worker takes it
STUCK_SECONDS = 60

# Scalar subqueries, in seconds; null when nothing is due. Numbers that may not send now are left out: their
# rows wait on purpose.
OLDEST_MESSAGE = """
(SELECT extract(epoch FROM now() - min(m.due_at)) FROM messaging_message m
 LEFT JOIN accounts_connection c ON c.id = m.connection_id
 JOIN accounts_account a ON a.id = m.account_id
 WHERE m.due_at <= now() AND c.status IS DISTINCT FROM 'held'
   AND (a.is_active OR c.id IS NULL OR c.removed_at IS NOT NULL)
   AND (c.paused_until IS NULL OR c.paused_until < now()))
"""
OLDEST_CALLBACK = (
    "(SELECT extract(epoch FROM now() - min(due_at)) FROM webhooks_inboundevent WHERE due_at <= now())"
)
