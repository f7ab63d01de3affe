"""Examination of a number for the pages about it: the doctor's visit, the sandbox's spare numbers."""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from accounts.models import Number
from accounts.vault import CannotOpen
from messaging.message_templates import store as template_store
from messaging.meta.graph import GraphError, GraphUnreachable
from messaging.meta.spares import spare_numbers
from messaging.numbers import doctor


def in_sandbox() -> bool:
    """Tell whether Meta is played by the stand-in of ``make run``."""
    host = urlsplit(settings.META_GRAPH_URL).hostname or ""
    return settings.DEVELOPMENT and host in ("127.0.0.1", "localhost", "::1")


def spare_number() -> dict[str, str]:
    """Return what a form is filled with: a number of the sandbox's that no account has; empty elsewhere."""
    if not in_sandbox():
        return {}
    spare = {one.phone_number_id: one for one in spare_numbers(settings.META_GRAPH_URL)}
    proven = Number.objects.filter(removed_at=None, proven_at__isnull=False, phone_number_id__in=spare)
    for ident in proven.values_list("phone_number_id", flat=True):
        del spare[ident]
    return asdict(next(iter(spare.values()))) if spare else {}


def examine(number: Number) -> None:
    """Let the doctor look; a token that cannot be opened is a line of its own. Copies the templates."""
    try:
        doctor.examine(number)
        if number.status == Number.Status.ACTIVE and number.waba_id:
            template_store.sync(number)
    except CannotOpen:
        fix = _("Save the access token again.")
        line = {"check": "token", "ok": False, "message": _("The saved token cannot be read."), "fix": fix}
        Number.objects.filter(pk=number.pk).update(checks=[line])
        number.checks = [line]
    except (GraphError, GraphUnreachable, ValueError):
        pass  # the lines are stored; templates are copied again every half hour and on demand
