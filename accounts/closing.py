"""Closing an account: from that moment nothing works any more; its rows are deleted a week later."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.models import Account, Number
from core.errors import invalid


@transaction.atomic
def close(account: Account, *, confirmation: str, actor: str) -> None:
    """Close an account for good: keys end, credentials are forgotten, members and invitations go.

    ``confirmation`` is its name, typed by the owner. Raises ``Invalid`` when it is not. What still waits
    to be sent fails for want of credentials. ``messaging.upkeep.retention`` deletes the rows later.
    """
    held = Account.objects.select_for_update().get(pk=account.pk)
    if confirmation.strip() != held.name.strip():
        raise invalid("confirmation", "Type the name of the account exactly as it stands above.")
    now = timezone.now()
    held.api_keys.filter(revoked_at=None).update(revoked_at=now, revoked_reason="account closed")
    held.connections.filter(removed_at=None).update(
        access_token_sealed="",
        app_secret_sealed="",
        removed_at=now,
        is_default=False,
        status=Number.Status.REMOVED,
        status_reason="The account was closed.",
    )
    held.invitations.all().delete()
    audit.record(held, "account.closed", actor=actor)
    held.memberships.all().delete()
    held.is_active = False
    held.closed_at = now
    held.email = f"closed-{held.pk}@invalid"
    held.save(update_fields=["is_active", "closed_at", "email"])
