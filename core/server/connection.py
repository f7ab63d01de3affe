"""A client's connection: what has arrived of its request, what is still to be written, and until when."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextvars import Context
from enum import IntEnum
from typing import Any

from core.http.clientip import bucket
from core.server.arriving import Arriving

#: larger pieces of a body cost fewer turns of the loop
AT_ONCE = 256 * 1024
HEAD_AT_ONCE = 16 * 1024


class Stage(IntEnum):
    """What a connection waits for."""

    IDLE = 0  # a request
    READING = 1  # the rest of one
    SKIPPING = 2  # the end of a body that nobody wanted
    BUSY = 3  # its answer; a thread has it, or will
    WRITING = 4  # that the client takes what was answered
    LINGERING = 5  # that the client closes, too


class Outbox:
    """What an answer wrote and the client has not taken. Stands in for the socket in gunicorn's Response."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._pieces: list[bytes | memoryview] = []
        self.waiting = 0

    def sendall(self, data: bytes) -> None:
        """Keep a piece; ``flush`` writes it."""
        self._pieces.append(data)
        self.waiting += len(data)

    def gettimeout(self) -> float:
        """Say that nothing here ever blocks."""
        return 0.0

    def flush(self) -> int:
        """Write what the client takes without waiting; returns how many bytes. Raises ``OSError``."""
        written = 0
        while self._pieces:
            data = b"".join(self._pieces) if len(self._pieces) > 1 else self._pieces[0]
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                self._pieces = [data]
                break
            written += sent
            self._pieces = [memoryview(data)[sent:]] if sent < len(data) else []
        self.waiting -= written
        return written


class Answer:
    """An answer that is being written; one that waits for its client holds no thread."""

    def __init__(self, response: Any, environ: dict[str, Any], pieces: Any, begun: float) -> None:
        self.response, self.environ, self.whole = response, environ, pieces
        self.pieces: Iterator[bytes] = iter(pieces)
        self.begun = begun
        #: what the thread that began it had in mind (language, correlation id)
        self.context: Context | None = None


class Connection:
    """One client's connection and its place in the order of things."""

    __slots__ = (
        *("address", "answer", "arriving", "deadline", "keep", "outbox", "peer", "server", "served"),
        *("since", "skip", "sock", "stage", "watched"),
    )

    def __init__(self, sock: socket.socket, peer: Any, server: Any, now: float) -> None:
        self.sock, self.peer, self.server = sock, peer, server
        self.address = bucket(peer[0]) if isinstance(peer, tuple) else ""
        self.outbox = Outbox(sock)
        self.arriving: Any = None
        self.answer: Answer | None = None
        self.stage = Stage.IDLE
        self.since = now
        self.deadline = now
        self.watched = 0  # what the poller looks for: nothing, reading, writing
        self.served = 0
        self.keep = False  # open for another request once this answer is written
        self.skip = 0

    def next_request(self, cfg: Any) -> Arriving:
        """Begin to read another request."""
        self.arriving = Arriving(cfg, self.peer, self.served + 1)
        return self.arriving
