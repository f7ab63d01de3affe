"""One look of each worker at the database of DATABASE_URL; run as a program by test_upgrade."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

# ruff: noqa: E402
from messaging.numbers import verification
from messaging.send import worker as send_worker
from messaging.tasks import apply_meta
from webhooks.incoming import inbox
from webhooks.models import InboundEvent
from webhooks.outgoing import worker as delivery_worker

inbox.drain(source=InboundEvent.Source.META, apply=apply_meta)
send_worker.drain(seconds=20, linger=0.5)
delivery_worker.drain(seconds=20, linger=0.5)
verification.verify_due()
