"""Let a page's total be counted in the index alone."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Replaces the index of an account's messages by one that also holds their direction."""

    dependencies = [("messaging", "0006_contact_by_inbound"), ("messaging", "0006_template_news")]

    operations = [
        migrations.RemoveIndex(model_name="message", name="message_by_account"),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["account", "-id"], include=["direction"], name="message_of_account"),
        ),
    ]
