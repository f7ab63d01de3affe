"""The one audit log: who did what in an account, written in the same transaction as the deed.

What its people did they see (``record``); what operators did about it, and why, they do not (``note``).
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import Account, AuditEvent
from core.http.clientip import client_ip


def record(
    account: Account,
    action: str,
    *,
    actor: str = "",
    target: str = "",
    address: str | None = None,
    **details: Any,
) -> None:
    """Note that ``actor`` did ``action`` (``key.created``) to ``target``; ``details`` hold no secret."""
    AuditEvent.objects.create(
        account=account,
        action=action,
        actor=actor[:254],
        target=target[:254],
        address=address or None,
        details=details,
    )


def note(account_id: uuid.UUID, actor: str, action: str, **details: Any) -> None:
    """Note for operators alone that ``actor`` did ``action`` about an account; ``details`` say why."""
    AuditEvent.objects.create(
        account_id=account_id, action=action, actor=actor[:254], details=details, internal=True
    )


def by(request: HttpRequest) -> dict[str, str]:
    """Return ``actor`` and ``address`` of a signed-in request, to hand to ``record``."""
    return {"actor": getattr(request.user, "email", ""), "address": client_ip(request)}


def seen(account: Account) -> QuerySet[AuditEvent]:
    """Return what an account's people may see of its log, the newest first."""
    return account.audit_events.filter(internal=False).order_by("-at", "-pk")
