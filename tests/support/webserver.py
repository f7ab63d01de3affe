"""The web server as the product starts it, as a real process."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
from typing import Any

from core.server.command import command
from tests.support.processes import free_port
from tests.support.waiting import eventually


class WebServer:
    """One server on a free port; ``ask`` opens a connection for each request."""

    def __init__(self, application: str, *, server: str = "", threads: int = 8, **more: str) -> None:
        self.address = ("127.0.0.1", free_port())
        line = command(*self.address, server=server, processes=1, threads=threads, application=application)
        self.process = subprocess.Popen(line, env={**os.environ, "PYTHONWARNINGS": "ignore", **more})
        eventually(self.answers, 60)

    def answers(self) -> bool:
        """Tell whether it takes requests; fails when it has ended."""
        assert self.process.poll() is None, "the server has ended"
        try:
            self.ask("/healthz")
        except OSError:
            return False
        return True

    def connect(self, *, buffer: int = 0) -> socket.socket:
        """Open a connection; ``buffer`` keeps the kernel from reading for a client that does not."""
        one = socket.socket()
        if buffer:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        one.settimeout(20)
        one.connect(self.address)
        return one

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        """Make one request; returns status and body."""
        client = http.client.HTTPConnection(*self.address, timeout=10)
        try:
            client.request(method, path, body or None, headers)
            answer = client.getresponse()
            return answer.status, answer.read()
        finally:
            client.close()

    def told(self, path: str, **headers: str) -> Any:
        """Return what the application says that it was asked."""
        return json.loads(self.ask(path, **headers)[1])

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(40)


def answer_on(one: socket.socket) -> bytes:
    """Read what a server says until it closes."""
    said = b""
    while piece := one.recv(65_536):
        said += piece
    return said
