"""``new_credentials_key``: prints a fresh key for CREDENTIALS_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from accounts.vault import new_key


class Command(BaseCommand):
    """Needs no database and no settings."""

    help = __doc__
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the key."""
        self.stdout.write(new_key())
