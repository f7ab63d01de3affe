"""`manage.py sandbox`: the stand-in for Meta, on a port of its own."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from devstack.meta import server


class Command(BaseCommand):
    """Serve the sandbox until it is told to end."""

    help = "Serve a stand-in for Meta's WhatsApp Cloud API, for development and tests."
    # The sandbox touches neither the database nor our URLs, so a broken setup must not keep it from starting.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        server.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            server.run(
                options["host"],
                options["port"],
                options["callback_url"],
                options["latency_ms"],
                options["option"],
            )
        except (OSError, ValueError) as trouble:
            raise CommandError(f"The sandbox cannot start: {trouble}") from trouble
