"""``rotate_credentials_key``: seals credentials and kept callbacks with the first of CREDENTIALS_KEYS.

Put the new key first and keep the old ones behind it; run this; then drop the old ones. It may be
interrupted and started again at any time.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.rotation import Count, rotate
from webhooks.incoming import archive


class Command(BaseCommand):
    """Exits with an error when a value could not be opened, because an old key must then be kept."""

    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and report."""
        count = Count()
        for count in rotate():  # noqa: B007 - the last count is the result
            pass
        self.stdout.write(f"resealed {count.resealed}, already current {count.current}")
        kept = archive.Resealed()
        for kept in archive.reseal():  # noqa: B007
            pass
        if kept.resealed:
            self.stdout.write(f"resealed {kept.resealed} kept callbacks")
        unreadable = count.unreadable + kept.unreadable
        if unreadable:
            raise CommandError(
                f"{unreadable} values could not be opened with any key of CREDENTIALS_KEYS; "
                "add the key they were sealed with before you drop one."
            )
