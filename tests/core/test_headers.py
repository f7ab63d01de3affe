"""What every browser and cache is told: a strict content policy, no framing, no sniffing, no storing."""

from __future__ import annotations

import re

import pytest

from tests.factories import api, make_account

pytestmark = pytest.mark.django_db

ANSWERS = [
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/nowhere"),
    ("GET", "/auth/me"),
    ("POST", "/auth/register"),
    ("PATCH", "/auth/register"),
    ("GET", "/admin/login/"),
    ("GET", "/webhooks/whatsapp"),
    ("POST", "/webhooks/whatsapp"),
]


def policy_of(answer) -> dict[str, list[str]]:
    parts = (part.split() for part in answer["Content-Security-Policy"].split(";"))
    return {name: values for name, *values in parts}


@pytest.mark.parametrize(("method", "path"), ANSWERS)
def test_every_answer_is_fenced(method, path):
    answer = api().send(method, path)
    policy = policy_of(answer)
    assert policy["default-src"] == ["'self'"]
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert "'unsafe-eval'" not in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"


def test_a_refused_host_is_fenced_too():
    answer = api().get("/healthz", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert policy_of(answer)["default-src"] == ["'self'"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_only_the_explorer_may_style_itself():
    for method, path in ANSWERS:
        policy = api().send(method, path)["Content-Security-Policy"]
        assert ("'unsafe-inline'" in policy) is (path == "/docs")
    explorer = policy_of(api().get("/docs"))
    assert explorer["style-src"] == ["'self'", "'unsafe-inline'"]
    assert "script-src" not in explorer


@pytest.mark.parametrize("path", ["/", "/docs", "/admin/login/"])
def test_no_page_holds_a_script_that_its_policy_forbids(path):
    page = api().get(path).content.decode()
    assert not re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", page)
    assert not re.findall(r"\son[a-z]+\s*=", page)
    assert not re.findall(r"(?:src|href)=[\"'](?:https?:)?//", page)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/me"),
        ("GET", "/nowhere"),
        ("POST", "/auth/register"),
        ("GET", "/healthz"),
        ("GET", "/messages/export"),
    ],
)
def test_no_cache_keeps_an_api_answer(method, path):
    assert api().send(method, path)["Cache-Control"] == "no-store"
    assert api(make_account()).send(method, path)["Cache-Control"] == "no-store"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "a b", ""])
def test_another_host_is_refused_in_the_envelope(host):
    answer = api().get("/healthz", HTTP_HOST=host)
    assert answer.status_code == 400
    assert answer.json()["success"] is False


def test_a_forwarded_host_is_not_believed():
    answer = api().get("/openapi.json", HTTP_X_FORWARDED_HOST="evil.example")
    assert answer.status_code == 200
    assert b"evil.example" not in answer.content
