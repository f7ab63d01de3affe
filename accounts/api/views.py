"""Base view of the classic API: which counter a request counts against, and its limit a minute."""

from __future__ import annotations

from collections.abc import Sequence

from rest_framework.request import Request

from accounts.authentication import caller, key_of
from accounts.keys import MOST_PER_MINUTE
from accounts.models import Account, ApiKey
from accounts.plans import LIMITS, Plan
from core.errors import Refusal
from core.http.classic import ClassicView
from core.http.clientip import bucket, client_ip

#: contract 2.2: sending, and today also looking up what was sent
SEND = "whatsapp:send"
#: additive: only looking up
READ = "whatsapp:read"
#: contract 1.7
REGISTRATIONS_PER_MINUTE = 5


def requests_per_minute(key: ApiKey, account: Account, usual: int | None = None) -> int:
    """Return how often a key may call in a minute: its own limit, or the usual one, within its plan's.

    The plan is the one of this moment (W38), so a key made on a larger plan slows down with it. A limit that
    is higher than anybody can ask for was agreed with an operator and stands.
    """
    most = LIMITS[Plan(account.plan)].requests_per_minute
    own = key.rate_limit_per_minute or usual or most
    return own if own > MOST_PER_MINUTE else min(own, most)


def by_account(request: Request) -> list[tuple[str, int]]:
    """Count by account: its keys share what the plan allows, so a key made or rotated adds nothing to it.

    The document knows one key an account, so its "per key" is this. A key with a limit of its own is counted
    by that as well; one whose limit was agreed with an operator, by that alone.
    """
    key, account = key_of(request), caller(request)
    most = LIMITS[Plan(account.plan)].requests_per_minute
    own = requests_per_minute(key, account)
    shared = [(f"account:{account.pk}", most)] if own <= most else []
    return ([(f"key:{key.window}", own)] if own != most else []) + shared


def by_address(request: Request) -> list[tuple[str, int]]:
    """Count by the client's address."""
    return [(f"register:{bucket(client_ip(request))}", REGISTRATIONS_PER_MINUTE)]


def refuse_below_pro(account: Account) -> None:
    """Raise ``Refusal`` (``plan_not_eligible``) unless the plan has /v1 and its keys (contract 2.2, J42)."""
    if not LIMITS[Plan(account.plan)].v1_keys:
        raise Refusal(
            "plan_not_eligible",
            "The API under /v1 and its mk_ keys are part of the Professional plan and above. "
            "Upgrade and they work at once.",
        )


def refuse_unscoped(key: ApiKey, wanted: Sequence[str]) -> None:
    """Raise ``Refusal`` (``insufficient_scope``) unless the key has one of these scopes, or ``*``."""
    if not {"*", *wanted} & set(key.scopes):
        raise Refusal(
            "insufficient_scope",
            f"This API key lacks the scope {wanted[0]}.",
            required_scope=wanted[0],
        )


class KeyView(ClassicView):
    """A view that is called with an API key, counted by its account and allowed by its scopes.

    ``scope`` is what a key needs besides ``*``; None: only ``*`` will do (the account itself, its keys,
    its credentials).
    """

    rate = staticmethod(by_account)
    scope: str | None = None
    #: a key that is limited to certain agents has no business here
    all_agents = True
    #: a test key may look but not change anything here
    live_only = False

    def check_permissions(self, request: Request) -> None:
        """Refuse a deactivated account, then a key whose plan or scopes do not cover this view."""
        super().check_permissions(request)
        key = key_of(request)
        if key.is_scoped:
            refuse_below_pro(caller(request))
        reads = request.method in ("GET", "HEAD", "OPTIONS")
        wanted = [self.scope or "*", *([READ] if self.scope == SEND and reads else [])]
        refuse_unscoped(key, wanted)
        if key.agent_ids is not None and self.all_agents:
            # This dialect knows no agents, so it could not keep to the list.
            raise Refusal(
                "agent_not_authorized",
                "This API key is limited to certain agents, so it works under /v1 only.",
            )
        if self.live_only and not reads and key.is_test:
            raise Refusal("insufficient_scope", "A test key cannot change the account. Use a live one.")
