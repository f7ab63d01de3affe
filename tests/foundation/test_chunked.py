"""Bodies without a length: read as they were sent, and not without bound."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections

from config.chunked import LARGEST, TOO_LARGE, Measured
from tests.factories import make_account, make_key

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
    yield make_key(make_account())[1]
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
def test_json_in_chunks_is_read_like_json_with_a_length(key):
    status, answer = asked(Measured(get_wsgi_application()), io.BytesIO(BODY), key=key)
    assert (status, b'"status":"queued"' in answer) == (202, True)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/send-message", "/messages/bulk", "/media"])
def test_a_body_in_chunks_that_never_ends_is_413(key, path):
    body = Endless()
    status, _ = asked(
        Measured(get_wsgi_application()),
        body,
        key=key,
        path=path,
        CONTENT_TYPE="multipart/form-data; boundary=x" if path == "/media" else "application/json",
    )
    assert status == 413
    assert body.taken < LARGEST + 1_000_000


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

    asked(Measured(application), io.BytesIO(BODY), **headers)
    assert seen == [(length, BODY)]


def test_what_is_too_large_is_told_by_its_length_alone():
    assert TOO_LARGE > LARGEST * 1_000
