"""The two APIs by the names that the code has for them; what is stored stays."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("messaging", "0009_suspects")]

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
