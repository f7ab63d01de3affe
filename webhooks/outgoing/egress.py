"""Egress, the one place that opens connections to customers: to a checked address, by the certificate.

A name is resolved once, every address of the answer is checked (one bad one spoils them all), and the
socket goes to one of those very addresses; SNI, certificate and ``Host`` come from the name. The socket's
maker checks its address once more, so that nothing can come past the resolver. Proxies, netrc and cookies
of the environment are not used, redirects not followed, and an answer is read up to ``BODY_LIMIT``.
"""

from __future__ import annotations

import asyncio
import math
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from django.conf import settings
from yarl import URL

from core.errors import Refusal
from webhooks.outgoing.egress_rules import address_allowed, check_url

__all__ = ["Answer", "Network", "check_url", "post", "session"]

#: bytes read of an answer; the rest is never fetched
BODY_LIMIT = 16 * 1024
CONNECT_SECONDS = 3.0
RESOLVE_SECONDS = 3.0
#: below the five seconds after which many servers close an idle connection
KEEPALIVE_SECONDS = 4.0
#: seconds that an answer's body may take after its status, which is what counts
BODY_SECONDS = 2.0
#: names looked up at once; the C library blocks a thread for each, for up to half a minute if nobody answers
LOOKUPS = 64
#: addresses of one name that are tried
ADDRESSES = 4
_HEADERS_KEPT = 50
_VALUE_KEPT = 500
_LINE = 8190

AddrInfo = tuple[int, int, int, str, tuple[object, ...]]


class Denied(OSError):
    """The name resolves to an address that must not be called."""


class Unresolved(OSError):
    """The name has no address, or nobody said so in time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: a ``status`` came (any), or ``error`` says in a sentence why none did.

    A redirect has both: its status, and the sentence that it is not followed. ``body`` is at most
    ``BODY_LIMIT`` bytes, read as UTF-8; header names are in lower case.
    """

    status: int | None
    body: str
    headers: dict[str, str]
    error: str | None
    milliseconds: int


