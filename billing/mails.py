"""Mails about money: a payment that is overdue, and a quota that runs out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import Account
from billing import customers
from billing.entitlement import GRACE, grace_until
from billing.models import QuotaPeriod, Subscription

log = structlog.get_logger(__name__)

#: the second mail comes this long before the end of the grace time
LAST_WORD = timedelta(hours=24)
BATCH = 200

_OVERDUE = """Hello {name},

your payment for the plan {plan} did not go through. Nothing has stopped: your plan stays as it is until
{until}. Stripe tries the card again by itself; to mend it now, open the billing portal:

    {portal}

If the payment is still missing then, the account falls back to {fallback} and its limits.
"""
_LAST_WORD = """Hello {name},

your payment for the plan {plan} is still missing. On {until} the account falls back to {fallback}: fewer
requests a minute, fewer messages. To keep the plan, pay in the billing portal:

    {portal}
"""
_OVER = """Hello {name},

your payment for the plan {plan} has been missing for three days, so the account is on {now} now. Nothing was
deleted. As soon as the payment goes through, in the billing portal, the plan is back:

    {portal}
"""
_QUOTA = """Hello {name},

{used} of the {limit} messages of your billing period are used ({percent} %). The next period begins {until}.

{then}

    {checkout}
"""
_SOON = "When all are used, new messages are refused until then. Upgrade, or buy more messages, here:"
_NOW = "New messages are refused from now on. To go on at once, upgrade or buy more messages here:"


@dataclass(frozen=True, slots=True)
class QuotaWarning:
    """A quota that is nearly (80) or wholly (100) used."""

    account_id: uuid.UUID
    plan: str
    percent: int
    used: int
    limit: int
    starts_at: datetime
    ends_at: datetime


#: publishes warnings as events, in the transaction that notes them; the app of webhooks gives it
Publish = Callable[[list[QuotaWarning]], None]

_NEAR = """
SELECT p.id, p.account_id, a.plan, p."limit", p.starts_at, p.ends_at, p.warned, p.mailed, sum(s.used)::bigint
FROM billing_quotaperiod p JOIN billing_quotaslot s ON s.period_id = p.id
    JOIN accounts_account a ON a.id = p.account_id AND a.closed_at IS NULL
WHERE p.used IS NULL AND p.ends_at > now() AND p."limit" > 0 AND least(p.warned, p.mailed) < 100
GROUP BY p.id, a.plan
HAVING sum(s.used) * 100 >= p."limit" * (CASE WHEN least(p.warned, p.mailed) < 80 THEN 80 ELSE 100 END)
LIMIT %s
"""


def warn_of_quotas(publish: Publish | None = None) -> int:
    """Tell, by event and by mail, whose quota is 80 or 100 percent used; returns how many were told.

    Counting is spread over slots, so no send knows the sum; this looks once a minute instead. An event is
    published once; a mail that cannot be sent is tried again at the next look.
    """
    with connection.cursor() as cursor:
        cursor.execute(_NEAR, [BATCH])
        rows = cursor.fetchall()
    told = 0
    for ident, account_id, plan, limit, starts_at, ends_at, warned, mailed, used in rows:
        percent = 100 if used >= limit else 80
        warning = QuotaWarning(account_id, plan, percent, used, limit, starts_at, ends_at)
        period = QuotaPeriod.objects.filter(pk=ident)
        if warned < percent:
            with transaction.atomic():
                if period.filter(warned__lt=percent).update(warned=percent) and publish is not None:
                    publish([warning])
        # Taken first, so that two workers do not write the same mail; given back if it cannot be sent.
        if mailed < percent and period.filter(mailed=mailed).update(mailed=percent):
            if _mail_quota(warning):
                told += 1
            else:
                period.filter(mailed=percent).update(mailed=mailed)
    return told


def _mail_quota(warning: QuotaWarning) -> bool:
    account = Account.objects.get(pk=warning.account_id)
    percent = warning.used * 100 // warning.limit
    used_up = warning.percent == 100
    return _mail(
        account,
        "Your messages are used up" if used_up else f"{percent} % of your messages are used",
        _QUOTA.format(
            name=account.name,
            used=f"{warning.used:,}",
            limit=f"{warning.limit:,}",
            percent=percent,
            until=_day(warning.ends_at),
            then=_NOW if used_up else _SOON,
            checkout=customers.money_page(),
        ),
    )


def tell_overdue() -> int:
    """Write to owners whose payment is missing: at once, a day before the grace time ends, and at its end."""
    sent = 0
    overdue = Subscription.objects.filter(
        past_due_since__isnull=False, past_due_mails__lt=3, account__closed_at=None
    )
    for one in overdue.select_related("account__billing_customer")[:BATCH]:
        due = _mails_due(one)
        taken = Subscription.objects.filter(pk=one.pk, past_due_mails=one.past_due_mails)
        if due <= one.past_due_mails or not taken.update(past_due_mails=due):
            continue
        if _mail_overdue(one, due):
            sent += 1
        else:
            Subscription.objects.filter(pk=one.pk, past_due_mails=due).update(
                past_due_mails=one.past_due_mails
            )
    return sent


def _mails_due(subscription: Subscription) -> int:
    since, until = subscription.past_due_since, grace_until(subscription)
    assert since is not None and until is not None
    # The last mail says what has happened, so it waits for Stripe's word after the end.
    if subscription.fetched_at >= until:
        return 3
    return 2 if timezone.now() >= since + GRACE - LAST_WORD else 1


def _mail_overdue(subscription: Subscription, number: int) -> bool:
    account, until = subscription.account, grace_until(subscription)
    assert until is not None
    subject, text = {
        1: ("Your payment did not go through", _OVERDUE),
        2: (f"Your plan {subscription.plan} ends tomorrow", _LAST_WORD),
        3: (f"Your account is on {account.plan} now", _OVER),
    }[number]
    return _mail(
        account,
        subject,
        text.format(
            name=account.name,
            plan=subscription.plan,
            until=_day(until),
            fallback=account.billing_customer.granted_plan,
            now=account.plan,
            portal=customers.money_page(),
        ),
    )


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")


def _mail(account: Account, subject: str, body: str) -> bool:
    try:
        EmailMessage(subject=subject, body=body, to=[account.email]).send()
    except OSError as error:
        log.warning("a mail could not be sent", account=str(account.pk), error=repr(error))
        return False
    return True
