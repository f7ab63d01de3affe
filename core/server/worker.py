"""gunicorn's worker of the web process: a thread is given to a request when all of it is there, not before.

One loop (here) reads every connection and writes what clients do not take at once; threads only work. A
client that sends slowly, or nothing, or does not read its answer costs a place among the connections until
its time is up (408 for half a request), and never a thread. gunicorn's ``gthread`` gives a thread to every
new connection, so that a handful of silent ones stops the service.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.workers.base import Worker as Base

from core.http import clientip
from core.http.bodies import LEFT_MOST
from core.server.answering import Answering
from core.server.bounds import (
    AHEAD,
    HELD_MOST,
    LINGER_SECONDS,
    SLOWEST_BYTES_PER_SECOND,
    STOP_LINGER_SECONDS,
    Bounds,
)
from core.server.connection import AT_ONCE, HEAD_AT_ONCE, Connection, Stage
from core.server.crowd import Crowd

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_NEVER = float("inf")
_SWEEP_SECONDS = 0.5
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def _short(status: str, sentence: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    return f"{head}Content-Length: {len(sentence)}\r\n\r\n".encode() + sentence


_TOO_SLOW = _short("408 Request Timeout", b"The request did not arrive in time.\n")
_NO_ROOM = _short("503 Service Unavailable", b"Too much is being uploaded. Try again later.\n")


def _allow_files(wanted: int) -> None:
    """Let the process open as many files as it may, connections among them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _send_little_ahead(listener: Any) -> None:
    """Keep the kernel from holding megabytes of each answer that nobody reads; connections inherit it."""
    with contextlib.suppress(AttributeError, OSError):  # not on every system, not on unix sockets
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, AHEAD)


