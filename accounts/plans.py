"""The plans and what each allows: one table, read by everything that limits."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import models


class Plan(models.TextChoices):
    """The names customers see in ``GET /auth/me``."""

    FREE = "free"
    BASIC = "basic"
    PRO = "pro"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one plan allows."""

    requests_per_minute: int
    bulk_messages: int  # in one POST /messages/bulk; 0: bulk is not part of the plan
    v1_keys: bool  # may use the /v1 API
    endpoints: int  # webhook endpoints; 1 is the documented one
    agents: int | None  # senders; None: as many as wanted


# Requests and bulk: contract 1.6; the /v1 keys: contract 2.2 ("Professional plan or higher"); 3 agents: the
# example of contract 2.8. The documents name no other number of agents or endpoints: those are ours.
LIMITS = {
    Plan.FREE: Limits(20, 0, False, 1, 1),
    Plan.BASIC: Limits(100, 100, False, 3, 3),
    Plan.PRO: Limits(500, 1_000, True, 10, 10),
    Plan.ENTERPRISE: Limits(2_000, 5_000, True, 20, None),
}
#: cheapest first: of two subscriptions the better one counts, and a move to the left is a downgrade
ORDER = [Plan.FREE, Plan.BASIC, Plan.PRO, Plan.ENTERPRISE]
#: what a customer can buy alone; Enterprise is arranged with sales (contract 1.5)
SELF_SERVICE = (Plan.BASIC, Plan.PRO)


@dataclass(frozen=True, slots=True)
class AddOnKind:
    """Something extra that is bought once and lasts until the end of the billing period (contract 2.8)."""

    code: str
    messages: int
    agents: int
    title: str


ADD_ONS = {
    kind.code: kind
    for kind in (
        AddOnKind("messages_1000", 1_000, 0, "1,000 more messages"),
        AddOnKind("messages_5000", 5_000, 0, "5,000 more messages"),
        AddOnKind("messages_10000", 10_000, 0, "10,000 more messages"),
        AddOnKind("agent", 0, 1, "One more agent"),
    )
}


def bulk_limit(plan: str) -> int:
    """Return how many messages one bulk request may hold on a plan; 0: none (W24, W25).

    MAX_BULK_MESSAGES is the ceiling of self-service plans; Enterprise has its own cap.
    """
    most = LIMITS[Plan(plan)].bulk_messages
    return most if plan == Plan.ENTERPRISE else min(most, settings.MAX_BULK_MESSAGES)


def monthly_messages(plan: str) -> int | None:
    """Return how many messages a plan holds in a billing period; None: as many as wanted.

    The documents publish no number but an example of 10,000 (contract 2.8), so each is a setting; 0 there
    is None.
    """
    return settings.MONTHLY_MESSAGES[str(plan)] or None
