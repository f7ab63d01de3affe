"""A customer's receiver for the tests: a real HTTP server that notes what it gets and answers as told."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The event's id."""
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class Receiver:
    """Answers 200 unless ``answer`` (path → status, headers) says otherwise; ``hang`` paths never answer."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.answer: Callable[[Got], tuple[int, dict[str, str]]] = lambda got: (200, {})
        self.hangs: set[str] = set()
        self.under_way: Counter[str] = Counter()
        self.most_under_way: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.ended = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                got = Got(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                with outer.lock:
                    outer.got.append(got)
                    outer.under_way[self.path] += 1
                    outer.most_under_way[self.path] = max(
                        outer.most_under_way[self.path], outer.under_way[self.path]
                    )
                try:
                    if self.path in outer.hangs:
                        outer.ended.wait(30)
                        self.close_connection = True
                        return
                    status, headers = outer.answer(got)
                finally:
                    with outer.lock:
                        outer.under_way[self.path] -= 1
                text = b"" if status == 204 else f"answer {status}".encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def setup(self) -> None:
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self.server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def ids(self, path: str | None = None) -> list[str]:
        """The ids of what came, in order."""
        return [got.id for got in self.got if path is None or got.path == path]

    def forget(self) -> None:
        """Begin anew: answer 200 to everything."""
        self.got, self.hangs = [], set()
        self.answer = lambda got: (200, {})
        self.most_under_way.clear()
        self.ended.clear()

    def close(self) -> None:
        """End."""
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
