"""The customers' own server: takes every webhook, notes it, and misbehaves once with some of them."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

#: every so many events the first attempt is refused, or taken without an answer
REFUSED_EVERY, UNANSWERED_EVERY = 13, 29


class Receiver:
    """Notes every event by its id; the same id must always bring the same bytes."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.attempts: Counter[str] = Counter()
        self.changed: list[str] = []
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:  # the name that http.server looks for
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                answer = receiver._take(self.headers.get("webhook-id", ""), body)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _take(self, ident: str, body: bytes) -> int | None:
        with self._lock:
            first = not self.attempts[ident]
            self.attempts[ident] += 1
            number = len(self.attempts)
            if first and number % REFUSED_EVERY == 0:
                return 503
            if self.bodies.setdefault(ident, body) != body:
                self.changed.append(ident)
            if first and number % UNANSWERED_EVERY == 0:
                return None
            return 204

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def judge(receiver: Receiver, written: Iterable[str], finals: dict[str, str]) -> tuple[list[str], list[str]]:
    """Compare what was written to the outbox, and how each message ended, with what arrived.

    ``written`` are the ids of events, ``finals`` the last status of each message whose end customers are
    told of. Returns what is missing, and what came twice under different ids or changed its bytes.
    """
    missing = [f"event {ident}: never arrived" for ident in written if ident not in receiver.bodies]
    told: dict[tuple[str, str, int], str] = {}
    known: set[tuple[str, str]] = set()
    doubled = [f"event {ident}: other bytes in another attempt" for ident in receiver.changed]
    for ident, body in list(receiver.bodies.items()):  # late attempts still come in
        event = json.loads(body)
        if event["event"] not in ("message.status_updated", "message.canceled"):
            continue
        data = event["data"]
        step = (data["messageId"], data["status"], data["sequence"])
        known.add(step[:2])
        if told.setdefault(step, ident) != ident:
            doubled.append(f"{step[0]}: {step[1]} under two ids")
    missing += [f"{ident}: nobody was told of {status}" for ident, status in finals.items()
                if (ident, status) not in known]  # fmt: skip
    return missing, doubled
