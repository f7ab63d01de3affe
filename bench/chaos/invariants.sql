-- What must hold of Hermod's tables at every moment. Each query counts the rows that break it: all 0.
-- psql -At -f bench/chaos/invariants.sql "$DATABASE_URL"
-- Other times than the defaults: SET hermod.lease_seconds = '6'; SET hermod.unknown_wait_seconds = '40';

-- I1: a message belongs to one account, and so do its number, its contact and its key
SELECT count(*) FROM messaging_message m
LEFT JOIN accounts_connection c ON c.id = m.connection_id
LEFT JOIN messaging_contact p ON p.id = m.contact_id
LEFT JOIN accounts_apikey k ON k.id = m.api_key_id
WHERE c.account_id <> m.account_id OR p.account_id <> m.account_id OR k.account_id <> m.account_id;

-- I1b: an answer that was stored for an Idempotency-Key has a status and a body, or is being made
SELECT count(*) FROM messaging_idempotencykey k WHERE (k.status IS NULL) <> (k.body IS NULL);

-- I2: no call to Meta is left without an outcome for two leases after its lease ran out
SELECT count(*) FROM messaging_message m
LEFT JOIN accounts_connection c ON c.id = m.connection_id
WHERE m.status = 'submitting' AND c.status <> 'held'
  AND (c.paused_until IS NULL OR c.paused_until < now() - interval '60 seconds')
  AND m.due_at < now() - make_interval(
      secs => 2 * coalesce(nullif(current_setting('hermod.lease_seconds', true), ''), '30')::float);

-- I3: no lost answer is waited for longer than the waiting time and three minutes
SELECT count(*) FROM messaging_message m
LEFT JOIN accounts_connection c ON c.id = m.connection_id
WHERE m.status = 'unknown' AND c.status <> 'held'
  AND (c.paused_until IS NULL OR c.paused_until < now() - interval '60 seconds')
  AND m.submitted_at < now() - make_interval(secs => 180
      + coalesce(nullif(current_setting('hermod.unknown_wait_seconds', true), ''), '600')::float);

-- I4: no due message waits longer than a minute unless its number may not send
SELECT count(*) FROM messaging_message m
LEFT JOIN accounts_connection c ON c.id = m.connection_id
WHERE m.due_at < now() - interval '60 seconds'
  AND (c.id IS NULL OR (c.status <> 'held' AND c.breaker_open_since IS NULL
       AND (c.paused_until IS NULL OR c.paused_until < now() - interval '60 seconds')
       AND (c.next_slot_at IS NULL OR c.next_slot_at < now())));

-- I5: nothing happens to a message twice: at most one sent, one delivered, one read for each time it was queued
SELECT count(*) FROM (
    SELECT e.message_id FROM messaging_messageevent e JOIN messaging_message m ON m.id = e.message_id
    WHERE e.status IN ('sent', 'delivered', 'read', 'canceled', 'received')
    GROUP BY e.message_id, e.status, m.round HAVING count(*) > m.round + 1) AS twice;

-- I5b: no two messages carry the same id of Meta's
SELECT count(*) FROM (
    SELECT wamid FROM messaging_message WHERE wamid IS NOT NULL
    GROUP BY connection_id, direction, wamid HAVING count(*) > 1) AS twice;

-- I6: the timeline has no gap, and its length is what the message says
SELECT count(*) FROM messaging_message m
LEFT JOIN LATERAL (SELECT count(*) AS entries, max(e.sequence) AS last
                   FROM messaging_messageevent e WHERE e.message_id = m.id) AS t ON true
WHERE t.entries <> m.sequence OR coalesce(t.last, 0) <> m.sequence;

-- I6b: a message stands where its timeline says
SELECT count(*) FROM messaging_message m
WHERE m.status IN ('sent', 'delivered', 'read', 'failed', 'canceled', 'received')
  AND NOT EXISTS (SELECT 1 FROM messaging_messageevent e
                  WHERE e.message_id = m.id AND e.status = m.status);

