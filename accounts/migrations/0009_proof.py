"""Tell numbers whose token Meta's answer has shown to reach them from those that were only named.

What had been verified stays so. Everything else is asked for by itself as soon as the workers run.
"""

from __future__ import annotations

import django.utils.timezone
from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

# ``checks`` and ``verified_at`` are emptied whenever another token is saved: they speak of the present one.
_PROVEN = """
UPDATE accounts_connection SET proven_at = coalesce(verified_at, updated_at)
WHERE verified_at IS NOT NULL OR checks @> '[{"check": "phone_number", "ok": true}]'
"""
# A number counted as verified only if its WhatsApp account was seen to own it, or could not be asked.
_PROVEN_WABA = """
UPDATE accounts_connection SET proven_waba_id = waba_id
WHERE proven_at IS NOT NULL AND (
    checks @> '[{"check": "waba", "ok": true}]'
    OR (verified_at IS NOT NULL AND NOT checks @> '[{"check": "waba", "ok": null}]')
)
"""
_NOTHING_TO_ASK = """
UPDATE accounts_connection SET proof_due_at = NULL
WHERE removed_at IS NOT NULL OR (proven_at IS NOT NULL AND proven_waba_id = waba_id)
"""


class Migration(migrations.Migration):
    """Adds nullable columns, fills them from what is known, and binds uniqueness to the proof."""

    dependencies = [("accounts", "0008_one_audit_log")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="proven_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="connection",
            name="proven_waba_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
        migrations.AddField(
            model_name="connection",
            name="proof_due_at",
            field=models.DateTimeField(
                blank=True, db_default=Now(), default=django.utils.timezone.now, null=True
            ),
        ),
        migrations.AddField(
            model_name="connection",
            name="credentials_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunSQL(_PROVEN, migrations.RunSQL.noop),
        migrations.RunSQL(_PROVEN_WABA, migrations.RunSQL.noop),
        migrations.RunSQL(_NOTHING_TO_ASK, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="connection", name="connection_number_once"),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(
                condition=Q(("proven_at__isnull", False), ("removed_at", None)),
                fields=("phone_number_id",),
                name="connection_proven_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="connection",
            constraint=models.UniqueConstraint(
                condition=Q(("removed_at", None)),
                fields=("account", "phone_number_id"),
                name="connection_number_once_per_account",
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(
                condition=~Q(("proven_waba_id", "")),
                fields=["proven_waba_id"],
                name="connection_by_proven_waba",
            ),
        ),
        migrations.AddIndex(
            model_name="connection",
            index=models.Index(
                condition=Q(("proof_due_at__isnull", False)),
                fields=["proof_due_at"],
                name="connection_to_prove",
            ),
        ),
    ]
