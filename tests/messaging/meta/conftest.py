"""A scripted HTTP server in a thread, for the tests of messaging.meta."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass
class Request:
    """What reached the server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[socket.socket, Request], bool]


class ScriptedServer(socketserver.ThreadingTCPServer):
    """Answers each request by the next behaviour of its script; the last one stays.

    ``resets_unread`` and ``greeting`` (bytes instead of HTTP) act before any request is read;
    ``hold`` is what a hanging answer waits for; it is released when the test ends, so nothing sleeps.
    ``arrived`` is set by the first request.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script: list[Behaviour] = []
        self.requests: list[Request] = []
        self.connections = 0
        self.resets_unread = False
        self.greeting = b""
        self.hold = threading.Event()
        self.arrived = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: broken connections are what these tests are about."""

    # The behaviours.

    def answers(self, status: int, body: Any = b"", **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        names = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n{names}\r\n".encode()
        self.script.append(lambda sock, request: (sock.sendall(head + raw), True)[1])

    def hangs(self) -> None:
        self.script.append(lambda sock, request: (self.hold.wait(30), False)[1])

    def resets(self) -> None:
        self.script.append(lambda sock, request: (_reset(sock), False)[1])

    def closes(self) -> None:
        self.script.append(lambda sock, request: False)

    def breaks_off(self, status: int, part: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(part) + 100}\r\n\r\n".encode()
        self.script.append(lambda sock, request: (sock.sendall(head + part), False)[1])

    def says(self, raw: bytes) -> None:
        self.script.append(lambda sock, request: (sock.sendall(raw), False)[1])


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class _Handler(socketserver.BaseRequestHandler):
    server: ScriptedServer

    def handle(self) -> None:
        self.server.connections += 1
        if self.server.resets_unread:
            # Not sooner: a reset while the client still connects is a refused connection to it.
            self.request.recv(1)
            _reset(self.request)
            return
        if self.server.greeting:
            self.request.recv(65536)
            self.request.sendall(self.server.greeting)
            return
        reader = self.request.makefile("rb")
        while request := _read(reader):
            self.server.requests.append(request)
            self.server.arrived.set()
            script = self.server.script
            behaviour = script.pop(0) if len(script) > 1 else script[0]
            if not behaviour(self.request, request):
                # The reader would keep the socket open after the handler has gone.
                reader.close()
                return


def _read(reader: Any) -> Request | None:
    first = reader.readline().decode().split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := reader.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Request(first[0], first[1], headers, body)


@pytest.fixture
def empty_redis() -> None:
    """Take the place of the fixture other tests get: messaging.meta knows no Redis and no Django."""


@pytest.fixture
def meta() -> Iterator[ScriptedServer]:
    """A stand-in for Meta whose answers the test writes down beforehand."""
    server = ScriptedServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.hold.set()
    server.shutdown()
    server.server_close()
