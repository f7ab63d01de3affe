"""``listen``: brings events of a Hermod to a program on this machine, without a tunnel, signed as always.

Your receiver verifies them with the secret that is printed first. It needs an API key and nothing else of
this installation: no database, no settings.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.secret import Secret
from webhooks.outgoing import signing
from webhooks.outgoing.catalogue import CATALOGUE
from webhooks.outgoing.listening import Listener, Refused, secret_for


class Command(BaseCommand):
    """Runs until Ctrl-C; one line for each event."""

    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--forward-to", required=True, help="your receiver: http://localhost:3000/hook")
        parser.add_argument("--key", default="", help="an API key; by default that in HERMOD_KEY")
        parser.add_argument("--url", default="", help="the Hermod to ask; by default PUBLIC_URL")
        parser.add_argument("--secret", default="", help="sign with this (whsec_…) instead of the key's own")
        parser.add_argument("--events", default="", help="only these types, separated by commas")
        parser.add_argument(
            "--after",
            default="latest",
            help="an event's id: begin behind it; or 'oldest' for all that is kept",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Forward until stopped."""
        key = Secret(options["key"] or os.environ.get("HERMOD_KEY", ""))
        if not key:
            raise CommandError("Give an API key with --key or in HERMOD_KEY.")
        secret = Secret(options["secret"]) if options["secret"] else secret_for(key)
        try:
            if not signing.key_of(secret):
                raise ValueError
        except ValueError:
            raise CommandError("--secret is whsec_ and base64, as an endpoint's secret.") from None
        types = frozenset(filter(None, options["events"].split(",")))
        if unknown := sorted(types - set(CATALOGUE)):
            raise CommandError(f"There are no events of type {', '.join(unknown)}.")
        listener = Listener(
            url=_address("--url", options["url"] or settings.PUBLIC_URL).rstrip("/"),
            key=key,
            forward_to=_address("--forward-to", options["forward_to"]),
            secret=secret,
            types=types,
            after=None if options["after"] == "oldest" else options["after"],
            say=self._note,
        )
        self.stdout.write(f"Listening to {listener.url}, forwarding to {listener.forward_to}")
        self.stdout.write(f"Signing secret: {secret.reveal()}")
        self.stdout.flush()
        try:
            for one in listener.run():
                told = one.status if one.status is not None else one.error
                subject = one.event["data"].get("status") or one.event["data"].get("type") or ""
                self.stdout.write(
                    f"{one.event['timestamp']}  {told}  {one.milliseconds:>5} ms  "
                    f"{one.event['event']} {subject}  {one.event['id']}"
                )
                self.stdout.flush()
        except Refused as refused:
            raise CommandError(str(refused)) from None
        except KeyboardInterrupt:
            self.stdout.write("Stopped.")

    def _note(self, sentence: str) -> None:
        self.stderr.write(sentence)


def _address(option: str, text: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise CommandError(f"{option} is not an http(s) address.")
    return text
