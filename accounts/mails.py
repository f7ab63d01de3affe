"""Mails about people and accounts."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils.translation import gettext as _

from accounts.models import Invitation
from accounts.team import INVITATION_DAYS
from core.secret import Secret


def join_url(secret: Secret) -> str:
    """Return the address at which an invitation is taken."""
    return f"{settings.PUBLIC_URL}/app/join/{secret.reveal()}"


def invite(invitation: Invitation, secret: Secret) -> bool:
    """Mail an invitation; tells whether the mail server took it."""
    by = invitation.invited_by
    # One line: what a stranger calls an account must not pass for a paragraph of ours.
    name = " ".join(invitation.account.name.split())
    text = _(
        "{who} invites you to the account “{account}” on Hermod.\n\n"
        "Sign in or sign up with this address, then join:\n\n    {url}\n\n"
        "The link works for {days} days. If you do not know {who}, ignore this mail.\n"
    ).format(
        who=by.email if by else name,
        account=name,
        url=join_url(secret),
        days=INVITATION_DAYS,
    )
    subject = _("Join {account} on Hermod").format(account=name)
    try:
        EmailMessage(subject=subject, body=text, to=[invitation.email]).send()
    except OSError:
        return False
    return True
