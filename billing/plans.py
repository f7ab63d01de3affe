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


# Contract 1.6, and S0 ("Professional plan or higher") for the /v1 keys.
LIMITS = {
    Plan.FREE: Limits(20, 0, False),
    Plan.BASIC: Limits(100, 100, False),
    Plan.PRO: Limits(500, 1_000, True),
    Plan.ENTERPRISE: Limits(2_000, 5_000, True),
}


def bulk_limit(plan: str) -> int:
    """Return how many messages one bulk request may hold on a plan; 0: none (W24, W25).

    MAX_BULK_MESSAGES is the ceiling of self-service plans; Enterprise has its own cap.
    """
    most = LIMITS[Plan(plan)].bulk_messages
    return most if plan == Plan.ENTERPRISE else min(most, settings.MAX_BULK_MESSAGES)
