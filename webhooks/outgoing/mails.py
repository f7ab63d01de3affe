"""Mails about endpoints that fail: after an hour, after a day, and when one was disabled."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Q
from django.utils import timezone

from webhooks.models import Endpoint

log = structlog.get_logger(__name__)

FIRST, SECOND = timedelta(hours=1), timedelta(hours=24)
#: the mail that tells of the end, whichever were sent before
LAST = 3
_FAILING = """Hello {name},

since {since} UTC every webhook to your endpoint has failed:

    {url}

Nothing is lost. Each event is tried again for about three days, and you can replay what was given up. If the
endpoint fails for five days without a break, we disable it. The log of every attempt shows what it answered:
GET {public_url}/webhook-endpoints/{id}/deliveries
"""
_DISABLED = """Hello {name},

we have disabled your webhook endpoint, because {why}:

    {url}

Events are kept for {days} days. Enable the endpoint again with PATCH {public_url}/webhook-endpoints/{id} and
{{"enabled": true}}, then replay what it missed with POST {public_url}/webhook-endpoints/{id}/replay.
"""


def tell_owners() -> int:
    """Send the mails that are due; returns how many. One that cannot be sent is tried at the next look."""
    now = timezone.now()
    due = Endpoint.objects.filter(removed_at=None).filter(
        Q(enabled=True, notices=0, failures__gte=2, failing_since__lte=now - FIRST)
        | Q(enabled=True, notices=1, failing_since__lte=now - SECOND)
        | Q(enabled=False, off__in=[Endpoint.Off.GONE, Endpoint.Off.FAILING], notices__lt=LAST)
    )
    return sum(_tell(endpoint) for endpoint in due.select_related("account")[:100])


def _tell(endpoint: Endpoint) -> bool:
    before = endpoint.notices
    after = before + 1 if endpoint.enabled else LAST
    mine = Endpoint.objects.filter(pk=endpoint.pk, enabled=endpoint.enabled)
    # Taken first, so that two workers do not write the same mail; given back if it cannot be sent.
    if not mine.filter(notices=before).update(notices=after):
        return False
    values = {
        "name": endpoint.account.name,
        "url": endpoint.url,
        "id": endpoint.pk,
        "public_url": settings.PUBLIC_URL,
        "days": settings.DELIVERIES_KEPT_DAYS,
    }
    if endpoint.enabled:
        assert endpoint.failing_since is not None
        subject = "Your webhook endpoint has been failing for " + ("an hour" if after == 1 else "a day")
        body = _FAILING.format(since=f"{endpoint.failing_since:%Y-%m-%d %H:%M}", **values)
    else:
        gone = endpoint.off == Endpoint.Off.GONE
        subject = "Your webhook endpoint was disabled"
        why = "it answered 410 Gone" if gone else "it has done nothing but fail for five days"
        body = _DISABLED.format(why=why, **values)
    try:
        EmailMessage(subject=subject, body=body, to=[endpoint.account.email]).send()
    except OSError as error:
        log.warning("a mail could not be sent", endpoint=str(endpoint.pk), error=repr(error))
        mine.filter(notices=after).update(notices=before)
        return False
    return True
