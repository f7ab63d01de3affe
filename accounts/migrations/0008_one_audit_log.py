"""The account's log takes in what billing wrote into one of its own (``billing.0004``)."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Adds the mark of what an account's people do not see."""

    dependencies = [("accounts", "0007_closing")]

    operations = [
        migrations.AddField(
            model_name="auditevent",
            name="internal",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
