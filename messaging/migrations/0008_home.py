"""Remember which cluster of databases messages were sent from."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the one-row table of messaging.send.restore_guard."""

    dependencies = [("messaging", "0007_count_without_reading")]

    operations = [
        migrations.CreateModel(
            name="Home",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("cluster", models.BigIntegerField()),
                ("since", models.DateTimeField()),
            ],
        ),
    ]
