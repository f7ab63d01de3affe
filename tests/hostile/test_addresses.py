"""Whatever stands in an address, in its path or its query, is refused or not found; never a crash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import ApiKey
from tests import factories
from tests.factories import Api
from tests.support.people import make_owned, signed_in

pytestmark = pytest.mark.django_db

#: as they stand in an address: NUL, half a surrogate pair, no UTF-8, Arabic digits, paths, long, quotes
HOSTILE = [
    "%00",
    "%ED%A0%80%ff",
    "%D9%A1%D9%A2",
    "..%2f..%2fetc",
    "9" * 400,
    "'%22%3Cscript%3E%E2%80%AE%0d%0a",
]


def _patterns(found: list[URLPattern | URLResolver], before: str = "") -> Iterator[str]:
    for one in found:
        here = before + str(one.pattern)
        if isinstance(one, URLResolver):
            if not here.startswith("admin/"):
                yield from _patterns(one.url_patterns, here)
        else:
            yield here


def _addresses() -> list[str]:
    return [one for one in _patterns(get_resolver().url_patterns) if not re.search(r"[\\^$(]", one)]


@pytest.fixture
def callers() -> dict[str, Client]:
    account = make_owned("Mallory")
    scopes = {"scopes": ("*",), "rate_limit_per_minute": 10_000}
    return {
        "app": signed_in(account),
        "v1": Api(factories.make_key(account, kind=ApiKey.Kind.MK, **scopes)[1]),
        "": Api(factories.make_key(account, **scopes)[1]),
    }


def _call(callers: dict[str, Client], method: str, path: str, query: str = "") -> Any:
    caller = callers.get(path.split("/")[1], callers[""])
    caller.raise_request_exception = False
    body = b"{}" if caller is not callers["app"] else b""
    return caller.generic(
        method, path, b"" if method == "GET" else body, "application/json", QUERY_STRING=query
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_a_path_is_a_crash(callers, text):
    taking = [one for one in _addresses() if "<" in one]
    assert len(taking) > 40
    for address in taking:
        path = "/" + re.sub(r"<[^>]*>", text, address)
        for method in ("GET", "POST", "DELETE"):
            answer = _call(callers, method, path)
            assert answer.status_code < 500, (method, path, answer.content[:300])


NAMES = (
    *("limit", "page", "cursor", "status", "search", "batchId", "from", "to", "after", "before", "agent_id"),
    *("name", "language", "number", "template", "kind", "q", "hub.verify_token", "hub.mode", "next", "again"),
    *("createdFrom", "createdTo", "batch", "phone", "reason", "session", "days", "account", "only"),
)
#: these say honestly what is not there: a worker, Stripe
ABSENT = ("readyz", "billing/portal")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_a_query_is_a_crash(callers, text):
    query = "&".join(f"{name}={text}" for name in NAMES)
    for address in _addresses():
        if "<" not in address and address not in ABSENT:
            for asked in (query, text):
                answer = _call(callers, "GET", f"/{address}", asked)
                assert answer.status_code < 500, (address, asked, answer.content[:300])


#: lists that take several parameters; together they might stop at the first and hide the others
LISTS = (
    *("messages", "suppressions", "events", "analytics/summary", "v1/whatsapp/templates", "app/messages"),
    *("app/conversations", "app/templates", "app/log", "app/compose", "app/suppressions", "billing/return"),
)
ALONE = ("cursor", "search", "batchId", "to", "after", "name", "status", "q", "template", "before", "session")


@pytest.mark.parametrize("address", LISTS)
def test_a_nul_in_one_parameter_is_no_crash(callers, address):
    for name in ALONE:
        answer = _call(callers, "GET", f"/{address}", f"{name}=%00")
        assert answer.status_code < 500, (address, name, answer.content[:300])
