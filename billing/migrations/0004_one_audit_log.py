"""Moves billing's audit log, line by line, into the one of the accounts."""

from __future__ import annotations

from django.db import migrations

_MOVE = """
INSERT INTO accounts_auditevent (id, account_id, actor, action, target, details, address, internal, at)
SELECT id, account_id, actor, action, '', details, NULL, TRUE, at FROM billing_auditentry
ON CONFLICT (id) DO NOTHING;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
_BACK = """
INSERT INTO billing_auditentry (id, account_id, actor, action, details, at)
SELECT id, account_id, actor, action, details, at FROM accounts_auditevent WHERE internal;
DELETE FROM accounts_auditevent WHERE internal;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""


class Migration(migrations.Migration):
    """Copies the lines with their ids and times, then drops the table."""

    dependencies = [("accounts", "0008_one_audit_log"), ("billing", "0003_scheduled_change")]

    operations = [
        migrations.RunSQL(_MOVE, _BACK),
        migrations.DeleteModel(name="AuditEntry"),
    ]
