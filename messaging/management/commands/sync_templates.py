"""``sync_templates``: copies the approved templates of an account's number from Meta."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Number
from accounts.vault import CannotOpen
from messaging.message_templates.store import sync
from messaging.meta.graph import GraphError, GraphUnreachable


class Command(BaseCommand):
    """Every live number of the account is asked."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--account", required=True, help="the account's id")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sync and report."""
        try:
            live = list(Number.objects.filter(account=options["account"], removed_at=None))
        except ValidationError:
            raise CommandError("This is not an account's id.") from None
        if not live:
            raise CommandError("No account with a connected number has this id.")
        for number in live:
            try:
                count = sync(number)
            except (GraphError, GraphUnreachable, CannotOpen, ValueError) as error:
                raise CommandError(f"{number}: {error}") from None
            self.stdout.write(f"{number}: {count} templates")
