"""Mails about what only the customer can mend: a number whose credentials Meta refuses."""

from __future__ import annotations

import structlog
from django.core.mail import EmailMessage
from django.utils import timezone

from accounts.models import Number

log = structlog.get_logger(__name__)

_TEXT = """Hello {name},

WhatsApp refuses the credentials of your number {number}, so we stopped sending from it:

    {reason}

Nothing is lost. Your messages wait in the queue, each as long as it is worth sending. To go on, save a
new access token with PUT /auth/me/credentials; sending resumes by itself.
"""


def tell_owners() -> int:
    """Send one mail for each number held since the last look; returns how many were sent.

    A mail that cannot be sent is tried again at the next look.
    """
    sent = 0
    for number in Number.objects.filter(status=Number.Status.HELD, held_notice_at=None).select_related(
        "account"
    )[:100]:
        # Taken first, so that two workers do not write the same mail; given back if it cannot be sent.
        mine = Number.objects.filter(pk=number.pk, held_notice_at=None)
        if not mine.update(held_notice_at=timezone.now()):
            continue
        shown = f"+{number.display_phone}" if number.display_phone else number.phone_number_id
        mail = EmailMessage(
            subject=f"Sending from {shown} has stopped",
            body=_TEXT.format(name=number.account.name, number=shown, reason=number.status_reason),
            to=[number.account.email],
        )
        try:
            mail.send()
            sent += 1
        except OSError as error:
            log.warning("a mail could not be sent", connection=str(number.pk), error=repr(error))
            Number.objects.filter(pk=number.pk).update(held_notice_at=None)
    return sent
