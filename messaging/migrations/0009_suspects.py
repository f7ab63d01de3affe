"""Find the messages that outlived several workers without reading a whole backlog."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Adds a partial index that is nearly always empty."""

    dependencies = [("messaging", "0008_home")]

    operations = [
        migrations.AddIndex(
            model_name="message",
            index=models.Index(
                fields=["connection", "due_at"],
                condition=Q(due_at__isnull=False, crashes__gte=3),
                name="message_suspect",
            ),
        ),
    ]
