"""Egress rules: which addresses a customer may name, and which a socket may go to; pure, no network.

Two checks, because a name is harmless until it is resolved: ``check_url`` when an address is saved, and
``address_allowed`` for every address that a name resolves to, at every connection. With
``WEBHOOK_ALLOW_PRIVATE`` (a laptop) both also let ``http://``, any port and private networks pass, yet
never link-local addresses: that is where clouds keep their credentials.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import idna
from django.conf import settings
from django.http.request import validate_host

from core.errors import invalid

LONGEST_URL = 2_000
PORTS = ("443", "8443")
#: last labels that are never a public name: reserved by RFC 2606, 6761, 7686, 8375, or in use inside networks
SPECIAL = frozenset(
    (
        *("localhost", "local", "localdomain", "internal", "lan", "home", "corp", "intranet", "private"),
        *("test", "invalid", "onion", "arpa", "svc", "cluster"),
    )
)
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\\"'<>{}|^`]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: IANA's special-purpose IPv4 networks, and the address of Azure's host services among the public ones
_DENIED_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
#: IPv6 is the other way round: only global unicast, without the parts of it that carry or stand for others
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_DENIED_V6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
#: what ``WEBHOOK_ALLOW_PRIVATE`` adds
_PRIVATE = tuple(
    ipaddress.ip_network(text)
    for text in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "::1/128",
        "fc00::/7",
    )
)
#: clouds answer for credentials here, inside a network that is otherwise private
_NEVER = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200")))


def address_allowed(text: str) -> bool:
    """Tell whether a connection may go to this IP address; what is not an address is not allowed."""
    try:
        address: _Address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return False
        address = address.ipv4_mapped or address
    if settings.WEBHOOK_ALLOW_PRIVATE and any(address in network for network in _PRIVATE):
        return address not in _NEVER
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _DENIED_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _DENIED_V6)


def check_url(url: str, *, field: str = "url") -> str:
    """Return the canonical form of a customer's address, in ASCII, or raise ``Invalid`` naming the rule.

    The canonical form is the one to store and to call: what was checked is then what is connected to.
    """

    def no(rule: str) -> Exception:
        return invalid(field, rule)

    if not isinstance(url, str) or not url:
        raise no("The URL is missing.")
    if len(url) > LONGEST_URL:
        raise no(f"The URL is longer than {LONGEST_URL} characters.")
    if _UNSAFE.search(url):
        raise no("The URL must not contain spaces, control characters, quotes, backslashes or <>{}|^`.")
    private = bool(settings.WEBHOOK_ALLOW_PRIVATE)
    scheme, separator, rest = url.partition("://")
    scheme = scheme.translate(_LOWER)
    if not separator or scheme not in (("https", "http") if private else ("https",)):
        raise no("The URL must start with https:// (a public HTTPS address).")
    if "#" in url:
        raise no("The URL must not have a fragment (#…).")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    try:
        parts = urlsplit(url)
    except ValueError:
        raise no("The URL cannot be read.") from None
    if parts.netloc != authority:
        raise no("The URL can be read in two ways.")
    if "@" in authority:
        raise no("The URL must not contain a user name or a password.")
    if private and authority.startswith("["):
        host, port = _literal_v6(authority, no)
    else:
        if "[" in authority or "]" in authority or "%" in authority:
            raise no("The host must be a name, without brackets or percent signs.")
        host, colon, port = authority.partition(":")
        if colon and (not _PORT.fullmatch(port) if private else port not in PORTS):
            raise no("The port must be 443 or 8443.")
        host = _host(host, no, private=private)
    # 443 is implied, and one address has one form.
    shown = f":{port}" if port and not (scheme == "https" and port == "443") else ""
    path = _ascii(parts.path) or "/"
    query = f"?{_ascii(parts.query)}" if "?" in url else ""
    canonical = f"{scheme}://{host}{shown}{path}{query}"
    if len(canonical) > LONGEST_URL:
        raise no(f"The URL is longer than {LONGEST_URL} characters once it is written in ASCII.")
    return canonical


def _literal_v6(authority: str, no: Callable[[str], Exception]) -> tuple[str, str]:
    """Read ``[::1]:8080``; only where private addresses are allowed."""
    literal, _, rest = authority[1:].partition("]")
    port = rest.removeprefix(":")
    if rest and (not rest.startswith(":") or not _PORT.fullmatch(port)):
        raise no("The port is not a number.")
    if ":" not in literal or not address_allowed(literal):
        raise no("The host is not an address that may be called.")
    return f"[{ipaddress.IPv6Address(literal).compressed}]", port


def _host(text: str, no: Callable[[str], Exception], *, private: bool) -> str:
    """Return a host name in ASCII lower case.

    Only ASCII letters are lowered. Nothing else is mapped: a circled digit or a full-width dot that some
    resolver would read as its plain twin is refused instead.
    """
    if private and re.fullmatch(r"[0-9.]+", text):
        if not address_allowed(text):
            raise no("The host is not an address that may be called.")
        return text
    labels = text.translate(_LOWER).split(".")
    if not all(labels):
        raise no("The host has an empty part.")
    try:
        labels = [_label(label) for label in labels]
    except (idna.IDNAError, UnicodeError):
        raise no("The host is not a valid name.") from None
    host = ".".join(labels)
    if not all(_LABEL.fullmatch(label) for label in labels) or len(host) > 253:
        raise no("The host is not a valid name.")
    if private:
        return host
    if not labels[-1][0].isalpha():
        raise no("The host must be a name, not an IP address.")
    if len(labels) < 2 or labels[-1] in SPECIAL:
        raise no("The host must be a public name.")
    ours = [urlsplit(settings.PUBLIC_URL).hostname or "", *settings.ALLOWED_HOSTS]
    if validate_host(host, [one for one in ours if one and one != "*"]):
        raise no("The host is this service itself.")
    return host


def _label(label: str) -> str:
    if label.isascii() and not label.startswith("xn--"):
        return label
    return idna.alabel(label).decode("ascii")


def _ascii(text: str) -> str:
    """Percent-encode what is not ASCII and leave the rest as it was written."""
    return quote(text, safe="".join(map(chr, range(0x21, 0x7F))))
