"""Restore guard: a copy of the database that our messages were sent from sends nothing by itself.

A backup believes that what was sent after it still waits. The database therefore remembers in which
cluster it lived when it sent last; Postgres gives each cluster an identifier of its own. Somewhere else,
nothing is sent until an operator has said what shall become of the messages that wait.
"""

from __future__ import annotations

import uuid

from django.db import connection, transaction

from messaging.models import Message, Status
from messaging.send import outcomes
from messaging.status.timeline import WAITING, Change, record

#: messages ended in one transaction
CHUNK = 1_000

_MOVE_IN = """
INSERT INTO messaging_home (id, cluster, since)
SELECT 1, system_identifier, now() FROM pg_control_system() ON CONFLICT (id) DO NOTHING
"""
_AT_HOME = """
SELECT h.cluster = s.system_identifier FROM messaging_home h CROSS JOIN pg_control_system() s WHERE h.id = 1
"""
_MOVE = """
UPDATE messaging_home SET cluster = s.system_identifier, since = now() FROM pg_control_system() s
WHERE id = 1
"""


def may_send() -> bool:
    """Tell whether messages may leave; a database that never sent settles where it is."""
    with connection.cursor() as cursor:
        cursor.execute(_AT_HOME)
        row = cursor.fetchone()
        if row is None:
            cursor.execute(_MOVE_IN)
            cursor.execute(_AT_HOME)
            row = cursor.fetchone()
    return bool(row and row[0])


def open_count() -> int:
    """Return how many messages would go out, now or later, or are without an outcome."""
    return Message.objects.filter(due_at__isnull=False).count()


def release(*, keep: bool) -> int:
    """Let this database send from where it is; returns how many messages were ended.

    ``keep`` False: what waits is canceled first, and what was being handed over fails as
    ``outcome_unknown``; nothing of the backup goes out. ``keep`` True: all of it is sent.
    """
    ended = 0
    if not keep:
        last: uuid.UUID | None = None
        while True:
            rows = Message.objects.filter(due_at__isnull=False).order_by("id")
            chunk = list((rows.filter(pk__gt=last) if last else rows).values_list("pk", "status")[:CHUNK])
            if not chunk:
                break
            ended += len(record([_end(ident, Status(status)) for ident, status in chunk]).moved)
            last = chunk[-1][0]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MOVE_IN)
        cursor.execute(_MOVE)
    return ended


def _end(ident: uuid.UUID, status: Status) -> Change:
    if status in WAITING:
        return Change(ident, Status.CANCELED)
    return Change(ident, Status.FAILED, failure=outcomes.OUTCOME_UNKNOWN)
