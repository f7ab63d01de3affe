"""``manage.py up``: the same start as ``make run``."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Replaces itself by the supervisor, which must set the environment before settings are read."""

    help = "Start the servers, the web, the worker, the scheduler and the sandbox in the foreground."
    requires_system_checks: list[str] = []  # the supervisor provides what they would miss

    def handle(self, *args: Any, **options: Any) -> None:
        """Never returns: the supervisor takes over this process."""
        os.chdir(settings.BASE_DIR)
        os.execv(sys.executable, [sys.executable, "-m", "devstack.launcher.supervisor"])  # noqa: S606
