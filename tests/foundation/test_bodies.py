"""A request without a Content-Length is read whole, up to a limit, and then treated like any other."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.signals import request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import RequestFactory

from accounts.models import ApiKey
from config.bodies import MOST_BYTES, WholeBodies
from tests.support.v1 import AGENTS, MESSAGES, TEMPLATES, Customer, org

__all__ = ["org"]

pytestmark = pytest.mark.django_db


class Chunks(io.RawIOBase):
    """What a server gives for a body in chunks: reads end where it ends, and nothing says where."""

    def __init__(self, whole: bytes) -> None:
        self._whole = io.BytesIO(whole)
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        part = self._whole.read(size)
        self.taken += len(part)
        return part


def answer_to(
    method: str, path: str, body: bytes, *, key: str, type: str = "application/json", **more: Any
) -> tuple[int, Any, Chunks]:
    environ = RequestFactory().generic(method, path, b"", HTTP_AUTHORIZATION=f"Bearer {key}").environ
    for name in ("CONTENT_LENGTH", "CONTENT_TYPE"):
        environ.pop(name, None)
    source = Chunks(body)
    environ |= {"wsgi.input": source, "CONTENT_TYPE": type, "HTTP_TRANSFER_ENCODING": "chunked"} | more
    seen: list[str] = []
    request_started.disconnect(close_old_connections)  # the test's own connection stays, as for its client
    try:
        parts = WholeBodies(get_wsgi_application())(environ, lambda status, headers, *_: seen.append(status))
        whole = b"".join(parts)
    finally:
        request_started.connect(close_old_connections)
    return int(seen[0][:3]), json.loads(whole) if whole else None, source


def test_json_in_chunks_is_read(org: Customer) -> None:
    status, told, _ = answer_to("POST", MESSAGES, json.dumps(org.text()).encode(), key=org.key())
    assert status == 202
    assert told["status"] == "queued"


def test_an_upload_in_chunks_is_read(org: Customer) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="agent_id"\r\n\r\nnobody\r\n--x--\r\n'
    key = org.key("*", kind=ApiKey.Kind.SK)
    form = "multipart/form-data; boundary=x"
    status, told, _ = answer_to("POST", f"{TEMPLATES}/examples", body, key=key, type=form)
    assert (status, told["error"]["code"]) == (422, "invalid_agent_id")


@pytest.mark.parametrize("path", [MESSAGES, "/send-message", "/messages/bulk", "/webhooks/whatsapp"])
def test_a_body_that_does_not_end_is_left_at_the_limit_and_refused(org: Customer, path: str) -> None:
    endless = b" " * (MOST_BYTES + 1024 * 1024)
    key = org.key("*", kind=ApiKey.Kind.SK)
    more = {"HTTP_X_HUB_SIGNATURE_256": "sha256=" + "0" * 64}
    status, _, source = answer_to("POST", path, endless, key=key, **more)
    assert status == 413
    assert source.taken < MOST_BYTES + 128 * 1024


def test_a_get_without_a_body_is_as_before(org: Customer) -> None:
    assert answer_to("GET", AGENTS, b"", key=org.key())[0] == 200


def test_a_body_with_a_length_is_not_touched(org: Customer) -> None:
    body = json.dumps(org.text()).encode()
    length = {"CONTENT_LENGTH": str(len(body)), "HTTP_TRANSFER_ENCODING": ""}
    status, _, source = answer_to("POST", MESSAGES, body + b"the next request", key=org.key(), **length)
    assert status == 202
    assert source.taken == len(body)


def test_a_long_body_that_is_taken_is_taken_whole(org: Customer) -> None:
    template = {"components": [{"type": "BODY", "text": "Hi {{1}}"}]}
    rows = [{"parameters": {"1": "x" * 400}} for _ in range(500)]
    body = json.dumps({"template": template, "rows": rows}).encode()
    length = {"CONTENT_LENGTH": str(len(body)), "HTTP_TRANSFER_ENCODING": ""}
    status, told, source = answer_to("POST", f"{TEMPLATES}/lint", body + b"GET /", key=org.key(), **length)
    assert (status, len(told["rows"]), source.taken) == (200, 500, len(body))


@pytest.mark.parametrize("path", [MESSAGES, "/nowhere", "/auth/register"])
def test_a_long_body_that_is_refused_is_read_to_its_end_and_not_beyond(path: str) -> None:
    """Or the connection could not be used for the next request."""
    body = b"{" + b" " * 300_000
    length = {"CONTENT_LENGTH": str(len(body)), "HTTP_TRANSFER_ENCODING": ""}
    status, _, source = answer_to("POST", path, body + b"the next request", key="x", **length)
    assert status in (400, 401, 404, 413)
    assert source.taken == len(body)


def test_the_entry_point_reads_bodies_whole() -> None:
    from config import wsgi

    assert isinstance(wsgi.application, WholeBodies)
