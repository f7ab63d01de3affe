"""A rotated key is counted where the one before it was."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_proof")]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="rotated_from",
            field=models.UUIDField(blank=True, editable=False, null=True),
        ),
    ]
