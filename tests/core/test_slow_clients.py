"""Clients that are slow, silent or deaf cost their own connections; everybody else is answered in time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.waiting import eventually
from tests.support.webserver import WebServer

CLIENTS = 200
#: half of what such clients are given in these tests; 10 s is the default
SECONDS = 2.0
HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /send-message HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\n"
CHUNKS = b"POST /send-message HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
FORM = b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900000\r\n\r\n"
#: more than a form may have, and little enough for its connection to be kept
UNWANTED = b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n\r\n"
#: what each sends at first, and then again and again
KINDS = {
    "silent": (b"", b""),
    "a header line now and then": (HEAD, b"X-a: b\r\n"),
    "a byte of the head now and then": (HEAD, b"a"),
    "half a head": (HEAD, b""),
    "no body": (POST, b""),
    "a byte of the body now and then": (POST, b"x"),
    "chunks that do not end": (CHUNKS, b"1\r\nx\r\n"),
    "a large form that does not come": (FORM + b"x" * 20_000, b""),
    "a second request that does not end": (HEAD + b"\r\n" + HEAD, b"X-a: b\r\n"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    one = WebServer("tests.core.patient_app:application", CLIENT_SECONDS=str(SECONDS))
    yield one
    one.stop()


@pytest.fixture
def clients() -> Iterator[list[socket.socket]]:
    made: list[socket.socket] = []
    yield made
    for one in made:
        one.close()


def p99(server: WebServer) -> float:
    """Return what others wait for an answer, in seconds, on connections of their own."""
    took = []
    for _ in range(100):
        began = time.perf_counter()
        assert server.ask("/healthz")[0] == 200
        took.append(time.perf_counter() - began)
    return sorted(took)[98]


def drip(clients: list[socket.socket], data: bytes, enough: threading.Event) -> None:
    while data and not enough.wait(0.2):
        for one in clients:
            try:
                one.send(data)
            except OSError:  # closed by the server
                continue


@pytest.mark.parametrize("kind", KINDS)
def test_others_are_answered_while_slow_clients_wait_and_each_of_these_is_told_and_closed(
    server, clients, kind
):
    first, again = KINDS[kind]
    for _ in range(CLIENTS):
        clients.append(server.connect())
        clients[-1].sendall(first)
    enough = threading.Event()
    dripping = threading.Thread(target=drip, args=(clients, again, enough))
    dripping.start()
    try:
        assert p99(server) <= 0.25
        ends = [_end(one) for one in clients]
    finally:
        enough.set()
        dripping.join()
    assert set(ends) == ({b""} if not first else {b"HTTP/1.1 408"})


def _end(one: socket.socket) -> bytes:
    """Return how the last answer on a connection begins, once the server has closed it."""
    said = b""
    while True:
        try:
            piece = one.recv(4096)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return said[said.rfind(b"HTTP/1.1") :][:12] if said else b""
        said += piece


@pytest.mark.parametrize("again", [b"", b"x"])
def test_the_rest_of_a_body_that_was_refused_is_not_waited_for_longer_than_that_of_others(
    server, clients, again
):
    clients.append(server.connect())
    clients[0].sendall(UNWANTED)
    enough = threading.Event()
    dripping = threading.Thread(target=drip, args=(clients, again, enough))
    dripping.start()
    try:
        assert _end(clients[0]) == b"HTTP/1.1 413"  # at once; what this waits for is the end
    finally:
        enough.set()
        dripping.join()


def test_others_are_answered_while_nobody_reads_long_answers_and_these_are_given_up(server, clients):
    before = server.told("/closed")["closed"]
    for _ in range(CLIENTS):
        clients.append(server.connect(buffer=4096))
        clients[-1].sendall(b"GET /long HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    for one in clients:
        assert one.recv(1) == b"H"
    assert p99(server) <= 0.25
    eventually(lambda: server.told("/closed")["closed"] == before + CLIENTS, 6 * SECONDS + 10)


def test_a_long_answer_arrives_whole_at_a_client_that_reads_slowly(server):
    one = server.connect(buffer=4096)
    one.sendall(b"GET /long HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024 * 1024)
    read = 0
    while piece := one.recv(1024 * 1024):
        read += piece.count(b"x")
        if read < 4_000_000:
            time.sleep(0.001)  # a reader that is slow at first
    one.close()
    assert read >= 64 * 1024 * 1024
