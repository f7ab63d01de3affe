"""Statements of the claim of deliveries. Made of constants only; every value travels as a parameter.

Their columns are named like the fields of ``claims.Target`` and ``claims.Claim``.
"""

from __future__ import annotations

# Endpoints that have due rows: those with pending ones, found by skipping from one to the next in the partial
# index, of which the earliest is due. (An EXISTS instead of that probe tempts the planner to read the whole
# table when most rows are due.) Locked, so that of two workers only one sends an endpoint's probe.
ENDPOINTS = """
WITH RECURSIVE pending AS (
    (SELECT endpoint_id FROM webhooks_delivery WHERE due_at IS NOT NULL ORDER BY endpoint_id LIMIT 1)
    UNION ALL
    SELECT (SELECT d.endpoint_id FROM webhooks_delivery d
            WHERE d.due_at IS NOT NULL AND d.endpoint_id > pending.endpoint_id
            ORDER BY d.endpoint_id LIMIT 1)
    FROM pending WHERE pending.endpoint_id IS NOT NULL
), due AS MATERIALIZED (
    SELECT p.endpoint_id FROM pending p
    WHERE p.endpoint_id IS NOT NULL AND (
        SELECT d.due_at FROM webhooks_delivery d WHERE d.endpoint_id = p.endpoint_id AND d.due_at IS NOT NULL
        ORDER BY d.due_at LIMIT 1) <= now()
)
SELECT e.id, e.account_id, e.url, e.headers_sealed, e.secret_sealed,
       CASE WHEN e.previous_secret_until > now() THEN e.previous_secret_sealed ELSE '' END
           AS previous_secret_sealed,
       e.breaker_open_since IS NOT NULL AS probing, e.failing_since IS NOT NULL AS failing,
       extract(epoch FROM now() - e.ramp_from)::float AS recovering_for, e.updated_at
FROM webhooks_endpoint e
WHERE e.id IN (SELECT endpoint_id FROM due) AND e.enabled AND e.removed_at IS NULL
  AND (e.paused_until IS NULL OR e.paused_until <= now())
  AND NOT e.id = ANY(%s) AND NOT e.account_id = ANY(%s)
ORDER BY e.failing_since IS NOT NULL, random()
LIMIT %s
FOR NO KEY UPDATE OF e SKIP LOCKED
"""
# Picked first and materialised: as a subquery the planner may run it once per row, and each run would skip
# what it has locked and pick more.
CLAIM = """
WITH wanted AS (SELECT * FROM unnest(%s::uuid[], %s::int[]) AS w(endpoint_id, slots)),
picked AS MATERIALIZED (
    SELECT p.id FROM wanted w CROSS JOIN LATERAL (
        SELECT d.id FROM webhooks_delivery d
        WHERE d.endpoint_id = w.endpoint_id AND d.due_at <= now()
        ORDER BY d.due_at, d.id LIMIT w.slots FOR NO KEY UPDATE SKIP LOCKED) p
)
UPDATE webhooks_delivery d
SET lease_token = d.lease_token + 1, due_at = now() + make_interval(secs => %s)
FROM webhooks_event e
WHERE d.id IN (SELECT id FROM picked) AND e.id = d.event_id
RETURNING d.id, d.lease_token AS token, d.endpoint_id, d.attempts - d.attempts_before AS tried,
          e.id AS event_id, e.subject, e.body AS text
"""
CHANGED = """
SELECT u.id FROM unnest(%s::uuid[], %s::timestamptz[]) AS u(id, updated_at)
LEFT JOIN webhooks_endpoint e ON e.id = u.id AND e.enabled AND e.removed_at IS NULL
    AND e.updated_at = u.updated_at
WHERE e.id IS NULL
"""
PROBE = """
UPDATE webhooks_endpoint SET paused_until = now() + make_interval(secs => %s) WHERE id = ANY(%s)
"""
GIVE_BACK = """
UPDATE webhooks_delivery d
SET due_at = CASE WHEN d.attempts = d.attempts_before THEN d.created_at ELSE now() END
FROM unnest(%s::uuid[], %s::bigint[]) AS u(id, token)
WHERE d.id = u.id AND d.lease_token = u.token AND d.due_at IS NOT NULL
"""
# What arrived has arrived, whoever holds the lease by now; a failure counts only under its own lease.
RECORD = """
WITH u AS (
    SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::boolean[], %s::float[], %s::timestamptz[], %s::int[],
                         %s::smallint[], %s::text[], %s::text[], %s::jsonb[], %s::text[])
        AS u(id, token, arrived, delay, at, milliseconds, status, error, url, headers, response)
), held AS (
    SELECT d.id FROM webhooks_delivery d JOIN u USING (id)
    WHERE d.due_at IS NOT NULL AND (u.arrived OR d.lease_token = u.token)
    ORDER BY d.id FOR NO KEY UPDATE OF d
), moved AS (
    UPDATE webhooks_delivery d
    SET attempts = d.attempts + 1, last_attempt_at = u.at, last_status = u.status,
        due_at = now() + make_interval(secs => u.delay),
        status = CASE WHEN u.arrived THEN 'delivered' WHEN u.delay IS NULL THEN 'failed' ELSE 'pending' END,
        delivered_at = CASE WHEN u.arrived THEN now() ELSE d.delivered_at END,
        lease_token = d.lease_token + 1
    FROM u WHERE d.id = u.id AND d.id IN (SELECT id FROM held)
    RETURNING d.id, d.attempts
)
INSERT INTO webhooks_attempt
    (delivery_id, number, at, milliseconds, status, error, url, request_headers, response)
SELECT u.id, moved.attempts, u.at, u.milliseconds, u.status, u.error, u.url, u.headers, u.response
FROM u JOIN moved USING (id)
"""
# A healthy endpoint's row is touched every few seconds at most. Failures belong together while something is
# tried at least every two days (the schedule's longest step is one): an endpoint that failed once last week
# and had nothing to receive since has not been failing for a week.
ENDPOINT_STATE = """
WITH u AS (
    SELECT * FROM unnest(%s::uuid[], %s::boolean[], %s::int[], %s::float[])
        AS u(id, arrived, failures, pause) ORDER BY id
), held AS (
    SELECT e.id FROM webhooks_endpoint e JOIN u USING (id)
    WHERE u.failures > 0 OR u.pause > 0 OR e.failing_since IS NOT NULL OR e.last_success_at IS NULL
       OR e.last_success_at < now() - interval '5 seconds'
    ORDER BY e.id FOR NO KEY UPDATE OF e
)
UPDATE webhooks_endpoint e
SET last_attempt_at = now(),
    last_success_at = CASE WHEN u.arrived THEN now() ELSE e.last_success_at END,
    failures = u.failures + CASE WHEN u.arrived THEN 0 ELSE e.failures END,
    failing_since = CASE WHEN u.failures = 0 THEN NULL
                         WHEN u.arrived OR e.last_attempt_at < now() - interval '2 days' THEN now()
                         ELSE coalesce(e.failing_since, now()) END,
    notices = CASE WHEN u.arrived OR u.failures > 0 AND e.last_attempt_at < now() - interval '2 days' THEN 0
                   ELSE e.notices END,
    breaker_open_since = CASE
        WHEN u.failures + CASE WHEN u.arrived THEN 0 ELSE e.failures END >= %s
            THEN coalesce(e.breaker_open_since, now())
        WHEN u.arrived THEN NULL ELSE e.breaker_open_since END,
    paused_until = CASE
        WHEN u.pause > 0 THEN greatest(e.paused_until, now() + make_interval(secs => u.pause))
        WHEN u.arrived AND u.failures = 0 THEN NULL
        WHEN NOT u.arrived AND e.breaker_open_since IS NULL AND u.failures + e.failures >= %s
            THEN now() + make_interval(secs => %s)
        ELSE e.paused_until END,
    ramp_from = CASE WHEN u.arrived AND e.breaker_open_since IS NOT NULL THEN now() ELSE e.ramp_from END
FROM u WHERE e.id = u.id AND e.id IN (SELECT id FROM held)
"""
DISABLE = """
WITH gone AS (
    UPDATE webhooks_endpoint SET enabled = false, disabled_at = now(), off = CASE
        WHEN id = ANY(%s) THEN 'gone' ELSE 'failing' END
    WHERE enabled AND (id = ANY(%s) OR (id = ANY(%s) AND failing_since < now() - make_interval(secs => %s)))
    RETURNING id
), skipped AS (
    UPDATE webhooks_delivery SET status = 'skipped', due_at = NULL, lease_token = lease_token + 1
    WHERE endpoint_id IN (SELECT id FROM gone) AND due_at IS NOT NULL
)
SELECT id FROM gone
"""
