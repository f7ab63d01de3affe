"""Bodies in chunks, and bodies that nobody reads: the answer arrives and the connection stays usable."""

from __future__ import annotations

import http.client
import io
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.urls import get_resolver

from core.http.bodies import FILE, FORM, LARGEST, LEFT_MOST, TOO_LARGE, WholeBodies, is_page, most_of
from messaging.api.classic import media
from messaging.api.v1 import manage_templates
from messaging.dashboard import sheets
from tests.factories import make_account, make_key
from tests.support.processes import listens
from tests.support.waiting import eventually

BODY = b'{"to": "14155552671", "message": "Hello", "dry_run": true}'


def asked(
    application: Any, body: Any, *, key: str = "", path: str = "/send-message", **headers: str
) -> tuple[int, bytes]:
    """Ask a WSGI application as the server does, with a body in chunks."""
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "CONTENT_TYPE": "application/json",
        "HTTP_AUTHORIZATION": f"Bearer {key}",
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    } | headers
    said: list[str] = []
    answer = application(environ, lambda status, _: said.append(status))
    return int(said[0].split()[0]), b"".join(answer)


class Endless(io.RawIOBase):
    """A body that never ends, and counts what was read of it."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        """Give as much as is wanted."""
        self.taken += size
        return b" " * size


@pytest.fixture
def key(db: None) -> Iterator[str]:
    """A customer's key; the test's transaction stays open through a request, as with Django's own client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield make_key(make_account("enterprise"))[1]
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
def test_json_in_chunks_is_read_like_json_with_a_length(key):
    status, answer = asked(WholeBodies(get_wsgi_application()), io.BytesIO(BODY), key=key)
    assert (status, b'"status":"queued"' in answer) == (202, True)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/send-message", "/messages/bulk", "/media", "/v1/whatsapp/messages", "/webhooks/whatsapp"]
)
def test_a_body_in_chunks_that_never_ends_is_413(key, path):
    body = Endless()
    status, _ = asked(
        WholeBodies(get_wsgi_application()),
        body,
        key=key,
        path=path,
        CONTENT_TYPE="multipart/form-data; boundary=x" if path == "/media" else "application/json",
        HTTP_X_HUB_SIGNATURE_256="sha256=" + "0" * 64,
    )
    assert status == 413
    assert body.taken < LARGEST + LEFT_MOST + 1_000_000


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ({}, str(len(BODY))),
        ({"CONTENT_LENGTH": "3"}, "3"),
        ({"wsgi.input_terminated": False}, None),
    ],
)
def test_a_length_is_measured_only_where_none_is_given_and_the_body_ends(headers, length):
    seen: list[Any] = []

    def application(environ: dict[str, Any], start: Any) -> list[bytes]:
        seen.append((environ.get("CONTENT_LENGTH"), environ["wsgi.input"].read()))
        start("200 OK", [])
        return []

    asked(WholeBodies(application), io.BytesIO(BODY), **headers)
    assert seen == [(length, BODY)]


def _views(found: list[Any], before: str = "/") -> Iterator[tuple[str, Any]]:
    for one in found:
        here = before + str(one.pattern).removeprefix("^")
        if hasattr(one, "url_patterns"):
            yield from _views(one.url_patterns, here)
        else:
            yield here, one.callback


def test_every_address_whose_forms_are_read_before_its_view_runs_is_bounded_as_a_form():
    """Django's CSRF check reads them, files too, unless a view is exempt from it."""
    read = [
        path for path, view in _views(get_resolver().url_patterns) if not getattr(view, "csrf_exempt", False)
    ]
    assert len(read) > 100
    assert [path for path in read if not is_page(path.split("(")[0].rstrip("?"))] == []


def test_no_view_takes_more_than_its_address():
    """The outer bound must not be in the way of what a view says of itself."""
    for path, view in _views(get_resolver().url_patterns):
        own = getattr(getattr(view, "cls", None), "max_body_bytes", 0)
        assert own <= most_of(path), path
    assert most_of("/media") == FILE == media.MOST_BYTES
    assert most_of("/v1/whatsapp/templates/examples") >= manage_templates.MOST_BYTES
    assert most_of("/app/compose/many") > sheets.BYTES_MOST + FORM
    assert most_of("/media", in_chunks=True) == LARGEST


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/app/compose/many", "/admin/login/", "/billing/return"]
)
def test_a_form_that_is_too_large_is_a_page_and_nothing_of_it_is_read(client, path):
    """Whatever server is used: the length alone decides."""
    body = Endless()
    answer = client.generic(
        "POST",
        path,
        b"",
        "multipart/form-data; boundary=x",
        CONTENT_LENGTH=str(most_of(path) + 1),
        HTTP_ACCEPT_LANGUAGE="ar",
        **{"wsgi.input": body},
    )
    assert (answer.status_code, body.taken) == (413, 0)
    assert ("أكبر" in answer.content.decode()) is not path.startswith("/admin")


def test_what_is_too_large_is_told_by_its_length_alone():
    assert TOO_LARGE > LARGEST * 1_000


@pytest.fixture(scope="module")
def refusing() -> Iterator[tuple[str, int]]:
    """The real server with an application that reads nothing."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    command = [sys.executable, "-m", "gunicorn", "tests.core.refusing_app:application"]
    command += [
        "--bind",
        "{}:{}".format(*address),
        "--worker-class",
        "core.server.worker.Worker",
        "--threads",
        "4",
    ]
    server = subprocess.Popen([*command, "--no-control-socket", "--log-level", "error"])
    eventually(lambda: server.poll() is not None or listens(address[1]))
    assert server.poll() is None
    yield address
    server.terminate()
    server.wait(30)


@pytest.mark.parametrize("size", [100, 300_000, 10_000_000])
def test_a_body_that_nobody_reads_costs_neither_the_answer_nor_the_connection(refusing, size):
    """Each answer is there, on one and the same connection."""
    client = http.client.HTTPConnection(*refusing, timeout=30)
    client.connect()
    first = client.sock.getsockname()
    for _ in range(6):
        client.request("POST", "/", b"x" * size)
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (413, b"no")
        assert client.sock is not None and client.sock.getsockname() == first
    client.close()
