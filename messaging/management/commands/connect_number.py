"""``connect_number``: stores a number's Meta credentials and verifies them."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.credentials import Credentials
from accounts.models import Account, Number
from core.errors import Invalid, Refusal
from core.http.fields import PHONE
from core.secret import Secret
from messaging.numbers import proofs, verification


class Command(BaseCommand):
    """The secrets may come from the environment, where no process list shows them."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--account", required=True, help="the account's id")
        parser.add_argument("--phone", required=True, help="+E.164")
        parser.add_argument("--phone-number-id", required=True)
        parser.add_argument("--waba-id", required=True)
        parser.add_argument("--access-token", help="default: the variable HERMOD_ACCESS_TOKEN")
        parser.add_argument("--app-secret", help="default: the variable HERMOD_APP_SECRET; may be absent")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Store, verify, report."""
        token = options["access_token"] or os.environ.get("HERMOD_ACCESS_TOKEN", "")
        app_secret = options["app_secret"] or os.environ.get("HERMOD_APP_SECRET", "")
        if not token:
            raise CommandError("Give --access-token or set HERMOD_ACCESS_TOKEN.")
        if not re.fullmatch(rf"\+{PHONE.pattern}", options["phone"]):
            raise CommandError("--phone must be +E.164, for example +15557654321.")
        try:
            account = Account.objects.get(pk=options["account"])
        except (Account.DoesNotExist, ValidationError):
            raise CommandError("No account has this id.") from None
        try:
            number = proofs.save(
                account,
                Credentials(
                    access_token=Secret(token),
                    phone_number_id=options["phone_number_id"],
                    waba_id=options["waba_id"],
                    app_secret=Secret(app_secret) if app_secret else None,
                ),
            )
        except Invalid as found:
            said = (f"--{one.field.replace('_', '-')}: {one.message}" for one in found.fields)
            raise CommandError(" ".join(said)) from None
        except Refusal as refusal:
            raise CommandError(refusal.message) from None
        Number.objects.filter(pk=number.pk).update(display_phone=options["phone"][1:])
        diagnosis = verification.verify(number)
        result = {
            "connection_id": str(number.pk),
            "verified": diagnosis.verified,
            "callback_key": number.callback_key,
            "verify_token": number.verify_token,
            "checks": [{"check": c.check, "ok": c.ok, "message": c.message} for c in diagnosis.checks],
        }
        if options["json"]:
            self.stdout.write(json.dumps(result))
            return
        for check in diagnosis.checks:
            word = {True: "ok", False: "FAILED", None: "unknown"}[check.ok]
            self.stdout.write(f"{check.check:14} {word:8} {check.message} {check.fix or ''}")
        self.stdout.write(f"connection     {number.pk}")
