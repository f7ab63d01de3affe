"""Quota: messages an account may still send in its billing period, charged in the sending transaction.

**Why slots.** One counter row per account would be locked from the charge to the end of each commit, so an
account could accept no more requests than the disk can flush one after the other: 560 a second where 1,870
went through with sixteen rows (16 connections, an insert and a charge each, fsync on, two busy cores).
Appending one row per charge (as the daily totals of messaging do) waits for nobody but cannot refuse the
101st of 200 parallel sends. So the quota of a busy account is dealt out over ``SLOTS`` rows. A send takes
from any that nobody holds (``billing_take``), in one statement; each refuses to exceed what it was dealt,
hence all together never exceed the limit. Only when no single row has room for a request are all of them
locked, added up and dealt anew: near the end of the quota, and for a bulk request larger than any share. A
rollback (a refusal, a crash, a lost race for an idempotency key) gives back what it took without anybody's
help.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.plans import monthly_messages
from billing import customers
from billing.models import AddOn, Adjustment, Customer, QuotaPeriod, QuotaSlot, Subscription
from billing.periods import SAME, around, month_of
from core.errors import Refusal
from core.sql import rows

#: more than the web processes that are likely to hold one at the same moment
SLOTS = 16
#: smaller quotas are not used fast enough to need more than one row
ONE_SLOT_BELOW = 5_000
#: dealt to a slot of an account without a limit; sixteen of them stay within a bigint
PLENTY = 10**15
#: what adds to the limit until its end
EXTRAS: tuple[type[AddOn] | type[Adjustment], ...] = (AddOn, Adjustment)
#: subscriptions that give a period; past_due ones are in their grace time
LIVE = ("active", "trialing", "past_due")

#: a period is counted together this long after its end
SETTLES = timedelta(hours=1)

#: a part of a statement, for ``to_take``: true when that many messages were taken from the quota, or none
#: were asked for. Migration 0002 has the function: two attempts, each giving back its locks when it fails.
TAKEN = "CASE WHEN %s::bigint = 0 THEN true ELSE billing_take(%s::uuid, %s::bigint) END"


@dataclass(frozen=True, slots=True)
class Usage:
    """A billing period and how much of it is used; ``limit`` None: no limit."""

    starts_at: datetime
    ends_at: datetime
    used: int
    limit: int | None

    @property
    def remaining(self) -> int | None:
        """Messages that may still be sent in this period."""
        return None if self.limit is None else max(0, self.limit - self.used)


def to_take(account_id: uuid.UUID, messages: int) -> tuple[Any, ...]:
    """Return the values of ``TAKEN``, for a statement that charges and stores in one breath.

    When it says no, ``charge`` must be asked: it deals anew, or refuses.
    """
    return (messages, account_id, messages)


def charge(account_id: uuid.UUID, messages: int) -> None:
    """Count ``messages`` that are being accepted, within the transaction that accepts them.

    Raises ``Refusal`` (``quota_exceeded``) when fewer are left; then nothing was counted. To be called once
    in a transaction, after its other locks were taken.
    """
    if messages <= 0:
        return
    assert connection.in_atomic_block, "a charge belongs to the transaction that accepts the messages"
    if rows(f"SELECT {TAKEN}", to_take(account_id, messages))[0][0]:
        return
    _refuse_if_used_up(account_id, messages)
    _charge_all(account_id, messages)


def _refuse_if_used_up(account_id: uuid.UUID, messages: int) -> None:
    """Refuse without a lock what surely does not fit, so that an account that is out costs little."""
    period = _open_period(account_id)
    if period is None:
        return
    used = _used(period)
    if period.limit is None or used + messages <= period.limit:
        return
    # The limit may have been raised a moment ago; asking again costs nothing that matters here.
    limit = _limit(customers.ensure(account_id))
    if limit is not None and used + messages > limit:
        raise _exceeded(Usage(period.starts_at, period.ends_at, used, limit), messages)


def _charge_all(account_id: uuid.UUID, messages: int) -> None:
    customer = customers.locked(account_id)
    period = _open_period(account_id) or _begin(customer, timezone.now())
    slots = _locked_slots(period)
    used = sum(slot.used for slot in slots)
    period.limit = _limit(customer)
    if period.limit is not None and used + messages > period.limit:
        raise _exceeded(Usage(period.starts_at, period.ends_at, used, period.limit), messages)
    if not slots:
        slots = _more_slots(period, slots)
    slots[0].used += messages
    _deal(period, slots)


def _exceeded(usage: Usage, messages: int) -> Refusal:
    left = usage.remaining or 0
    day = usage.ends_at.strftime("%Y-%m-%d %H:%M UTC")
    if left:
        said = f"This request has {messages:,} messages and {left:,} of {usage.limit:,} are left until {day}."
    else:
        said = f"The {usage.limit:,} messages of this billing period are used up; the next begins {day}."
    return Refusal(
        "quota_exceeded",
        f"{said} Upgrade the plan, or buy more messages, with POST /billing/checkout.",
        limit=usage.limit,
        used=usage.used,
        remaining=left,
        resets_at=usage.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


# --- what is used


def usage(account_id: uuid.UUID) -> Usage:
    """Return the current period as it is committed; reads only."""
    period = _open_period(account_id)
    customer = Customer.objects.select_related("account").filter(pk=account_id).first()
    if customer is None:
        customer = customers.ensure(account_id)
    if period is None:
        starts_at, ends_at = _bounds(account_id, timezone.now())
        return Usage(starts_at, ends_at, 0, _limit(customer))
    return Usage(period.starts_at, period.ends_at, _used(period), _limit(customer))


def _open_period(account_id: uuid.UUID) -> QuotaPeriod | None:
    return (
        QuotaPeriod.objects.filter(account_id=account_id, used=None, ends_at__gt=timezone.now())
        .order_by("-starts_at")
        .first()
    )


def _used(period: QuotaPeriod) -> int:
    return int(period.slots.aggregate(total=Sum("used"))["total"] or 0)


def _limit(customer: Customer) -> int | None:
    """Add up what the account may send: plan or agreed cap, add-ons, adjustments. None: no limit."""
    base = customer.monthly_messages
    if base is None:
        base = monthly_messages(customer.account.plan)
    if base is None:
        return None
    more = 0
    for table in EXTRAS:
        rows = table._default_manager.filter(
            account_id=customer.pk, revoked_at=None, ends_at__gt=timezone.now()
        )
        more += rows.aggregate(total=Sum("messages"))["total"] or 0
    return max(0, base + more)


# --- periods and slots; every function from here on is called with the customer's row locked


def refresh(customer: Customer) -> None:
    """Bring the open period in line with the plan, the add-ons and the subscription's own period.

    Waits for the sends that are being accepted; they never wait for it for longer than its transaction.
    """
    now = timezone.now()
    period = _open_period(customer.pk)
    if period is None:
        return
    subscription = _live_subscription(customer.pk)
    before = (period.pk, period.ends_at, period.limit)
    if subscription is not None:
        period = _aligned(customer, period, subscription, now)
    period.limit = _limit(customer)
    if (period.pk, period.ends_at, period.limit) == before:
        return  # every account comes by every night; nearly none has anything to deal
    slots = _locked_slots(period)
    used = sum(slot.used for slot in slots)
    if period.limit is None or used * 100 < period.limit * 80:
        period.warned = period.mailed = 0  # there is room again, of whose end should be warned again
    _deal(period, slots)


def _aligned(
    customer: Customer, period: QuotaPeriod, subscription: Subscription, now: datetime
) -> QuotaPeriod:
    """Return the period that the subscription pays for, opened if it is a new one."""
    starts_at, ends_at = subscription.period_start_at, subscription.period_end_at
    assert starts_at is not None and ends_at is not None
    if ends_at <= now or period.ends_at == ends_at:
        return period
    if period.starts_at < starts_at - SAME:
        # What was bought for the old period is not lost by paying for a new one.
        _move_extras(period, ends_at)
        _end(period, now)
        return _begin(customer, now)
    _move_extras(period, ends_at)
    _end(period, ends_at)
    return period


def _move_extras(period: QuotaPeriod, ends_at: datetime) -> None:
    for table in EXTRAS:
        rows = table._default_manager.filter(account_id=period.account_id, ends_at=period.ends_at)
        rows.update(ends_at=ends_at)


def _end(period: QuotaPeriod, ends_at: datetime) -> None:
    period.ends_at = ends_at
    period.save(update_fields=["ends_at"])
    period.slots.update(ends_at=ends_at)


def _live_subscription(account_id: uuid.UUID) -> Subscription | None:
    return (
        Subscription.objects.filter(account_id=account_id, status__in=LIVE, period_end_at__isnull=False)
        .order_by("-period_end_at")
        .first()
    )


def _bounds(account_id: uuid.UUID, now: datetime) -> tuple[datetime, datetime]:
    """Return the period to open: the subscription's, or what is left of the calendar month."""
    subscription = _live_subscription(account_id)
    if subscription is not None and subscription.period_start_at and subscription.period_end_at:
        starts_at, ends_at = around(now, subscription.period_start_at, subscription.period_end_at)
    else:
        starts_at, ends_at = month_of(now)
    last = QuotaPeriod.objects.filter(account_id=account_id).order_by("-starts_at").first()
    if last is not None and last.starts_at <= starts_at < last.ends_at:
        starts_at = last.ends_at
    return starts_at, ends_at