async def look_up(host: str) -> list[str]:
    """Ask the system's resolver for every address of ``host``; raises ``OSError``.

    Each question runs in a daemon thread of its own: threads of a shared pool would be taken, all of
    them, by names whose servers never answer.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def settle(addresses: list[str] | None, error: OSError | UnicodeError | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(Unresolved(str(error)))
        else:
            answer.set_result(addresses or [])

    def ask() -> None:
        addresses, error = None, None
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(info[4][0]) for info in infos))
        except (OSError, UnicodeError) as caught:
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, addresses, error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    return await answer


@dataclass(frozen=True, slots=True)
class Network:
    """What a session stands on; tests bring a resolver, a certificate authority and a wire of their own."""

    look_up: Callable[[str], Awaitable[Sequence[str]]] = look_up
    new_socket: Callable[[int, int, int], socket.socket] = socket.socket
    tls: ssl.SSLContext | None = field(default=None)


class _Resolver(AbstractResolver):
    """Resolves a name and lets only a wholly allowed answer through."""

    def __init__(self, network: Network) -> None:
        self._look_up = network.look_up
        self._room = asyncio.Semaphore(LOOKUPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        # The dot at the end keeps the resolver's search domains out: ``good.example`` must never become
        # ``good.example.corp.internal``. Names of a private network need them.
        asked = host if settings.WEBHOOK_ALLOW_PRIVATE else f"{host.rstrip('.')}."
        try:
            async with asyncio.timeout(RESOLVE_SECONDS), self._room:
                addresses = await self._look_up(asked)
        except TimeoutError:
            raise Unresolved("no answer in time") from None
        if not addresses:
            raise Unresolved("no address")
        if not all(address_allowed(address) for address in addresses):
            raise Denied("an address that is not allowed")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in addresses[:ADDRESSES]
        ]

    async def close(self) -> None:
        """Nothing is held."""


def session(*, connections: int = 0, network: Network | None = None) -> aiohttp.ClientSession:
    """Return a session for ``post``, to be used with ``async with`` inside a running loop.

    ``connections`` is the most connections held at once; 0: whatever the caller keeps in flight. Checked
    answers of the resolver are used again for ten seconds.
    """
    network = network or Network()

    def checked_socket(info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, where = info
        if not address_allowed(str(where[0])):
            raise Denied("an address that is not allowed")
        return network.new_socket(family, kind, protocol)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            resolver=_Resolver(network),
            socket_factory=checked_socket,
            ssl=network.tls or ssl.create_default_context(),
            limit=connections,
            ttl_dns_cache=10,
            keepalive_timeout=KEEPALIVE_SECONDS,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        # An answer that unpacks to a thousand times its size stays packed.
        auto_decompress=False,
        read_bufsize=BODY_LIMIT,
        max_line_size=_LINE,
        max_field_size=_LINE,
        headers={
            "User-Agent": f"Hermod/{settings.VERSION} (webhooks)",
            "Content-Type": "application/json",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
        },
    )


async def post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    timeout: float = 10.0,  # noqa: ASYNC109 - the sentence of a timeout names its limit
) -> Answer:
    """Make one POST and say how it ended; trouble of the network never raises, cancellation passes.

    ``timeout`` is in seconds and covers everything up to the status, and the body after it. The address is
    checked again, since rules may have become stricter since it was saved.
    """
    began = time.monotonic()

    def ended(
        status: int | None = None,
        error: str | None = None,
        *,
        text: bytes = b"",
        of: Mapping[str, str] | None = None,
    ) -> Answer:
        kept = list((of or {}).items())[:_HEADERS_KEPT]
        return Answer(
            status,
            text.decode("utf-8", "replace"),
            {name.lower(): value[:_VALUE_KEPT] for name, value in kept},
            error,
            math.ceil((time.monotonic() - began) * 1000),
        )

    try:
        target = URL(check_url(url), encoded=True)
    except Refusal as refusal:
        return ended(None, refusal.fields[0].message)
    except ValueError:
        return ended(None, "The URL cannot be read.")
    try:
        async with session.post(
            target,
            data=body,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS),
        ) as response:
            left = max(0.1, min(BODY_SECONDS, timeout - (time.monotonic() - began)))
            text = await _beginning(response, left)
            moved = "Redirects are not followed." if 300 <= response.status < 400 else None
            return ended(response.status, moved, text=text, of=response.headers)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return ended(None, _sentence(error, timeout))


async def _beginning(response: aiohttp.ClientResponse, seconds: float) -> bytes:
    """Read the start of a body; whatever goes wrong in it, the status stands."""
    text = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while len(text) < BODY_LIMIT:
                part = await response.content.read(BODY_LIMIT - len(text))
                if not part:
                    return bytes(text)
                text += part
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        pass
    # What is still to come would have to be read before the connection could be used again.
    response.close()
    return bytes(text)


def _sentence(error: BaseException, timeout: float) -> str:
    """Say what happened without a word of what is inside our network."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            cause = error.os_error
            if isinstance(cause, Denied):
                return "The host resolves to an address that is not allowed."
            return "The host could not be resolved."
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "") or "not valid for this host"
            return f"The certificate was not accepted: {reason}."
        case aiohttp.ClientConnectorSSLError() | ssl.SSLError():
            return "The TLS handshake failed."
        case aiohttp.ConnectionTimeoutError():
            return f"No connection within {CONNECT_SECONDS:g} seconds."
        case TimeoutError():
            return f"No answer within {timeout:g} seconds."
        case aiohttp.ClientConnectorError():
            if isinstance(error.os_error, Denied):
                return "The host is an address that is not allowed."
            reason = error.os_error.strerror or "no connection"
            return f"The connection failed: {reason}."
        case aiohttp.ServerDisconnectedError() | ConnectionError():
            return "The connection was closed before an answer came."
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError():
            return "The answer is not HTTP."
        case ValueError():
            return "The request could not be written: a header is not valid."
        case _:
            return f"The call failed ({type(error).__name__})."
