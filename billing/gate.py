"""The gate of the WhatsAPI dialect: which counter a request counts against, and its limit a minute."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.authentication import caller, key_of
from billing.plans import LIMITS, Plan
from config.clientip import bucket, client_ip
from config.dialects.whatsapi import WhatsAPIView

#: contract 1.7
REGISTRATIONS_PER_MINUTE = 5


def by_key(request: Request) -> tuple[str, int]:
    """Count by key: its own limit when it has one, else its account's plan, as it is now (W38)."""
    key = key_of(request)
    limit = key.rate_limit_per_minute or LIMITS[Plan(caller(request).plan)].requests_per_minute
    return f"key:{key.pk}", limit


def by_address(request: Request) -> tuple[str, int]:
    """Count by the client's address."""
    return f"register:{bucket(client_ip(request))}", REGISTRATIONS_PER_MINUTE


class KeyView(WhatsAPIView):
    """A view that is called with an API key and counted by it."""

    rate = staticmethod(by_key)
