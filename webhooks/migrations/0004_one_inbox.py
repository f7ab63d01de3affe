"""Moves Stripe's events out of billing's ledger into the inbox: what waits, what was given up, what is done.

The old table stays, empty, for one version: a process of the version before may still store events in it
while an upgrade rolls through, and the worker brings those over (``billing.old_event_table``).
"""

from __future__ import annotations

from django.db import migrations

# The bytes were never kept: what was, written as JSON, stands for them where somebody still has to ask about
# it. The digest is that of webhooks.incoming.inbox.digest_of. Tries while Stripe was silent were counted, too:
# what waits begins anew.
_MOVE = """
WITH old AS (
    DELETE FROM billing_stripeevent RETURNING *,
        due_at IS NULL AND (applied_at IS NOT NULL OR trouble = '') AS done
)
INSERT INTO webhooks_inboundevent
    (id, source, account_id, digest, raw, names, correlation_id,
     received_at, due_at, lease_token, attempts, applied_at, parked)
SELECT gen_random_uuid(), 'stripe', NULL, sha256(convert_to('stripe/id:' || id, 'UTF8')),
       CASE WHEN done THEN ''::bytea ELSE convert_to(json_build_object('id', id, 'type', type, 'data',
           json_build_object('object', json_build_object('id', subject, 'customer', customer)))::text, 'UTF8') END,
       CASE WHEN done THEN ''
            ELSE concat_ws(' ', id, type, nullif(customer, ''), nullif(subject, '')) END,
       '', received_at, due_at, 0, CASE WHEN due_at IS NULL THEN least(attempts, 100) ELSE 0 END,
       CASE WHEN done THEN coalesce(applied_at, received_at) END,
       CASE WHEN trouble = '' THEN '[]'::jsonb
            ELSE jsonb_build_array(jsonb_build_object('reason', trouble)) END
FROM old
ON CONFLICT (digest) DO NOTHING
"""


class Migration(migrations.Migration):
    """Moves rows, in one statement. Going back leaves them: each night Stripe's lists are compared anyway."""

    dependencies = [("billing", "0004_one_audit_log"), ("webhooks", "0003_kept_callbacks")]

    operations = [migrations.RunSQL(_MOVE, migrations.RunSQL.noop)]
