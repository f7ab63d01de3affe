"""The two APIs by the names that the code has for them; what is stored stays."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0009_suspects")]
    # What stands above this one points at accounts.Connection, which is called Number from then on.
    run_before = [("accounts", "0011_number")]

    operations = [
        migrations.AlterField(
            model_name="message",
            name="source",
            field=models.CharField(
                choices=[
                    ("whatsapi", "Classic"),
                    ("mojeeb", "V1"),
                    ("dashboard", "Dashboard"),
                    ("meta", "Meta"),
                ],
                max_length=10,
            ),
        ),
    ]
