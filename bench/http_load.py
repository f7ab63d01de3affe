"""The load generator: plain sockets and epoll, so that it costs less than what it measures.

Two ways of asking: *closed* (each of N connections asks again as soon as it is answered) for
throughput, and *open* (one request every so many milliseconds, answered or not) for latency under a
given load. Runs as a process of its own; the plan comes in a file and the result is one line of JSON.
"""

from __future__ import annotations

import argparse
import itertools
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

import orjson

_HEAD_END = b"\r\n\r\n"


class Request(TypedDict):
    """One request of a plan, headers without Host and Content-Length."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


class Sample(TypedDict):
    """One answer: status, seconds it took, time of day when it had come, and the body when asked for."""

    status: int
    took: float
    at: float
    body: str


def wire(request: Request) -> bytes:
    """Return a request as bytes."""
    body = request["body"].encode()
    lines = [f"{request['method']} {request['path']} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in request["headers"].items()]
    if body or request["method"] != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + _HEAD_END + body


class _Client:
    """One kept-alive connection; opens itself again when the server closed it."""

    def __init__(self, port: int, poll: select.epoll) -> None:
        self._port, self._poll = port, poll
        self.sock: socket.socket | None = None
        self.buffer = b""
        self.pending: bytes | None = None
        self.started = 0.0
        self.retried = False
        self.told_to_close = False

    def open(self) -> int:
        """Connect anew and return the file number."""
        self.close()
        self.told_to_close = False
        self.sock = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll.register(self.sock.fileno(), select.EPOLLIN)
        self.buffer = b""
        return self.sock.fileno()

    def close(self) -> None:
        """Close the connection if there is one."""
        if self.sock is not None:
            self._poll.unregister(self.sock.fileno())
            self.sock.close()
            self.sock = None

    def send(self, data: bytes) -> None:
        """Write one request."""
        assert self.sock is not None
        self.pending, self.started = data, time.perf_counter()
        self.sock.sendall(data)

    def answered(self) -> tuple[int, bytes] | None:
        """Read what has come; status and body of a whole answer, else None. Raises ``ConnectionError``."""
        assert self.sock is not None
        chunk = self.sock.recv(262144)
        if not chunk:
            raise ConnectionResetError("closed by the server")
        self.buffer += chunk
        end = self.buffer.find(_HEAD_END)
        if end < 0:
            return None
        head = self.buffer[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        if at < 0:
            raise ValueError("an answer without Content-Length cannot be measured")
        stop = head.find(b"\r\n", at + 2)
        length = int(head[at + 17 : stop if stop >= 0 else len(head)])
        if len(self.buffer) < end + 4 + length:
            return None
        body = self.buffer[end + 4 : end + 4 + length]
        status = int(self.buffer[9:12])
        self.buffer = b""
        self.pending = None
        self.retried = False
        self.told_to_close = b"\r\nconnection: close" in head
        return status, body


class Load:
    """One run against one port."""

    def __init__(self, port: int, requests: Sequence[bytes], *, connections: int, bodies: bool) -> None:
        self._poll = select.epoll()
        self._requests: Iterator[bytes] = itertools.cycle(requests)
        self._clients: dict[int, _Client] = {}
        self._port, self._bodies = port, bodies
        for _ in range(connections):
            client = _Client(port, self._poll)
            self._clients[client.open()] = client
        self.samples: list[Sample] = []
        self.reconnects = 0
        self.errors = 0

    def closed(self, *, seconds: float, count: int | None) -> None:
        """Ask on every connection without a pause, for a time or until ``count`` were asked."""
        ends = time.perf_counter() + seconds
        left = count if count is not None else sys.maxsize
        for client in list(self._clients.values()):
            if left > 0:
                left -= 1
                client.send(next(self._requests))
        while any(client.pending for client in self._clients.values()):
            for client in self._answers(1.0):
                if left > 0 and time.perf_counter() < ends:
                    left -= 1
                    client.send(next(self._requests))
            if time.perf_counter() > ends + 60:
                self.errors += sum(client.pending is not None for client in self._clients.values())
                return

    def open(self, *, every: float, count: int) -> None:
        """Ask every ``every`` seconds on a free connection; the wait for one is part of the latency."""
        idle = deque(self._clients.values())
        begun = time.perf_counter()
        asked = 0
        while asked < count or len(idle) < len(self._clients):
            due = begun + asked * every
            now = time.perf_counter()
            if asked < count and due <= now and idle:
                client = idle.popleft()
                client.send(next(self._requests))
                client.started = due
                asked += 1
                continue
            idle.extend(self._answers(max(0.0, min(due - now, 0.5)) if asked < count else 0.5))
            if now > begun + count * every + 60:
                self.errors += len(self._clients) - len(idle)
                return

    def _answers(self, wait: float) -> list[_Client]:
        done = []
        for number, _ in self._poll.poll(wait):
            client = self._clients[number]
            try:
                answer = client.answered()
            except OSError:
                self._again(number, client)
                if client.pending is None:
                    done.append(client)
                continue
            if answer is not None:
                status, body = answer
                took = time.perf_counter() - client.started
                text = body.decode() if self._bodies else ""
                self.samples.append({"status": status, "took": took, "at": time.time(), "body": text})
                if client.told_to_close:
                    self._again(number, client)
                done.append(client)
        return done

    def _again(self, number: int, client: _Client) -> None:
        """Open a connection again that the server closed while idle; ask once more what it did not read."""
        pending, started = client.pending, client.started
        del self._clients[number]
        self._clients[client.open()] = client
        self.reconnects += 1
        if pending is None:
            return
        if client.retried:
            self.errors += 1
            client.pending = None
            return
        client.retried = True
        client.send(pending)
        client.started = started

    def finish(self) -> None:
        """Close everything."""
        for client in self._clients.values():
            client.close()
        self._poll.close()


def main() -> None:
    """Read a plan (JSON) from the file that is named, run it, print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    plan: dict[str, Any] = orjson.loads(parser.parse_args().plan.read_bytes())
    load = Load(
        plan["port"],
        [wire(request) for request in plan["requests"]],
        connections=plan["connections"],
        bodies=plan.get("bodies", False),
    )
    began, day = time.perf_counter(), time.time()
    if plan.get("every"):
        load.open(every=plan["every"], count=plan["count"])
    else:
        load.closed(seconds=plan["seconds"], count=plan.get("count"))
    seconds = time.perf_counter() - began
    load.finish()
    result = {
        "began": day,
        "seconds": seconds,
        "samples": load.samples,
        "reconnects": load.reconnects,
        "errors": load.errors,
    }
    sys.stdout.buffer.write(orjson.dumps(result) + b"\n")


if __name__ == "__main__":
    main()
