"""Service status for the operator's first page: what waits, who is held, what failed today."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection

from accounts import staff
from config.ops.backlog import OLDEST_CALLBACK, OLDEST_MESSAGE, OLDEST_STRIPE_EVENT, STUCK_SECONDS
from messaging.send import restore_guard

#: seconds without a claim after which the workers count as gone
SILENT_SECONDS = 30
#: seconds after which an event of Stripe's should have been asked about
STRIPE_SILENT_SECONDS = 600
#: so many messages say something of a customer's health, and this part of them failing something bad
ENOUGH_TO_JUDGE = 20
MANY_FAIL = 0.2


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the page; ``bad`` asks for somebody's attention. ``path`` leads to the rows behind it."""

    name: str
    value: str
    bad: bool = False
    path: str = ""


# Each part is one look into a partial index of what is open, or a sum of today's few totals.
_STAND = f"""
SELECT {OLDEST_MESSAGE},
       {OLDEST_CALLBACK},
       (SELECT count(*) FROM webhooks_inboundevent WHERE due_at IS NOT NULL AND source = 'meta'),
       {OLDEST_STRIPE_EVENT},
       (SELECT count(*) FROM webhooks_inboundevent WHERE due_at IS NOT NULL AND source = 'stripe'),
       (SELECT count(*) FROM webhooks_endpoint WHERE off = 'failing' AND removed_at IS NULL),
       (SELECT count(*) FROM accounts_connection WHERE status = 'held'),
       (SELECT count(*) FROM accounts_connection WHERE breaker_open_since IS NOT NULL AND removed_at IS NULL),
       (SELECT coalesce(sum(count), 0) FROM messaging_tally WHERE day = %s AND status = 'failed'),
       (SELECT coalesce(sum(count), 0) FROM messaging_tally WHERE day = %s),
       (SELECT extract(epoch FROM now() - last_ok_at) FROM messaging_heartbeat WHERE name = 'worker'),
       (SELECT extract(epoch FROM now() - last_ok_at) FROM messaging_heartbeat WHERE name = 'receiver')
"""


def figures() -> list[Figure]:
    """Return how the service stands now; three statements."""
    today = datetime.now(UTC).date()
    with connection.cursor() as cursor:
        cursor.execute(_STAND, [today, today])
        message, callback, callbacks, event, events, *others = cursor.fetchone()
    failing, held, open_, failed, ended, worker, receiver = others
    sends = restore_guard.may_send()
    bare = staff.without_factor()
    return [
        Figure("Sending", "yes" if sends else "no: the database was restored or moved", bad=not sends),
        Figure("Last claim of a worker", _ago(worker), bad=worker is None or worker > SILENT_SECONDS),
        Figure("Our own address was last reached", _ago(receiver)),
        Figure("Oldest message that is due", _for(message), bad=(message or 0) > STUCK_SECONDS),
        Figure(
            "Oldest callback that is due",
            f"{_for(callback)} ({callbacks} wait)",
            bad=(callback or 0) > STUCK_SECONDS,
            path="webhooks/inboundevent/?source__exact=meta",
        ),
        Figure(
            "Oldest event of Stripe's that waits",
            f"{_for(event)} ({events} wait)",
            bad=(event or 0) > STRIPE_SILENT_SECONDS,
            path="webhooks/inboundevent/?source__exact=stripe",
        ),
        Figure("Numbers held for their credentials", str(held), bool(held), "accounts/number/?status=held"),
        Figure(
            "Numbers for which Meta fails",
            str(open_),
            bool(open_),
            "accounts/number/?breaker_open_since__isempty=0",
        ),
        Figure("Endpoints switched off as failing", str(failing), path="webhooks/endpoint/?off=failing"),
        Figure("Messages that ended today", f"{ended} ({failed} failed)", path="messaging/message/"),
        Figure(
            "Staff without a second factor",
            ", ".join(bare) or "nobody",
            bool(bare),
            "accounts/user/?is_staff__exact=1",
        ),
    ]


_HEALTH = """
SELECT a.id,
       (SELECT count(*) FROM accounts_connection WHERE account_id = a.id AND removed_at IS NULL),
       (SELECT count(*) FROM accounts_connection
        WHERE account_id = a.id AND removed_at IS NULL AND status = 'held'),
       (SELECT count(*) FROM accounts_connection
        WHERE account_id = a.id AND removed_at IS NULL AND paused_until > now()
          AND breaker_open_since IS NULL),
       (SELECT count(*) FROM accounts_connection
        WHERE account_id = a.id AND removed_at IS NULL AND breaker_open_since IS NOT NULL),
       (SELECT count(*) FROM webhooks_endpoint
        WHERE account_id = a.id AND removed_at IS NULL AND off IN ('failing', 'gone')),
       t.failed, t.ended
FROM unnest(%s::uuid[]) AS a(id) CROSS JOIN LATERAL (
    SELECT coalesce(sum(count) FILTER (WHERE status = 'failed'), 0) AS failed,
           coalesce(sum(count), 0) AS ended
    FROM messaging_tally WHERE account_id = a.id AND day >= %s) t
"""


@dataclass(frozen=True, slots=True)
class Health:
    """How one customer's numbers, webhooks and messages are; messages of today and yesterday (UTC)."""

    numbers: int
    held: int
    paused: int
    troubled: int
    endpoints_off: int
    failed: int
    ended: int

    @property
    def ailments(self) -> list[str]:
        """Return what somebody should look at; empty when all is well."""
        found = [
            (self.held, "held"),
            (self.paused, "paused"),
            (self.troubled, "failing at Meta"),
            (self.endpoints_off, "endpoints off"),
        ]
        told = [f"{count} {what}" for count, what in found if count]
        if self.ended >= ENOUGH_TO_JUDGE and self.failed / self.ended >= MANY_FAIL:
            told.append(f"{self.failed / self.ended:.0%} failed")
        return told


def health(account_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Health]:
    """Return how some customers are; one statement, by indexes."""
    since = datetime.now(UTC).date() - timedelta(days=1)
    with connection.cursor() as cursor:
        cursor.execute(_HEALTH, [list(account_ids), since])
        return {ident: Health(*figures) for ident, *figures in cursor.fetchall()}


def _for(seconds: float | None) -> str:
    return "none" if seconds is None else f"{float(seconds):.0f} s"


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{float(seconds):.0f} s ago"
