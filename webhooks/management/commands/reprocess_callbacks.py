"""``reprocess_callbacks``: applies kept callbacks again, for instance after a fault was mended.

What was applied before changes nothing; what was parked or given up gets another chance. The callbacks
are only made due: the worker applies them like new ones. Stripe's events (``--source stripe``) make it ask
Stripe once more what is true now.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.models import Account
from webhooks.incoming import archive
from webhooks.models import InboundEvent

_AGO = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    """Says how many callbacks will be applied again."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "--since", required=True, help="how long ago (90m, 6h, 2d) or when (2026-05-01T10:00:00Z)"
        )
        parser.add_argument("--until", default="", help="the same; by default now")
        parser.add_argument(
            "--source", choices=InboundEvent.Source.values, default="meta", help="whose; by default meta"
        )
        parser.add_argument("--account", help="only what was signed with this account's own app secret")
        parser.add_argument(
            "--unfinished", action="store_true", help="only those that were given up or have parked items"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Make them due and report."""
        now = timezone.now()
        since = _moment(options["since"], now)
        until = _moment(options["until"], now) if options["until"] else now
        if since >= until:
            raise CommandError("--since must be before --until.")
        source = InboundEvent.Source(options["source"])
        if options["account"] and source != InboundEvent.Source.META:
            raise CommandError(
                "--account is for Meta's callbacks: no account's secret signs Stripe's events."
            )
        account_id = None
        if options["account"]:
            try:
                account_id = Account.objects.only("pk").get(pk=options["account"]).pk
            except (Account.DoesNotExist, ValidationError):
                raise CommandError("No account has this id.") from None
        count = archive.again(
            since=since,
            until=until,
            source=source,
            account_id=account_id,
            unfinished=options["unfinished"],
        )
        self.stdout.write(f"{count} callbacks will be applied again")
        if since < now - timedelta(days=settings.CALLBACKS_KEPT_DAYS):
            self.stdout.write(
                f"callbacks older than {settings.CALLBACKS_KEPT_DAYS} days are no longer kept "
                "(CALLBACKS_KEPT_DAYS)"
            )


def _moment(text: str, now: datetime) -> datetime:
    if match := _AGO.fullmatch(text):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"{text!r} is neither an age (6h) nor a time with an offset (…T10:00:00Z).")
    return moment
