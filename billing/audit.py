"""The audit log of plans, limits and money: one line for each change, written with the change."""

from __future__ import annotations

import uuid
from typing import Any

from billing.models import AuditEntry

#: who acts when no person does
STRIPE = "stripe"
HERMOD = "hermod"


def record(account_id: uuid.UUID, actor: str, action: str, **details: Any) -> None:
    """Note, in the transaction of the change, who did what; ``details`` is JSON."""
    AuditEntry.objects.create(account_id=account_id, actor=actor[:254], action=action, details=details)
