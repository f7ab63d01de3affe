"""An internet for tests of egress: names, a certificate authority, TLS servers and canaries, on loopback.

Names resolve as a test says; a socket to a public address reaches the server of that address, one to
any other address reaches a canary. So a connection that must not be made is really made, heard by the
canary and seen by the interpreter's own audit hook, which no code of ours can go round.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from webhooks.outgoing.egress import Network

PUBLIC_V4, PUBLIC_V6 = "93.184.216.34", "2606:4700::6810:85e5"

_watchers: list[list[tuple[str, int]]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watchers and isinstance(arguments[1], tuple):
        for watcher in _watchers:
            watcher.append(arguments[1][:2])


sys.addaudithook(_audit)


class Authority:
    """A certificate authority whose root only the test's client trusts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hermod test root")])
        self._root = self._certificate(self._name, self._key.public_key(), ca=True)

    def trusting(self) -> ssl.SSLContext:
        """Return a client's context that trusts this authority and no other."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self._root.public_bytes(serialization.Encoding.PEM).decode())
        return context

    def serving(
        self,
        *names: str,
        expired: bool = False,
        stranger: bool = False,
        heard: list[str | None] | None = None,
    ) -> ssl.SSLContext:
        """Return a server's context with a certificate for ``names``; SNI names are noted in ``heard``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        certificate = self._certificate(
            subject, key.public_key(), names=names, expired=expired, signer=key if stranger else None
        )
        path = self._folder / f"{certificate.serial_number}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if heard is not None:

            def note(_: Any, name: str | None, __: Any) -> None:
                heard.append(name)

            context.sni_callback = note
        return context

    def _certificate(
        self,
        subject: x509.Name,
        key: Any,
        *,
        names: Iterable[str] = (),
        ca: bool = False,
        expired: bool = False,
        signer: Any = None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if signer else self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 9 * day)
            .not_valid_after(now - day if expired else now + day)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(signer or self._key, hashes.SHA256())


@dataclass
class Request:
    """One request as the server's socket saw it."""

    head: str
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header; names compare without case."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


#: what a server does after it has read a request
Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


def answering(status: str = "200 OK", body: bytes = b"ok", **headers: str) -> Play:
    """Return a play that gives this answer."""
    named = {"Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)

    async def play(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)
        await writer.drain()

    return play


@dataclass
class Internet:
    """Names and their answers, servers by public address, canaries behind every other address."""

    authority: Authority
    #: name (with its last dot) → addresses, an exception, or a function that is asked each time
    names: dict[str, Any] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    #: addresses that sockets were sent to, before the wire led them to loopback
    dialled: list[str] = field(default_factory=list)
    #: what the interpreter saw
    audited: list[tuple[str, int]] = field(default_factory=list)
    canaries_heard: int = 0
    asked: list[str] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    ports: dict[tuple[str, bool], int] = field(default_factory=dict)
    _canary: dict[bool, int] = field(default_factory=dict)

    def network(self) -> Network:
        """Return what an egress session stands on."""
        return Network(look_up=self._look_up, new_socket=self.new_socket, tls=self.authority.trusting())

    async def _look_up(self, host: str) -> list[str]:
        self.asked.append(host)
        answer = self.names.get(host, socket.gaierror(socket.EAI_NONAME, "unknown"))
        if callable(answer):
            answer = answer()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if isinstance(answer, BaseException):
            raise answer
        return list(answer)

    def new_socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        world = self

        class Wire(socket.socket):
            def connect(self, address: Any) -> None:
                world.dialled.append(address[0])
                super().connect(world.wire(self.family, address))

        return Wire(family, kind, protocol)

    def wire(self, family: int, address: Any) -> tuple[str, int]:
        """Lead a public address to its server, and anything else to a canary."""
        v6 = family == socket.AF_INET6
        port = self.ports.get((address[0], v6), self._canary[v6])
        return ("::1" if v6 else "127.0.0.1", port)

    def denied(self) -> list[tuple[str, int]]:
        """Return the connects, as the interpreter saw them, that went to something else than a server."""
        ports = set(self.ports.values())
        return [where for where in self.audited if where[1] not in ports]

    @contextlib.asynccontextmanager
    async def open(self, play: Play, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[None]:
        """Run a TLS server on the two public addresses, and the canaries."""
        context = tls or self.authority.serving(
            "good.example", "*.good.example", "xn--mnchen-3ya.example", heard=self.server_names
        )

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").removesuffix("\r\n\r\n")
                    request = Request(head, b"")
                    request.body = await reader.readexactly(int(request.header("Content-Length") or 0))
                    self.requests.append(request)
                    await play(reader, writer)
            writer.close()

        async def sing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.canaries_heard += 1
            writer.close()

        async with contextlib.AsyncExitStack() as stack:
            for v6, host in ((False, "127.0.0.1"), (True, "::1")):
                server = await asyncio.start_server(serve, host, 0, ssl=context)
                canary = await asyncio.start_server(sing, host, 0)
                stack.callback(server.close)
                stack.callback(canary.close)
                self.ports[PUBLIC_V6 if v6 else PUBLIC_V4, v6] = server.sockets[0].getsockname()[1]
                self._canary[v6] = canary.sockets[0].getsockname()[1]
            _watchers.append(self.audited)
            try:
                yield
            finally:
                _watchers.remove(self.audited)
