"""People sign up, sign in and work on while Redis is stopped or hangs, and guessing is still braked."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
import structlog
from django.core.cache import cache
from django.test import Client

from core import cache as our_cache
from core import redis as our_redis
from devstack.launcher.embedded import Embedded
from tests.factories import redis_at
from tests.support.people import make_owned

pytestmark = pytest.mark.django_db
PASSWORD = "a long enough passphrase"
PAGES = ("/app", "/app/messages", "/app/log", "/app/team", "/app/keys", "/app/webhooks", "/app/billing")


@pytest.fixture
def valkey():
    """A Valkey of this test's own, to be stopped by it."""
    folder = Path(tempfile.mkdtemp(prefix="hermod-away-", dir="/tmp"))
    folder.chmod(0o711)
    server = Embedded(folder, durable=False, postgres=False)
    cache._memory.clear()
    with redis_at(server.start().redis_url):
        yield server
    cache._memory.clear()
    server.remove()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def log(monkeypatch):
    """What is logged, and the moment to say it anew."""
    monkeypatch.setattr(our_cache, "_tell", our_redis.Rarely(every=3600.0))
    with structlog.testing.capture_logs() as lines:
        yield lines


def sign_in(password: str = PASSWORD, email: str = "alice@example.com") -> int:
    return Client().post("/accounts/login/", {"login": email, "password": password}).status_code


def test_a_stopped_redis_stops_nobody_and_brakes_on_guessing_stay(valkey, log):
    alice = make_owned("Alice", password=PASSWORD)
    email = alice.memberships.get().user.email
    browser = Client()
    assert browser.post("/accounts/login/", {"login": email, "password": PASSWORD}).status_code == 302
    cache.set("before", 1)
    assert cache.get("before") == 1

    valkey.stop()
    assert sign_in(email=email) == 302
    assert {page: browser.get(page).status_code for page in PAGES} == dict.fromkeys(PAGES, 200)
    form = {"name": "New", "email": "new@example.com", "password1": PASSWORD}
    assert Client().post("/accounts/signup/", form).status_code == 302
    pages = [
        Client().post("/accounts/login/", {"login": email, "password": "wrong"}).content.decode()
        for _ in range(7)
    ]
    assert "Too many failed" not in pages[0]
    assert "Too many failed" in pages[-1]
    errors = [line for line in log if line["log_level"] == "error"]
    said = "tries are counted by each process alone: Redis does not answer"
    assert [line["event"] for line in errors] == [said], "once, not for every request"


def test_a_redis_that_hangs_holds_a_page_up_for_moments_only(valkey, log, monkeypatch):
    monkeypatch.setattr(our_redis, "TIMEOUT_SECONDS", 0.1)
    alice = make_owned("Alice", password=PASSWORD)
    email = alice.memberships.get().user.email
    cache.set("before", 1)
    (pid,) = valkey.pids().values()
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert sign_in(email=email) == 302
        # How long a page waits is what is promised here.
        assert time.monotonic() - began < 3 * our_cache.TIMEOUT_SECONDS + 3
        began = time.monotonic()
        assert sign_in(email=email) == 302
        assert time.monotonic() - began < our_redis.BREAK_SECONDS / 2
    finally:
        os.kill(pid, signal.SIGCONT)


def test_the_memory_of_a_process_does_what_redis_does(valkey):
    valkey.stop()
    assert cache.add("lock", True, timeout=10)
    assert not cache.add("lock", True, timeout=10)
    cache.set_many({"a": 1, "b": [2]})
    assert cache.get_many(["a", "b", "c"]) == {"a": 1, "b": [2]}
    assert cache.incr("a") == 2
    assert cache.has_key("a") and cache.touch("a", 5) and cache.delete("a")
    with pytest.raises(ValueError, match="not found"):
        cache.incr("never-set")
    cache.clear()
    assert cache.get("b", "gone") == "gone"
