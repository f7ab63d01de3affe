"""Backlog: how long due work has waited for us, for ``/readyz`` and the operator's first page."""

from __future__ import annotations

from messaging.send.claims_sql import PENDING, earliest

#: something due for longer, and not served meanwhile, means that nobody takes it
STUCK_SECONDS = 60

# Each is a scalar subquery, in seconds; null when nothing is due. What waits on purpose does not count: a
# number that is held or paused, a deactivated account, and a queue that is longer than its number is fast.
# The last is why a number's wait begins no earlier than its next free slot: workers move that on with every
# message, so it stays behind only when they do not come.
OLDEST_MESSAGE = f"""
(WITH RECURSIVE {PENDING}
 SELECT extract(epoch FROM max(now() - due.since)) FROM (
     SELECT greatest(first.due_at, c.next_slot_at, c.paused_until) AS since
     FROM pending p
     JOIN accounts_connection c ON c.id = p.connection_id
     JOIN accounts_account a ON a.id = c.account_id
     CROSS JOIN LATERAL (SELECT least({", ".join(earliest("= p.connection_id"))}) AS due_at) first
     WHERE first.due_at <= now() AND c.status <> 'held' AND (a.is_active OR c.removed_at IS NOT NULL)
     UNION ALL SELECT least({", ".join(earliest("IS NULL"))})) due
 WHERE due.since <= now())
"""
OLDEST_CALLBACK = """
(SELECT extract(epoch FROM now() - min(due_at)) FROM webhooks_inboundevent
 WHERE due_at <= now() AND source = 'meta')
"""
# Not asked by /readyz: events may wait for Stripe, or until it is set up, and messages go out meanwhile.
OLDEST_STRIPE_EVENT = """
(SELECT extract(epoch FROM now() - min(received_at)) FROM webhooks_inboundevent
 WHERE due_at IS NOT NULL AND source = 'stripe')
"""
# A slow endpoint has a backlog of its own making; one that nobody tries is ours.
OLDEST_DELIVERY = """
(SELECT max(extract(epoch FROM now() - greatest(d.due_at, e.last_attempt_at, e.paused_until)))
 FROM webhooks_endpoint e CROSS JOIN LATERAL (
     SELECT due_at FROM webhooks_delivery WHERE endpoint_id = e.id AND due_at <= now()
     ORDER BY due_at LIMIT 1) d
 WHERE e.enabled AND e.removed_at IS NULL)
"""
