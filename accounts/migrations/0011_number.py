"""The model Connection is called Number; its table and the rights to it stay as they are."""

from typing import Any

from django.db import migrations

ACTIONS = ("add", "change", "delete", "view")


def rename(apps: Any, old: str, new: str) -> None:
    """Let the content type, and with it the admin's history, and each right go by the new name."""
    types = apps.get_model("contenttypes", "ContentType").objects.filter(app_label="accounts")
    rights = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="accounts")
    if types.filter(model=new).exists():
        return
    for action in ACTIONS:
        rights.filter(content_type__model=old, codename=f"{action}_{old}").update(
            codename=f"{action}_{new}", name=f"Can {action} {new}"
        )
    types.filter(model=old).update(model=new)


def forwards(apps: Any, schema_editor: Any) -> None:
    rename(apps, "connection", "number")


def backwards(apps: Any, schema_editor: Any) -> None:
    rename(apps, "number", "connection")


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0010_key_rotations"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("Connection", "Number"),
                migrations.AlterModelTable("number", "accounts_connection"),
            ]
        ),
        migrations.RunPython(forwards, backwards),
    ]