-- I6c: the moments agree with the status and follow each other
SELECT count(*) FROM messaging_message m
WHERE m.direction = 'out' AND (
    (m.status IN ('sent', 'delivered', 'read') AND m.sent_at IS NULL)
    OR (m.status IN ('delivered', 'read') AND m.delivered_at IS NULL)
    OR (m.status = 'read') <> (m.read_at IS NOT NULL)
    OR (m.status = 'failed') <> (m.failed_at IS NOT NULL)
    OR m.sent_at > m.delivered_at OR m.delivered_at > m.read_at);

-- I6d: no report of Meta's about a message we know lies unused
SELECT count(*) FROM messaging_orphanstatus o
WHERE o.received_at < now() - interval '3 minutes'
  AND EXISTS (SELECT 1 FROM messaging_message m
              WHERE m.wamid = o.wamid AND m.connection_id = o.connection_id AND m.direction = 'out');

-- I7: what became of a message is an event, if its account had an endpoint before it had the message
SELECT count(*) FROM messaging_message m
WHERE m.direction = 'out' AND m.status IN ('sent', 'delivered', 'read', 'failed', 'canceled')
  AND m.created_at > now() - interval '7 days'
  AND EXISTS (SELECT 1 FROM webhooks_endpoint p
              WHERE p.account_id = m.account_id AND p.removed_at IS NULL AND p.created_at < m.created_at)
  AND NOT EXISTS (SELECT 1 FROM webhooks_event e
                  WHERE e.account_id = m.account_id AND e.subject = m.id::text
                    AND e.body::json -> 'data' ->> 'status' = m.status);

-- I7b: a delivery is due exactly while it is pending
SELECT count(*) FROM webhooks_delivery d WHERE (d.status = 'pending') <> (d.due_at IS NOT NULL);

-- I8: the counter of sent messages is the number of messages that were accepted, now or before a retry
SELECT count(*) FROM accounts_account a
WHERE a.messages_sent <> (SELECT count(*) FROM messaging_message m
    WHERE m.account_id = a.id AND m.direction = 'out' AND NOT m.dry_run
      AND (m.sent_at IS NOT NULL OR (m.round > 0 AND EXISTS (
          SELECT 1 FROM messaging_messageevent e WHERE e.message_id = m.id AND e.status = 'sent'))));

-- I8b: the daily totals that analytics read are the numbers of messages by their end
SELECT count(*) FROM (
    SELECT account_id, status, sum(count) AS told FROM messaging_tally GROUP BY 1, 2) AS t
FULL JOIN (
    SELECT account_id, status, count(*) AS found FROM messaging_message
    WHERE direction = 'out' AND NOT dry_run AND status IN ('sent', 'delivered', 'read', 'failed', 'canceled')
    GROUP BY 1, 2) AS m USING (account_id, status)
WHERE coalesce(t.told, 0) <> coalesce(m.found, 0);

-- I9: what is not finished is due at some moment, and what is finished is not
SELECT count(*) FROM messaging_message m
WHERE (m.status IN ('scheduled', 'queued', 'retrying', 'submitting', 'unknown')) <> (m.due_at IS NOT NULL);

-- I10: a callback is either waiting (also once more, when somebody asked for that), applied, or set aside
-- with its reason
SELECT count(*) FROM webhooks_inboundevent e
WHERE e.due_at IS NULL AND e.applied_at IS NULL AND e.parked = '[]'::jsonb;

-- I10b: no callback waits longer than three minutes
SELECT count(*) FROM webhooks_inboundevent e WHERE e.due_at < now() - interval '3 minutes';

-- I11: no call was made without a lease of its own
SELECT count(*) FROM messaging_message m WHERE m.attempts > m.lease_token;

-- I12: a failure has a word and a sentence; what did not fail has none
SELECT count(*) FROM messaging_message m
WHERE (m.status = 'failed') <> (m.failure <> '')
   OR (m.status = 'failed' AND coalesce(m.error_message, '') = '');

-- I13: nothing was handed over before its time
SELECT count(*) FROM messaging_message m WHERE m.submitted_at < m.scheduled_for;

-- I14: what was cancelled was never sent
SELECT count(*) FROM messaging_message m
WHERE m.status = 'canceled' AND (m.sent_at IS NOT NULL OR m.wamid IS NOT NULL);

-- I15: what is not queued any more but open was marked before its call
SELECT count(*) FROM messaging_message m
WHERE m.status IN ('submitting', 'unknown') AND (m.submitted_at IS NULL OR m.attempts = 0);
