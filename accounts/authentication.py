"""Bearer keys for both APIs: who is calling, and whether their account may."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import structlog
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission

from accounts import keys
from accounts.models import Account, ApiKey
from core.errors import Refusal

if TYPE_CHECKING:  # DRF's views import their defaults, of which these classes are some
    from rest_framework.request import Request
    from rest_framework.views import APIView


NO_BEARER = "Send your API key in the Authorization header, as in: Authorization: Bearer mk_live_…"


class KeyAuthentication(BaseAuthentication):
    """Reads ``Authorization: Bearer <key>``; the account becomes ``request.user``, the key ``request.auth``.

    Cookies are ignored: a browser's session never reaches an API.
    """

    def authenticate(self, request: Request) -> tuple[Account, ApiKey]:
        """Find the caller; raises ``Refusal`` with one of the three key codes."""
        header = request.META.get("HTTP_AUTHORIZATION", "")
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip(" "):
            raise Refusal("invalid_api_key", keys.INVALID, cause=NO_BEARER)
        key = keys.authenticate(text.strip(" "))
        structlog.contextvars.bind_contextvars(account=str(key.account_id))
        return key.account, key


class ActiveAccount(BasePermission):
    """Refuses a deactivated account after its key was recognised (W52)."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raise ``Refusal`` (``account_deactivated``) or return True."""
        if not request.user.is_active:
            raise Refusal("account_deactivated", "Your account has been deactivated.")
        return True


def caller(request: Request) -> Account:
    """Return the account that an authenticated request comes from."""
    return cast("Account", request.user)


def key_of(request: Request) -> ApiKey:
    """Return the key that an authenticated request carries."""
    return cast("ApiKey", request.auth)
