"""The gate of the WhatsAPI dialect: which counter a request counts against, and its limit a minute."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.authentication import caller, key_of
from accounts.models import ApiKey
from billing.plans import LIMITS, Plan
from config.clientip import bucket, client_ip
from config.dialects.whatsapi import WhatsAPIView
from config.errors import Refusal

#: contract 2.2: sending, and today also looking up what was sent
SEND = "whatsapp:send"
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
    """A view that is called with an API key, counted by it and allowed by its scopes.

    ``scope`` is what a key needs besides ``*``; None: only ``*`` will do (the account itself, its keys,
    its credentials).
    """

    rate = staticmethod(by_key)
    scope: str | None = None
    #: a test key may look but not change anything here
    live_only = False

    def check_permissions(self, request: Request) -> None:
        """Refuse a deactivated account, then a key whose scopes do not cover this view."""
        super().check_permissions(request)
        scopes = key_of(request).scopes
        if "*" not in scopes and (self.scope is None or self.scope not in scopes):
            raise Refusal(
                "insufficient_scope",
                f"This API key lacks the scope {self.scope or '*'}.",
                required_scope=self.scope or "*",
            )
        reads = request.method in ("GET", "HEAD", "OPTIONS")
        if self.live_only and not reads and key_of(request).kind == ApiKey.Kind.SK_TEST:
            raise Refusal("insufficient_scope", "A test key cannot change the account. Use a live one.")
