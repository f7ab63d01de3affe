"""``release_sending``: lets a restored (or moved) database send again, after deciding about what waits."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from messaging.send import restore_guard


class Command(BaseCommand):
    """Without an option it only tells how things stand."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument(
            "--cancel", action="store_true", help="after a restore: end what waits, then send what comes"
        )
        choice.add_argument(
            "--keep", action="store_true", help="after a move that lost nothing: send what waits, too"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Release, or report."""
        if options["cancel"] or options["keep"]:
            ended = restore_guard.release(keep=options["keep"])
            self.stdout.write(f"Sending goes on; {ended} messages were ended.")
            return
        state = "may send" if restore_guard.may_send() else "sends nothing: it was restored or moved"
        self.stdout.write(f"This database {state}. {restore_guard.open_count()} messages wait.")
