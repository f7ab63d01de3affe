"""Workers killed with SIGKILL at every named place of a delivery: no event is missing, doubles are alike."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from django.db import connection

from core.failpoints import NAMES
from tests.support.receiver import Receiver
from webhooks.models import Attempt, Delivery, Event
from webhooks.outgoing import endpoints, outbox
from webhooks.outgoing.endpoints import Given
from webhooks.outgoing.outbox import Announcement

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parent.parent.parent
PLACES = [name for name in NAMES if name.startswith("out.")]
EVENTS = 300
_WORKER = (
    "import django; django.setup(); "
    "from webhooks.outgoing import worker; worker.drain(seconds=30, linger=1.0)"
)


def database_url() -> str:
    """Return the address of the test's own database."""
    base, _, query = os.environ["DATABASE_URL"].partition("?")
    head = base.rpartition("/")[0]
    return f"{head}/{connection.settings_dict['NAME']}" + (f"?{query}" if query else "")


def work(failpoints: str) -> int:
    """Run a worker to its end, whichever that is; returns its exit code."""
    return subprocess.run(
        [sys.executable, "-c", _WORKER],
        cwd=ROOT,
        env=os.environ
        | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": database_url(),
            "WEBHOOK_ALLOW_PRIVATE": "1",
            "FAILPOINTS": failpoints,
            "DEBUG": "1",
        },
        timeout=60,
        check=False,
    ).returncode


def test_no_event_is_lost_wherever_the_worker_is_killed(alice, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    receiver = Receiver()
    try:
        endpoints.create(alice, Given(url=f"{receiver.url}/hook"))
        outbox.publish(
            [Announcement(alice.pk, "message.received", {"n": n}, str(n % 50), n) for n in range(EVENTS)]
        )
        for place in PLACES:
            assert work(f"{place}=kill" + ("@0.2" if "post" in place else "")) == -signal.SIGKILL, place
            # The lease of what the killed worker held runs out.
            Delivery.objects.exclude(due_at=None).update(due_at="2020-01-01T00:00:00Z")
        assert work("") == 0
    finally:
        receiver.close()
    events = {f"evt_{pk.hex}": body for pk, body in Event.objects.values_list("pk", "body")}
    bodies = defaultdict(set)
    for got in receiver.got:
        bodies[got.id].add(got.body)
    assert set(bodies) == set(events)  # nothing is missing, and nothing came that was not published
    assert all(seen == {events[ident].encode()} for ident, seen in bodies.items())
    assert not Delivery.objects.exclude(status="delivered").exists()
    assert Attempt.objects.count() == EVENTS  # what was recorded was recorded once
