"""The figures of an account's first page: what went well, what waits, how its numbers are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.db import connection
from django.db.models import Sum

from accounts.models import Account, Number
from messaging.models import Batch, Message, Status, Tally
from messaging.status.daily_totals import COUNTED
from messaging.status.timeline import OPEN, WAITING

DAYS = 14
FAILURES = 5

# Open messages are few beside those that ended, and message_by_status finds them.
_OPEN = """
SELECT status, count(*), count(*) FILTER (WHERE created_at >= %s), min(due_at) FILTER (WHERE due_at < now())
FROM messaging_message WHERE account_id = %s AND status = ANY(%s) AND NOT dry_run GROUP BY status
"""
#: newest failures, found by message_by_status without a look at anything else
_FAILED = Status.FAILED


@dataclass(slots=True)
class Day:
    """How the messages ended that were accepted on one UTC day."""

    day: date
    delivered: int = 0  # delivered or read
    sent: int = 0  # taken by WhatsApp; not reported as delivered yet
    failed: int = 0
    canceled: int = 0

    @property
    def total(self) -> int:
        """All that ended."""
        return self.delivered + self.sent + self.failed + self.canceled


@dataclass(frozen=True, slots=True)
class Figures:
    """``days`` run from the oldest to today; ``queue`` counts what is open, by status."""

    days: list[Day]
    today: int
    queue: dict[Status, int]
    oldest_due: datetime | None
    failures: list[Message] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """What ended in these days."""
        return sum(day.total for day in self.days)

    @property
    def delivery_rate(self) -> float | None:
        """Delivered or read, as a part of what ended; None when nothing did."""
        return self._part(sum(day.delivered for day in self.days))

    @property
    def failure_rate(self) -> float | None:
        """Failed, as a part of what ended; None when nothing did."""
        return self._part(sum(day.failed for day in self.days))

    @property
    def waiting(self) -> int:
        """Messages that stand in the queue or wait for Meta's answer."""
        return sum(count for status, count in self.queue.items() if status != Status.SCHEDULED)

    @property
    def scheduled(self) -> int:
        """Messages for later."""
        return self.queue.get(Status.SCHEDULED, 0)

    def _part(self, count: int) -> float | None:
        return count / self.accepted if self.accepted else None


_PLACE = {Status.SENT: "sent", Status.DELIVERED: "delivered", Status.READ: "delivered"} | {
    Status.FAILED: "failed",
    Status.CANCELED: "canceled",
}


def figures(account: Account, *, today: date) -> Figures:
    """Count an account's last ``DAYS`` days up to ``today`` (UTC). Three statements, whatever the volume."""
    first = today - timedelta(days=DAYS - 1)
    days = {first + timedelta(days=index): Day(first + timedelta(days=index)) for index in range(DAYS)}
    sums = Tally.objects.filter(account=account, day__gte=first, day__lte=today, status__in=COUNTED)
    for day, status, count in sums.values_list("day", "status").annotate(Sum("count")).order_by("day"):
        one = days[day]
        name = _PLACE[Status(status)]
        setattr(one, name, getattr(one, name) + max(count, 0))
    queue: Counter[Status] = Counter()
    begun = days[today].total
    oldest: datetime | None = None
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [midnight, account.pk, [*OPEN]])
        for status, count, of_today, due in cursor.fetchall():
            queue[Status(status)] += count
            begun += of_today
            if due is not None and status in WAITING:
                oldest = min(oldest, due) if oldest else due
    failed = Message.objects.filter(account=account, status=_FAILED).order_by("-id")
    return Figures(list(days.values()), begun, dict(queue), oldest, list(failed[:FAILURES]))


@dataclass(frozen=True, slots=True)
class Health:
    """How a number is: ``tone`` good, warn or bad, a word and a sentence of what to do about it."""

    number: Number
    tone: str
    state: str
    advice: str


def health(number: Number, at: datetime) -> Health:
    """Say how a number is at ``at``, from what the engine and Meta have told of it."""
    if number.status == Number.Status.HELD:
        why = number.status_reason or "Meta refused its credentials."
        return Health(number, "bad", "held", f"{why} Its messages wait; save new credentials.")
    if number.breaker_open_since is not None:
        return Health(
            number, "bad", "failing", "WhatsApp keeps failing for this number. It is tried again by itself."
        )
    if number.paused_until is not None and number.paused_until > at:
        return Health(number, "warn", "resting", "WhatsApp asked for a pause. It goes on by itself.")
    if number.status != Number.Status.ACTIVE:
        return Health(number, "warn", "unverified", "Not verified yet. Finish the set-up.")
    if any(isinstance(check, dict) and check.get("ok") is False for check in number.checks or []):
        return Health(number, "warn", "attention", "One of its checks failed; messages still go out.")
    return Health(number, "good", "well", "")


def numbers(account: Account, at: datetime) -> list[Health]:
    """Return how each of an account's numbers is, the default one first. One statement."""
    rows = account.connections.filter(removed_at=None).order_by("-is_default", "created_at")
    return [health(row, at) for row in rows]


def estimate(number: Number, count: int) -> float:
    """Return about how many seconds ``count`` more messages take, behind what waits for this number already.

    The pace is the number's own; pauses that Meta may ask for are not known beforehand.
    """
    waiting = Message.objects.filter(connection=number, due_at__isnull=False).exclude(status=Status.SCHEDULED)
    return (waiting.count() + count) / max(number.slowed_to or number.messages_per_second, 0.1)


def remaining(batch: Batch) -> float | None:
    """Return about how many seconds a batch still takes; None when its number is gone or it is scheduled."""
    waiting = Message.objects.filter(batch=batch, due_at__isnull=False).exclude(status=Status.SCHEDULED)
    one = waiting.select_related("connection").first()
    return estimate(one.connection, 0) if one is not None and one.connection is not None else None
