"""An index for the dashboard's list of who wrote last."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("messaging", '0005_message_agent'),
    ]

    operations = [
        migrations.AddIndex(
            model_name="contact",
            index=models.Index(
                condition=models.Q(("last_inbound_at__isnull", False)),
                fields=["account", "-last_inbound_at", "-id"],
                name="contact_by_inbound",
            ),
        ),
    ]
