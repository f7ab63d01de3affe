"""The audit log: who did what in an account, written in the same transaction as the deed."""

from __future__ import annotations

from typing import Any

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


def by(request: HttpRequest) -> dict[str, str]:
    """Return ``actor`` and ``address`` of a signed-in request, to hand to ``record``."""
    return {"actor": getattr(request.user, "email", ""), "address": client_ip(request)}


def latest(account: Account, *, limit: int = 100) -> list[AuditEvent]:
    """Return an account's last events, the newest first."""
    return list(account.audit_events.order_by("-at", "-pk")[:limit])
