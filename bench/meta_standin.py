"""A stand-in for Meta that is faster than what it measures: a set latency, a set rate, receive times.

Hand-made HTTP/1.1 on one event loop, because a framework would be the bottleneck. It knows only what
the benchmarks need: ``POST /<version>/<number>/messages`` answers after the latency with a fresh wamid,
or with Meta's 130429 when the number is over its rate. ``/_stats``, ``/_times`` and ``/_reset`` are ours.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import time
from collections import deque
from itertools import count
from typing import cast
from urllib.parse import parse_qs

import orjson

_REF = b'"biz_opaque_callback_data":"'
_HEAD_END = b"\r\n\r\n"
#: answers that are due within this time are written together, the later ones so much too early
TOGETHER_SECONDS = 0.002


class Meta:
    """What the stand-in has seen, and how it is set."""

    def __init__(self, *, latency: float, rate: float, keep_times: bool) -> None:
        self.latency = latency
        self.rate = rate
        self.keep_times = keep_times
        self._ids = count(1)
        self._forget()

    def _forget(self) -> None:
        self.accepted: dict[str, list[float]] = {}
        self.refused: dict[str, list[float]] = {}
        self.times: dict[str, float] = {}
        self.doubled = 0
        self._full_at: dict[str, float] = {}

    def reset(self, query: dict[str, list[str]]) -> bytes:
        """Forget everything; ``latency`` (seconds), ``rate`` (a second; 0: none) and ``times`` may be set."""
        self.latency = float(query.get("latency", [str(self.latency)])[0])
        self.rate = float(query.get("rate", [str(self.rate)])[0])
        self.keep_times = query.get("times", [str(int(self.keep_times))])[0] == "1"
        self._forget()
        return b"{}"

    def send(self, number: str, body: bytes) -> tuple[int, bytes]:
        """Take one message; returns status and body of the answer."""
        now = time.time()
        if self.rate and not self._admit(number, now):
            self.refused.setdefault(number, []).append(now)
            return 400, _TOO_FAST
        self.accepted.setdefault(number, []).append(now)
        if self.keep_times:
            start = body.find(_REF)
            if start >= 0:
                start += len(_REF)
                ref = body[start : body.index(b'"', start)].decode()
                self.doubled += ref in self.times
                self.times.setdefault(ref, now)
        wamid = f"wamid.BENCH{next(self._ids):012d}"
        return 200, b'{"messaging_product":"whatsapp","messages":[{"id":"%b"}]}' % wamid.encode()

    def _admit(self, number: str, now: float) -> bool:
        """A bucket of one second's worth, refilled at the rate; kept as the time at which it is full."""
        full_at = max(self._full_at.get(number, now), now) + 1.0 / self.rate
        if full_at - now > 1.0 + 1e-6:
            return False
        self._full_at[number] = full_at
        return True

    def stats(self) -> bytes:
        """Counts per number, first and last time, and sends in each second of the clock."""
        numbers = {
            number: {
                "accepted": len(times),
                "refused": len(self.refused.get(number, [])),
                "first": times[0],
                "last": times[-1],
                "times": times,
            }
            for number, times in self.accepted.items()
        }
        return orjson.dumps({"numbers": numbers, "doubled": self.doubled})


_TOO_FAST = orjson.dumps(
    {
        "error": {
            "message": "(#130429) Rate limit hit",
            "type": "OAuthException",
            "code": 130429,
            "error_data": {
                "messaging_product": "whatsapp",
                "details": "Message failed to send because there were too many messages sent from this "
                "phone number in a short period of time.",
            },
            "fbtrace_id": "bench",
        }
    }
)


class Answers:
    """Answers waiting for their latency: one timer for all, since they come in the order they go."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[float, asyncio.Transport, bytes]] = deque()
        self._armed = False

    def add(self, latency: float, transport: asyncio.Transport, answer: bytes) -> None:
        """Write ``answer`` after ``latency`` seconds."""
        if latency <= 0:
            transport.write(answer)
            return
        self._waiting.append((self._loop.time() + latency, transport, answer))
        if not self._armed:
            self._arm()

    def _arm(self) -> None:
        self._armed = True
        self._loop.call_at(self._waiting[0][0], self._write_due)

    def _write_due(self) -> None:
        until = self._loop.time() + TOGETHER_SECONDS
        waiting = self._waiting
        while waiting and waiting[0][0] <= until:
            _, transport, answer = waiting.popleft()
            if not transport.is_closing():
                transport.write(answer)
        self._armed = False
        if waiting:
            self._arm()


class Connection(asyncio.Protocol):
    """One client: requests one after the other, kept alive."""

    def __init__(self, meta: Meta, answers: Answers) -> None:
        self._meta = meta
        self._answers = answers
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take every whole request out of what has come."""
        self._buffer = self._buffer + data if self._buffer else data
        while True:
            end = self._buffer.find(_HEAD_END)
            if end < 0:
                return
            head = self._buffer[:end]
            length = _content_length(head)
            if len(self._buffer) < end + 4 + length:
                return
            body = self._buffer[end + 4 : end + 4 + length]
            self._buffer = self._buffer[end + 4 + length :]
            self._answer(head, body)
            if not self._buffer:
                return

    def _answer(self, head: bytes, body: bytes) -> None:
        target = head.split(b" ", 2)[1].decode("latin-1")
        path, _, query = target.partition("?")
        parts = path.split("/")
        if len(parts) == 4 and parts[3] == "messages":
            status, text = self._meta.send(parts[2], body)
            self._answers.add(self._meta.latency, self._transport, _response(status, text))
            return
        if path == "/_stats":
            text = self._meta.stats()
        elif path == "/_times":
            wanted = parse_qs(query).get("ref")
            times = self._meta.times
            text = orjson.dumps({ref: times.get(ref) for ref in wanted} if wanted else times)
        elif path == "/_reset":
            text = self._meta.reset(parse_qs(query))
        else:
            self._transport.write(_response(404, b'{"error":{"message":"unknown path","code":100}}'))
            return
        self._transport.write(_response(200, text))


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    end = lowered.find(b"\r\n", at + 2)
    return int(lowered[at + 17 : end if end >= 0 else len(lowered)])


def _response(status: int, body: bytes) -> bytes:
    reason = {200: b"OK", 400: b"Bad Request"}.get(status, b"Not Found")
    return b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        reason,
        len(body),
        body,
    )


async def serve(*, port: int, latency: float, rate: float, keep_times: bool) -> None:
    """Answer until SIGTERM; prints READY and the port."""
    loop = asyncio.get_running_loop()
    meta, answers = Meta(latency=latency, rate=rate, keep_times=keep_times), Answers(loop)
    server = await loop.create_server(lambda: Connection(meta, answers), "127.0.0.1", port, backlog=2048)
    print(f"READY {server.sockets[0].getsockname()[1]}", flush=True)
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    await stop.wait()
    server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.1, help="seconds before an answer")
    parser.add_argument("--rate", type=float, default=0, help="messages a second of each number; 0: no limit")
    parser.add_argument("--times", action="store_true", help="keep the receive time of each ref")
    options = parser.parse_args()
    asyncio.run(
        serve(port=options.port, latency=options.latency, rate=options.rate, keep_times=options.times)
    )


if __name__ == "__main__":
    main()