def _begin(customer: Customer, now: datetime) -> QuotaPeriod:
    starts_at, ends_at = _bounds(customer.pk, now)
    period = QuotaPeriod(account_id=customer.pk, starts_at=starts_at, ends_at=ends_at)
    period.limit = _limit(customer)
    period.save(force_insert=True)
    return period


def current_period(customer: Customer) -> QuotaPeriod:
    """Return the open period, opened if none is; for what is bought or given until its end."""
    return _open_period(customer.pk) or _begin(customer, timezone.now())


def _locked_slots(period: QuotaPeriod) -> list[QuotaSlot]:
    return list(period.slots.select_for_update(no_key=True).order_by("slot"))


def _more_slots(period: QuotaPeriod, slots: list[QuotaSlot]) -> list[QuotaSlot]:
    wanted = SLOTS if period.limit is None or period.limit >= ONE_SLOT_BELOW else 1
    return slots + [
        QuotaSlot(period=period, account_id=period.account_id, ends_at=period.ends_at, slot=number, granted=0)
        for number in range(len(slots), wanted)
    ]


def _deal(period: QuotaPeriod, slots: list[QuotaSlot]) -> None:
    """Deal what is left over the slots; what they have used stays theirs."""
    slots = _more_slots(period, slots)
    used = sum(slot.used for slot in slots)
    if period.limit is None:
        share, odd = PLENTY, 0
    else:
        share, odd = divmod(max(0, period.limit - used), len(slots))
    for number, slot in enumerate(slots):
        slot.granted = slot.used + share + (1 if number < odd else 0)
    period.save(update_fields=["limit", "warned", "mailed"])
    QuotaSlot.objects.bulk_update([slot for slot in slots if slot.pk], ["granted", "used"])
    QuotaSlot.objects.bulk_create([slot for slot in slots if not slot.pk])


@transaction.atomic
def close_ended(at_most: int = 500) -> int:
    """Count together the periods that are over and drop their slots; returns how many."""
    ended = list(
        QuotaPeriod.objects.select_for_update(skip_locked=True)
        # An hour later no transaction that began within the period can still be open.
        .filter(used=None, ends_at__lt=timezone.now() - SETTLES)[:at_most]
    )
    for period in ended:
        period.used = _used(period)
        period.save(update_fields=["used"])
        period.slots.all().delete()
    return len(ended)