class Worker(Base):
    """The worker class for gunicorn: ``--worker-class core.server.worker.Worker``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What a client writes into headers decides nothing here, wherever it connects from: gunicorn would
        # take SCRIPT_NAME and the scheme from whoever is on this host. Django reads what our settings name.
        self.cfg.set("forwarder_headers", "")
        self.cfg.set("secure_scheme_headers", {})
        self._answering = Answering(self, self._handed)
        self._done: deque[Callable[[], None]] = deque()
        self._woken = False
        self._bounds = Bounds()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse what is not spoken here. Called by gunicorn."""
        if cfg.is_ssl:
            raise ValueError("TLS ends in the proxy in front: remove certfile and keyfile")

    # --- the loop

    def init_process(self) -> None:
        """Prepare the loop in the forked process, then run it."""
        self._poller = selectors.DefaultSelector()
        self._alarm, self._waker = socket.socketpair()
        for end in (self._alarm, self._waker):
            end.setblocking(False)
        super().init_process()

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop (SIGTERM)."""
        self.alive = False
        self._wake()

    def run(self) -> None:
        """Serve until told to stop; then until every answer is given or the grace has passed."""
        self._bounds = Bounds.of()
        trusted = clientip.networks(self._bounds.trusted_proxies)
        most = int(self.cfg.worker_connections)
        self._crowd = Crowd(most, most // 2, HELD_MOST, lambda address: clientip.is_in(address, trusted))
        _allow_files(2 * most)
        self._answering.start(self.cfg.threads)
        self._poller.register(self._alarm, READ, self._hear)
        for listener in self.sockets:
            listener.setblocking(False)
            _send_little_ahead(listener)
            self._poller.register(listener, READ, partial(self._accept, listener))
        ends = 0.0
        sweep = time.monotonic() + _SWEEP_SECONDS
        while True:
            if not self.alive and not ends:
                ends = self._stop_accepting()
            if ends and not len(self._crowd):
                break
            for key, _ in self._poller.select(_SWEEP_SECONDS):
                if type(key.data) is Connection:
                    self._ready(key.data)
                else:
                    key.data()
            now = time.monotonic()
            if now >= sweep:
                sweep = now + _SWEEP_SECONDS
                self.notify()
                self._sweep(now)
                if os.getppid() != self.ppid:
                    self.alive = False
            if ends and now > ends:
                break

    def _stop_accepting(self) -> float:
        """Take who has connected already; then let nobody connect whom nobody would answer."""
        for listener in self.sockets:
            self._poller.unregister(listener)
            for _ in range(self.cfg.backlog):
                if not self._accept(listener):
                    break
            listener.close()
        now = time.monotonic()
        for one in self._crowd.all:
            if one.stage is Stage.IDLE:
                one.deadline = min(one.deadline, now + STOP_LINGER_SECONDS)
        return now + float(self.cfg.graceful_timeout)

    def _wake(self) -> None:
        if not self._woken:
            self._woken = True
            with contextlib.suppress(OSError):
                self._waker.send(b"\0")

    def _hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._alarm.recv(4096)
        self._woken = False
        while self._done:
            self._done.popleft()()

    def _sweep(self, now: float) -> None:
        for one in [one for one in self._crowd.all if one.deadline <= now]:
            if one.stage is Stage.READING:
                self._say_and_close(one, _TOO_SLOW)
            else:
                self._close(one)

    # --- connections

    def _accept(self, listener: Any) -> bool:
        try:
            sock, peer = listener.accept()
        except OSError as error:  # another process was quicker, or the client is gone
            if error.errno in (errno.EMFILE, errno.ENFILE) and (least := self._crowd.least()) is not None:
                self._close(least)
            return False
        sock.setblocking(False)
        now = time.monotonic()
        one = Connection(sock, peer, listener.getsockname(), now)
        one.deadline = now + self._bounds.client_seconds
        self._crowd.add(one)
        while (crowded := self._crowd.too_many(one)) is not None:
            self._close(crowded)
            if crowded is one:
                return True
        self._watch(one, READ)
        return True

    def _watch(self, one: Connection, what: int) -> None:
        if what == one.watched:
            return
        if not one.watched:
            self._poller.register(one.sock, what, one)
        elif not what:
            self._poller.unregister(one.sock)
        else:
            self._poller.modify(one.sock, what, one)
        one.watched = what

    def _close(self, one: Connection) -> None:
        if one not in self._crowd.all:
            return
        self._watch(one, 0)
        self._crowd.held -= one.arriving.held if one.arriving else 0
        self._crowd.remove(one)
        if (answer := one.answer) is not None:
            self._answering.drop(answer)
        if one.arriving is not None:
            one.arriving.body.close()
        one.arriving = one.answer = None
        with contextlib.suppress(OSError):
            one.sock.close()

    def _ready(self, one: Connection) -> None:
        try:
            if one.stage is Stage.WRITING:
                self._write_on(one)
            elif one.stage is Stage.BUSY:
                # More came before the answer is given: not looked at before. The thread may end at this
                # moment: it looks at ``watched`` after it changed the stage, and here it is the other way.
                self._watch(one, 0)
                if one.stage is Stage.IDLE:
                    self._watch(one, READ)
            else:
                self._read(one)
        except OSError:
            self._close(one)

    def _read(self, one: Connection) -> None:
        try:
            data = one.sock.recv(HEAD_AT_ONCE if one.stage is Stage.IDLE else AT_ONCE)
        except BlockingIOError:
            return
        if not data:
            self._close(one)
        elif one.stage is Stage.LINGERING:
            one.skip -= len(data)
            if one.skip < 0:
                self._close(one)
        else:
            self._take(one, data)

    def _take(self, one: Connection, data: bytes) -> None:
        now = time.monotonic()
        if one.stage is Stage.SKIPPING:
            came = len(data)
            one.skip, data = one.skip - came, data[one.skip :]
            if one.skip > 0:
                # No pause longer than in a body that is wanted, and no slower on the whole.
                later = one.deadline + came / SLOWEST_BYTES_PER_SECOND
                one.deadline = min(now + self._bounds.client_seconds, later)
                return
            one.stage = Stage.IDLE
            if not data:
                self._idle(one, now)
                return
        if one.arriving is None:
            one.next_request(self.cfg)
            one.stage, one.since = Stage.READING, now
            one.deadline = now + self._bounds.client_seconds
        arriving = one.arriving
        held = arriving.held
        try:
            whole = arriving.feed(data)
        except ParseException as error:
            self.handle_error(arriving.request, one.outbox, one.peer, error)
            self._crowd.held += arriving.held - held
            self._finish(one, keep=False)
            return
        self._crowd.held += arriving.held - held
        if whole:
            one.stage, one.deadline = Stage.BUSY, _NEVER
            self._answering.begin(one)
            return
        if arriving.request is not None:
            self._body_goes_on(one, now)
        if arriving.held > held and (crowded := self._crowd.too_large()) is not None:
            self._say_and_close(crowded, _NO_ROOM)

    def _body_goes_on(self, one: Connection, now: float) -> None:
        request = one.arriving.request
        if request._expected_100_continue:  # gunicorn would say it when the thread begins
            request._expected_100_continue = False
            one.sock.send(_CONTINUE)
        slowest = (
            one.since + 2 * self._bounds.client_seconds + one.arriving.received / SLOWEST_BYTES_PER_SECOND
        )
        one.deadline = min(now + self._bounds.client_seconds, slowest)

    def _idle(self, one: Connection, now: float) -> None:
        one.since = now
        one.deadline = now + (self.cfg.keepalive if self.alive else STOP_LINGER_SECONDS)
        one.stage = Stage.IDLE

    def _say_and_close(self, one: Connection, words: bytes) -> None:
        one.outbox.sendall(words)
        try:
            self._finish(one, keep=False)
        except OSError:
            self._close(one)

    # --- after the thread

    def count(self) -> None:
        """Count a request; after ``max_requests`` this process gives way to a fresh one."""
        self.nr += 1
        if self.nr >= self.max_requests:
            self.alive = False

    def _handed(self, one: Connection) -> None:
        """Take a connection from a thread (called there); the loop is woken only for what it has to do."""
        arriving = one.arriving
        left = one.answer or one.outbox.waiting or arriving.rest or arriving.unread or arriving.held
        if left or not one.keep:
            self._done.append(partial(self._go_on, one))
            self._wake()
            return
        one.arriving = None
        one.served += 1
        self._idle(one, time.monotonic())
        if not one.watched:  # more came before the answer was given
            self._done.append(partial(self._listen_again, one))
            self._wake()

    def _listen_again(self, one: Connection) -> None:
        if one.stage is Stage.IDLE and one in self._crowd.all:
            self._watch(one, READ)

    def _go_on(self, one: Connection) -> None:
        """Do what a thread left to the loop."""
        try:
            if one.outbox.waiting or one.answer is not None:
                one.stage, one.since = Stage.WRITING, time.monotonic()
                one.deadline = one.since + self._bounds.reading_seconds
                self._watch(one, WRITE)
                self._write_on(one)
                while (deaf := self._crowd.too_deaf()) is not None:
                    self._close(deaf)
            else:
                self._finish(one, keep=one.keep)
        except OSError:
            self._close(one)

    def _write_on(self, one: Connection) -> None:
        if one.outbox.flush():
            one.deadline = time.monotonic() + self._bounds.reading_seconds
        if one.outbox.waiting:
            return
        if one.answer is not None:  # there is more of it
            self._watch(one, 0)
            one.stage, one.deadline = Stage.BUSY, _NEVER
            self._answering.go_on(one)
        else:
            self._finish(one, keep=one.keep)

    def _finish(self, one: Connection, *, keep: bool) -> None:
        """Go on to the next request, or close so that the client gets its answer."""
        now = time.monotonic()
        arriving, one.arriving = one.arriving, None
        if arriving is not None:
            self._crowd.held -= arriving.held
            arriving.body.close()
        one.served += 1
        if not keep:
            one.outbox.flush()
            one.sock.shutdown(socket.SHUT_WR)
            one.stage, one.skip, one.deadline = Stage.LINGERING, LEFT_MOST, now + LINGER_SECONDS
            self._watch(one, READ)
            return
        self._idle(one, now)
        self._watch(one, READ)
        if arriving is None:
            return
        if arriving.unread:
            one.stage, one.skip = Stage.SKIPPING, arriving.unread
            one.deadline = now + self._bounds.client_seconds
        if arriving.rest:
            self._take(one, arriving.rest)
