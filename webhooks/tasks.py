"""Celery's face of webhooks in both directions: a knock becomes a drain."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence

from config import stopping
from config.celery import app, channel, wake
from config.drains import doorbell
from messaging import receiving
from webhooks import deliveries, inbox, notices, records
from webhooks.models import InboundEvent

#: callbacks that come within this time are applied together: at a thousand a second one transaction for
#: each would cost more than receiving them; the first one after a silence never waits
GATHER_SECONDS = 0.1


def apply_meta(held: Sequence[inbox.Held]) -> dict[uuid.UUID, list[dict[str, object]]]:
    """Apply Meta's callbacks; a body that is not JSON cannot happen (the receiver reads it first).

    The standard library reads them: orjson refuses half a surrogate, which a chat may contain.
    """
    callbacks = [receiving.Callback(one.id, one.account_id, json.loads(one.raw), one.again) for one in held]
    return receiving.apply(callbacks).parked


@app.task(name="webhooks.tasks.drain", queue="inbox")
def drain() -> None:
    """Apply callbacks while they come, and linger a little for the next."""
    with doorbell(channel("inbox")) as bell:
        if bell is None:
            return
        while bell.goes_on() and not stopping.asked():
            looked = time.monotonic()
            if inbox.drain(source=InboundEvent.Source.META, apply=apply_meta):
                bell.worked()
                looked = time.monotonic()
            else:
                bell.wait()
            # A thousand knocks a second are not a thousand looks.
            time.sleep(max(0.0, looked + GATHER_SECONDS - time.monotonic()))
            bell.hush()


@app.task(name="webhooks.tasks.deliver", queue="deliveries")
def deliver() -> None:
    """Deliver what is due; when the time was up before the work was, knock again."""
    if deliveries.drain().cut_short and not stopping.asked():
        wake("deliveries")


@app.task(name="webhooks.tasks.watch", queue="maintenance")
def watch() -> None:
    """Write to the owners of endpoints that fail or were disabled."""
    notices.tell_owners()


@app.task(name="webhooks.tasks.sweep", queue="maintenance")
def sweep() -> None:
    """Delete events and the log of deliveries when their time is over."""
    records.sweep()
