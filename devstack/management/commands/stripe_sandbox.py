"""`manage.py stripe_sandbox`: the stand-in for Stripe, on a port of its own."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devstack.stripe import server


class Command(BaseCommand):
    """Serve the stand-in until it is told to end."""

    help = "Serve a stand-in for Stripe, for development and tests."
    # It touches neither the database nor our URLs, so a broken setup must not keep it from starting.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        server.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            server.run(options["port"], options["webhook_url"], options["state"])
        except (OSError, ValueError) as trouble:
            raise CommandError(f"The stand-in cannot start: {trouble}") from trouble
