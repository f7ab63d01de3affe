"""Whose address a request comes from: the peer's, or the one a trusted proxy names."""

from __future__ import annotations

import ipaddress
from functools import cache

from django.conf import settings
from django.http import HttpRequest

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


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
    while hops and is_in(address, trusted):
        address = hops.pop()
    return address


def is_in(address: str, some: tuple[Network, ...]) -> bool:
    """Tell whether an address is in one of the networks."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
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
