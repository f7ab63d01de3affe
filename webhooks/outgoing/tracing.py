"""Tracing: which webhooks told of something, found by when it happened, as events are kept by time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q

from core.ids import first_at
from webhooks.models import Delivery, Event

#: an event is written in the transaction that it tells of; two servers' clocks may differ a little
NEAR = timedelta(seconds=3)
MOST_EVENTS = 50


def told_of(account_id: uuid.UUID, subject: str, moments: Iterable[datetime]) -> list[Delivery]:
    """Return the deliveries of the events about ``subject``, oldest first, with endpoints and attempts.

    ``moments`` are when something was recorded about it. Events have no index by subject (every send would
    have to keep it); their ids begin with their time, so a few seconds around each moment are looked through.
    Three statements.
    """
    near = Q(pk__in=[])
    for moment in moments:
        near |= Q(pk__gte=first_at(moment - NEAR), pk__lt=first_at(moment + NEAR))
    events = Event.objects.filter(near, account_id=account_id, subject=subject).values_list("pk", flat=True)
    rows = Delivery.objects.filter(event__in=list(events[:MOST_EVENTS])).select_related("event", "endpoint")
    return list(rows.prefetch_related("log").order_by("event_id", "id"))
