"""What every test gets: an empty Redis, and patience with it. tests.support.services brings the servers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import redis
from django.conf import settings

from core import redis as our_redis

pytest_plugins = ["tests.support.fixtures"]

# A crowded machine is not a dead Redis: after a tenth of a second, as in production, a limiter would let a
# request through that a test counts on being refused.
our_redis.TIMEOUT_SECONDS = 20.0


@cache
def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    """Rate limits, wake-ups and heartbeats of one test must not reach the next."""
    _redis().flushdb()
    our_redis._broken_until = 0.0
    yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Make captured output printable: half a surrogate in it would end an xdist worker."""
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
