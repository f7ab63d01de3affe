"""Heartbeats of our receiver (Meta's silence counts only while it could be heard) and of the worker.

A minute's task calls our own public address the way Meta does. As long as it answers, a message that
Meta did not report within the waiting time was probably not processed. After a gap the waiting starts
anew, because Meta redelivers what it could not deliver.
"""

from __future__ import annotations

import requests
import structlog
from django.conf import settings
from django.db import connection

log = structlog.get_logger(__name__)

RECEIVER = "receiver"
WORKER = "worker"
#: how often a running drain notes that it claims
WORKER_EVERY_SECONDS = 2.0
EVERY_SECONDS = 15.0

_BEAT = """
INSERT INTO messaging_heartbeat (name, ok_since, last_ok_at) VALUES (%s, now(), now())
ON CONFLICT (name) DO UPDATE SET last_ok_at = now(), ok_since = CASE
    WHEN messaging_heartbeat.last_ok_at < now() - make_interval(secs => %s) THEN now()
    ELSE messaging_heartbeat.ok_since END
"""
_WELL = """
SELECT extract(epoch FROM now() - ok_since)::float, extract(epoch FROM now() - last_ok_at)::float,
       EXISTS (SELECT 1 FROM webhooks_inboundevent WHERE due_at IS NOT NULL AND position(%s IN names) > 0)
FROM messaging_heartbeat WHERE name = %s
"""


def beat() -> bool:
    """Call our own public address and note that it answered; tells whether it did."""
    session = requests.Session()
    session.trust_env = False
    try:
        with session.get(f"{settings.PUBLIC_URL}/healthz", timeout=5, allow_redirects=False) as answer:
            well = answer.status_code == 200
    except requests.RequestException as error:
        log.warning("our public address does not answer", error=type(error).__name__)
        well = False
    finally:
        session.close()
    if well:
        note(RECEIVER)
    return well


def note(name: str) -> None:
    """Write down that a part of the service was well just now."""
    with connection.cursor() as cursor:
        cursor.execute(_BEAT, [name, settings.HEARTBEAT_GAP_SECONDS])


def silence_means_nothing_for(submitted_ago: float, *, ref: str) -> float:
    """Return how many more seconds to wait before a missing callback may be taken for an answer.

    0: the receiver has been well since the message was handed over and nothing that names it (``ref``) is
    still waiting to be applied, so the silence is Meta's.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WELL, [ref, RECEIVER])
        row = cursor.fetchone()
    if row is None or row[1] > settings.HEARTBEAT_GAP_SECONDS:
        return settings.HEARTBEAT_GAP_SECONDS  # never or not lately seen well: look again in a minute
    well_for, _, backlog = row
    if backlog:
        return EVERY_SECONDS
    if well_for < submitted_ago:
        return max(0.0, settings.UNKNOWN_WAIT_SECONDS - well_for)
    return 0.0
