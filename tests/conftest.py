"""What every test gets: an empty Redis. The servers themselves come from tests.support.services."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import redis
from django.conf import settings


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    """Rate limits, knocks and heartbeats of one test must not reach the next."""
    _redis().flushdb()
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Make captured output printable: half a surrogate in it would end an xdist worker."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
