"""``create_account``: an account with its agent and both kinds of key, for operators, tests and demos."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import keys
from accounts.models import PLANS, ApiKey
from accounts.registration import register
from core.errors import Refusal


class Command(BaseCommand):
    """Prints the keys once; they cannot be shown again."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--name", required=True)
        parser.add_argument("--email", required=True)
        parser.add_argument("--plan", choices=PLANS, default="free")
        parser.add_argument("--password", help="lets the owner sign in")
        parser.add_argument("--staff", action="store_true", help="the owner may also use Django admin")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the account."""
        try:
            fresh = register(
                name=options["name"],
                email=options["email"],
                password=options["password"],
                plan=options["plan"],
                proven=True,
            )
        except Refusal as refusal:
            faults = " ".join(fault.message for fault in refusal.fields)
            raise CommandError(f"{refusal.message} {faults}".strip()) from None
        if options["staff"]:
            owner = fresh.account.memberships.get().user
            owner.is_staff = owner.is_superuser = True
            owner.save(update_fields=["is_staff", "is_superuser"])
        _, v1_key = keys.issue(fresh.account, kind=ApiKey.Kind.MK, name="Default v1")
        result = {
            "account_id": str(fresh.account.pk),
            "agent_id": str(fresh.agent.pk),
            "api_key": fresh.api_key.reveal(),
            "v1_key": v1_key.reveal(),
        }
        if options["json"]:
            self.stdout.write(json.dumps(result))
        else:
            for name, value in result.items():
                self.stdout.write(f"{name:12} {value}")
