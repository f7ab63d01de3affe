"""Whatever goes wrong with a request, the answer is the one envelope: 404, 405, 406, 413, 415 and 500."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from django.conf import settings as django_settings

from tests.core.crashing_urls import CANARY
from tests.factories import api, make_account

pytestmark = pytest.mark.django_db


def assert_refused(answer, status: int) -> dict:
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/json"
    body = answer.json()
    assert body["success"] is False
    assert isinstance(body["error"], str) and body["error"]
    expected = {"success", "error", "code", "doc_url"} | ({"details"} if status == 400 else set())
    assert set(body) == expected
    return body


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/auth/register/",
        "/auth/me/",
        "/Auth/me",
        "/send-message/x",
        "/messages/",
        "/messages/a/b",
        "/%00",
        "/%ff%fe",
        "/..%2f..%2fetc/passwd",
        "/" + "a" * 5_000,
        "/.env",
    ],
)
def test_an_unknown_path_is_a_404(path):
    body = assert_refused(api().get(path), 404)
    assert len(body["error"]) < 200


@pytest.mark.parametrize("path", ["/nowhere", "/auth/register/"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_an_unknown_path_is_a_404_for_every_method(method, path):
    """A program has no CSRF token; it must hear of its typing error all the same."""
    assert_refused(api().send(method, path, {}), 404)


def test_an_unknown_path_is_a_404_with_a_key_as_without():
    key = api(make_account())
    assert key.get("/nowhere").content == api().get("/nowhere").content


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/auth/register", {"POST"}),
        ("PUT", "/auth/register", {"POST"}),
        ("POST", "/auth/me", {"GET"}),
        ("DELETE", "/auth/me", {"GET"}),
        ("GET", "/auth/me/credentials", {"PUT", "DELETE"}),
        ("POST", "/auth/me/credentials", {"PUT", "DELETE"}),
        ("GET", "/auth/me/credentials/verify", {"POST"}),
        ("GET", "/auth/me/rotate-key", {"POST"}),
        ("GET", "/send-message", {"POST"}),
        ("PATCH", "/send-message", {"POST"}),
        ("DELETE", "/messages/0190d5a4-7d5e-7abc-8def-0123456789ab", {"GET"}),
        ("PUT", "/webhooks/whatsapp", {"GET", "POST"}),
        ("TRACE", "/auth/me", {"GET"}),
        ("BREW", "/auth/me", {"GET"}),
        ("_clean", "/auth/me", {"GET"}),
    ],
)
def test_a_wrong_method_is_a_405_that_names_the_right_ones(method, path, allowed):
    answer = api(make_account()).send(method, path)
    assert_refused(answer, 405)
    assert allowed <= {name.strip() for name in answer["Allow"].split(",")}


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/openapi.json", "/docs"])
def test_a_page_is_only_read(path):
    assert_refused(api().send("POST", path, {}), 405)


JSON = b'{"to":"14155552671","message":"Hi"}'


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "text/plain",
        "text/html",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/problem+json",
        "application/json; charset=utf-7",
        "application/json; charset=UTF-16",
        "application/json; charset=unicode_escape",
        "application/json; charset=latin-1",
        "application/json; charset=",
        "application/json, text/plain",
        "application/json\x00",
        "json",
    ],
)
def test_a_body_that_is_not_utf8_json_is_a_415(kind):
    assert_refused(api(make_account()).send("POST", "/send-message", JSON, type=kind), 415)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, identity", "x"])
def test_an_encoded_body_is_a_415(coding):
    answer = api(make_account()).send("POST", "/send-message", JSON, HTTP_CONTENT_ENCODING=coding)
    assert_refused(answer, 415)


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json; charset="UTF-8"',
        "application/json;charset=utf8",
        "Application/JSON",
    ],
)
def test_json_by_any_of_its_names_is_read(kind):
    answer = api(make_account()).send("POST", "/send-message", b'{"to":"1"}', type=kind)
    body = assert_refused(answer, 400)
    assert [fault["field"] for fault in body["details"]] == ["to", "message"]


@pytest.mark.parametrize(
    "raw",
    [b'{"a":[' + b"[],[]," * 400_000 + b"0]}", b" " * (256 * 1024 + 1), b'{"a":"' + b"x" * 300_000 + b'"}'],
    ids=["2.4 MB of lists", "one byte too much", "300 kB of text"],
)
def test_a_body_that_is_too_large_is_a_413(raw):
    assert_refused(api(make_account()).send("POST", "/send-message", raw), 413)
    assert_refused(api().send("POST", "/auth/register", raw), 413)


def test_a_length_that_lies_does_not_help():
    """gunicorn gives no more than CONTENT_LENGTH; a header that is no number gives nothing."""
    for length in ("-1", "abc", "1e3", "٣", ""):
        answer = api(make_account()).send("POST", "/send-message", JSON, CONTENT_LENGTH=length)
        assert answer.status_code == 400, length


@pytest.mark.parametrize("raw", [b"", b"  ", b"[]", b"null", b'"x"', b"{", b"\xff", b'{"to":1,"to":2}'])
def test_a_body_that_is_no_object_is_a_400(raw):
    body = assert_refused(api(make_account()).send("POST", "/send-message", raw), 400)
    assert body["details"]


@pytest.mark.parametrize("accepts", ["*/*", "application/json", "text/html, */*;q=0.1", "application/*"])
def test_any_reasonable_wish_gets_json(accepts):
    answer = api(make_account()).get("/auth/me", HTTP_ACCEPT=accepts)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("accepts", ["application/xml", "text/html", "image/png"])
def test_a_wish_for_something_else_is_a_406(accepts):
    assert_refused(api(make_account()).get("/auth/me", HTTP_ACCEPT=accepts), 406)


@pytest.mark.parametrize("query", ["format=xml", "format=json", "format=", "x=%ff", "a[]=1&a[]=2", "%00"])
def test_an_unknown_query_is_ignored(query):
    assert api(make_account()).get(f"/auth/me?{query}").status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/auth/me", "/nowhere", "/docs", "/openapi.json"])
def test_head_is_get_without_the_body(path):
    who = api(make_account())
    got, head = who.get(path), who.head(path)
    assert head.status_code == got.status_code
    assert head["Content-Type"] == got["Content-Type"]
    assert head.content == b""


@pytest.mark.parametrize("path", ["/auth/register", "/auth/me", "/send-message", "/webhooks/whatsapp"])
def test_options_lists_the_methods_and_tells_nothing_of_the_code(path):
    answer = api(make_account()).options(path)
    assert answer.status_code in (200, 204, 405)
    assert {"GET", "POST"} & {name.strip() for name in answer["Allow"].split(",")}
    if answer.content:
        assert "success" in answer.json()
    assert "Access-Control-Allow-Origin" not in answer


def test_options_of_a_protected_path_wants_a_key():
    assert api().options("/auth/me").status_code in (401, 405)


@pytest.fixture(params=[False, True], ids=["server", "laptop"])
def crashing(request, settings):
    settings.ROOT_URLCONF = "tests.core.crashing_urls"
    settings.DEVELOPMENT = request.param
    return settings


@pytest.mark.parametrize("path", ["/crash/api", "/crash/page", "/crash/unwritable"])
@pytest.mark.parametrize("accepts", ["*/*", "text/html"])
def test_a_crash_tells_nothing(crashing, path, accepts, log):
    answer = api().get(path, HTTP_ACCEPT=accepts)
    if answer.status_code == 406:  # the API refused before it crashed
        return
    assert_refused(answer, 500)
    for word in (CANARY, "Traceback", "RuntimeError", "crashing", ".py", "settings"):
        assert word not in answer.content.decode()
    assert any(line["level"] == "error" for line in log.lines), "but the log knows"


def test_debug_pages_stay_off_on_a_laptop():
    """The variable DEBUG relaxes our checks and nothing else."""
    code = "from config import settings; print(settings.DEVELOPMENT, settings.DEBUG)"
    shown = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"DEBUG": "1"},
        cwd=django_settings.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown.split() == ["True", "False"]
