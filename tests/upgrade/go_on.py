"""One look of each worker at the database of DATABASE_URL; run as a program by test_upgrade."""

from __future__ import annotations

import os

import django
import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

# ruff: noqa: E402
from billing import events as billing_events
from billing import stripe_api
from messaging.numbers import verification
from messaging.send import worker as send_worker
from messaging.tasks import apply_meta
from webhooks.incoming import inbox, stripe_events
from webhooks.models import InboundEvent
from webhooks.outgoing import worker as delivery_worker

inbox.drain(source=InboundEvent.Source.META, apply=apply_meta)
send_worker.drain(seconds=20, linger=0.5)
delivery_worker.drain(seconds=20, linger=0.5)
verification.verify_due()
if stripe_api.configured():
    # Stripe repeats, in other bytes, what the old version had heard.
    for ident in ("evt_before_upgrade", "evt_done"):
        again = orjson.dumps({"type": "customer.updated", "id": ident})
        assert not stripe_events.receive(again, billing_events.read(again)), ident
stripe_events.drain()
