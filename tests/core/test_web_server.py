"""Requests as a wire brings them: in pieces, together, too large, with headers that nobody should believe."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
from gunicorn.config import Config

from core.http.bodies import FORM, LARGEST, TOO_LARGE
from core.server.bounds import UNREAD_MOST, Bounds
from core.server.connection import Connection, Stage
from core.server.crowd import Crowd
from tests.core.patient_app import WHOLE
from tests.support.waiting import eventually
from tests.support.webserver import WebServer, answer_on

LAST = b"GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    one = WebServer("tests.core.patient_app:application", threads=2)
    yield one
    one.stop()


def bodies(said: bytes) -> list[str]:
    """Return what the application read, of each answer."""
    return [json.loads(part.partition(b"\r\n\r\n")[2])["body"] for part in said.split(b"HTTP/1.1 200 OK")[1:]]


REQUEST = b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: t\r\n\r\n"
)


@pytest.mark.parametrize("request_", [REQUEST, CHUNKED])
def test_requests_are_the_same_however_they_are_cut_and_answered_in_their_order(server, request_):
    one = server.connect()
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.sendall(request_ * 3)  # together
    for at in range(len(request_)):  # byte by byte
        one.sendall(request_[at : at + 1])
    one.sendall(request_[:60])
    one.sendall(request_[60:] + LAST)
    assert bodies(answer_on(one)) == ["hello"] * 5 + [""]


def test_a_body_larger_than_memory_arrives_whole(server):
    body = b"".join(b"%07d\n" % number for number in range(400_000))
    status, said = server.ask("/echo", "POST", body)
    assert status == 200 and json.loads(said)["body"].encode() == body


def test_a_client_that_asks_first_is_told_to_go_on(server):
    one = server.connect()
    one.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert one.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    one.sendall(b"ok" + LAST)
    assert bodies(answer_on(one)) == ["ok", ""]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /echo HTTP/1.1\nHost: h\n\n", 400),
        (b"\r\n\r\nGET /echo HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\n" + b"X-Long: " + b"x" * 70_000, 431),
        (b"GET /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n", 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 2_000, 400),
        (b"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"GET /echo\r\n\r\n", 400),
    ],
)
def test_what_is_no_request_is_refused_at_once_and_closed(server, head, status):
    one = server.connect()
    one.sendall(head)
    assert answer_on(one).startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/accounts/login/", FORM),
        ("/app/settings", FORM),
        ("/admin/login/", FORM),
        ("/app/compose/many", LARGEST),
    ],
)
def test_a_form_larger_than_its_address_takes_is_refused_before_it_is_sent(server, path, most):
    """The client is not told to go on, so nothing of it is ever on a disk."""
    one = server.connect()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {most + 1}\r\n"
    head += (
        "Content-Type: multipart/form-data; boundary=x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    one.sendall(head.encode())
    assert answer_on(one).startswith(b"HTTP/1.1 413 ")


def test_a_form_in_chunks_that_does_not_end_is_refused(server):
    one = server.connect()
    one.sendall(b"POST /accounts/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(FORM // 65_536 + 2):
        one.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
    assert one.recv(13) == b"HTTP/1.1 413 "
    assert TOO_LARGE > FORM


def test_headers_that_only_a_server_may_set_are_ignored(server):
    """This host is where a proxy usually stands: gunicorn would believe whoever connects from it."""
    told = server.told(
        "/echo",
        **{"SCRIPT_NAME": "/ec", "PATH_INFO": "/x", "X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"},
        **{"REMOTE_USER": "admin", "wsgi.url_scheme": "https", "X-Forwarded-Protocol": "ssl"},
    )
    assert (told["script"], told["path"], told["scheme"]) == ("", "/echo", "http")
    assert server.ask("/healthz", SCRIPT_NAME="/evil")[0] == 200


def test_a_request_under_way_is_answered_when_the_server_is_told_to_stop():
    stopping = WebServer("tests.core.patient_app:application", threads=2)
    said: list[int] = []
    asking = threading.Thread(target=lambda: said.append(stopping.ask("/slow")[0]))
    asking.start()
    idle = stopping.connect()
    eventually(lambda: stopping.told("/echo")["slow"] == 1)
    began = time.monotonic()
    stopping.stop()
    asking.join()
    idle.close()
    assert said == [200] and stopping.process.returncode == 0
    assert time.monotonic() - began < 10  # nobody waits for the idle connection, which would take 30 seconds


def test_who_had_connected_when_the_server_was_told_to_stop_is_answered_and_nobody_connects_later():
    stopping = WebServer("tests.core.patient_app:application", threads=2)
    (worker,) = psutil.Process(stopping.process.pid).children()
    worker.suspend()  # so that it finds all of this at once
    early = [stopping.connect() for _ in range(5)]
    for one in early:
        one.sendall(LAST)
    slow = stopping.connect()
    slow.sendall(LAST.replace(b"/echo", b"/slow"))
    stopping.process.terminate()
    worker.resume()
    assert [answer_on(one)[:12] for one in early] == [b"HTTP/1.1 200"] * 5
    with pytest.raises(ConnectionRefusedError):
        stopping.connect()
    assert answer_on(slow).startswith(b"HTTP/1.1 200")
    assert stopping.process.wait(40) == 0


def test_answers_that_nobody_reads_take_no_more_memory_than_they_may(server):
    """The first that were asked for are given up, long before their time; the last ones arrive whole."""
    deaf = []
    for _ in range(UNREAD_MOST // WHOLE + 20):
        deaf.append(server.connect(buffer=4096))
        deaf[-1].sendall(b"GET /whole HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        assert deaf[-1].recv(1) == b"H"
    try:
        assert len(answer_on(deaf[0])) < WHOLE < len(answer_on(deaf[-1]))
    finally:
        for one in deaf:
            one.close()


# --- who has to go


def waiting(address: str, since: float, *, stage: Stage = Stage.IDLE) -> Connection:
    one = Connection(socket.socket(), (address, 1), ("127.0.0.1", 80), since)
    one.stage = stage
    return one


def crowd(*some: Connection, most: int = 10, of_one: int = 5, most_held: int = 1000, **more: int) -> Crowd:
    made = Crowd(most, of_one, most_held, lambda address: address == "10.0.0.1", **more)
    for one in some:
        made.add(one)
    return made


def test_a_flood_costs_its_own_address_the_connection_that_waits_longest():
    flood = [waiting("192.0.2.1", 5 + number) for number in range(4)]
    old = waiting("198.51.100.7", 1)
    found = crowd(old, *flood, most=5)
    found.add(old_too := waiting("198.51.100.8", 2))
    assert found.too_many(old_too) is flood[0]


def test_one_address_has_a_bound_of_its_own_and_a_trusted_proxy_has_none():
    for address, gone in (("192.0.2.1", True), ("10.0.0.1", False)):
        some = [waiting(address, number) for number in range(6)]
        assert crowd(*some).too_many(some[-1]) is (some[0] if gone else None)


def test_an_ipv6_network_of_one_customer_counts_as_one_address():
    some = [waiting(f"2001:db8::{number}", number) for number in range(6)]
    assert crowd(*some).too_many(some[-1]) is some[0]


def test_nobody_who_is_being_answered_is_closed():
    busy = [waiting("192.0.2.1", number, stage=Stage.BUSY) for number in range(6)]
    newcomer = waiting("192.0.2.1", 9)
    assert crowd(*busy, newcomer).too_many(newcomer) is newcomer


def test_unfinished_bodies_have_a_bound_together_and_the_address_that_holds_most_gives_way():
    some = [waiting(address, 1, stage=Stage.READING) for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2")]
    here = crowd(*some, most_held=300_000)
    for one, size in zip(some, (130_000, 100_000, 110_000), strict=True):
        assert not one.next_request(Config()).feed(
            b"POST /media HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + b"x" * size
        )
        here.held += one.arriving.held
    assert here.too_large() is some[2]
    here.held -= 110_000
    assert here.too_large() is None


def test_unread_answers_have_a_bound_together_and_who_took_nothing_for_longest_gives_way():
    deaf = [waiting(address, 1, stage=Stage.WRITING) for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2")]
    busy = waiting("192.0.2.2", 0, stage=Stage.BUSY)
    for number, one in enumerate([busy, *deaf]):
        one.deadline = number
        one.outbox.sendall(b"x" * 100)
    here = crowd(*deaf, busy, most_unread=250)
    assert here.too_deaf() is deaf[1]
    here.remove(deaf[1])
    assert here.too_deaf() is None


def test_the_operator_sets_how_long_a_client_may_take():
    bounds = Bounds.of({"CLIENT_SECONDS": "3", "TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1"})
    assert bounds.client_seconds == 3 and bounds.trusted_proxies == ("10.0.0.0/8", "192.0.2.1")
    assert Bounds.of({}).client_seconds == 10
