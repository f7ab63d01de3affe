"""Client's address: the peer's, or the one a trusted proxy names."""

from __future__ import annotations

import ipaddress
from functools import cache

import structlog
from django.conf import settings
from django.http import HttpRequest

from core.redis import Rarely

log = structlog.get_logger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: how often a process says that requests come through a proxy that it does not believe
TELL_EVERY_SECONDS = 600.0

_tell = Rarely(TELL_EVERY_SECONDS)


@cache
def networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Read the networks of TRUSTED_PROXIES."""
    return tuple(ipaddress.ip_network(text.strip(), strict=False) for text in texts)


def client_ip(request: HttpRequest) -> str:
    """Return the client's address.

    ``X-Forwarded-For`` is read from the right and only as far as each hop is one of TRUSTED_PROXIES;
    what stands further left was written by the client and could be anything.
    """
    trusted = networks(tuple(settings.TRUSTED_PROXIES))
    address = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if hop.strip()]
    if hops and not is_in(address, trusted) and _tell():
        log.warning(
            "X-Forwarded-For is not believed: who sent it is not in TRUSTED_PROXIES. If that is your proxy, "
            "add it: all clients behind it share one limit of registrations and sign-ins. If it is not, a "
            "client wrote the header itself, and nothing is wrong",
            sender=address or "a Unix socket",
        )
    while hops and is_in(address, trusted):
        address = hops.pop()
    return address


def is_in(address: str, some: tuple[Network, ...]) -> bool:
    """Tell whether an address is in one of the networks."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed  # an IPv4 peer of a server that listens on [::]
    return any(parsed in network for network in some)


def bucket(address: str) -> str:
    """Return what counts as one client: an IPv4 address, or an IPv6 /64 (one household or host has that)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
