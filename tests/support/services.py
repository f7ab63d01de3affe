"""Gives the tests a real Postgres and Valkey, an environment of their own, and no way off this machine.

Loaded with ``-p tests.support.services`` (pyproject.toml), because pytest-django reads the settings
before any conftest is imported. With pytest-xdist the controller starts the servers once; the workers
inherit their addresses, each with a test database and a Redis database number of its own.
"""

from __future__ import annotations

import ipaddress
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devstack.launcher.embedded import Embedded

# Set explicitly, also to nothing: a developer's .env must not reach the tests.
ENVIRONMENT = {
    "SECRET_KEY": "only-for-tests-" + "k" * 50,
    "CREDENTIALS_KEYS": "dGVzdHMgb25seTogdGhpcnR5LXR3byBieXRlcyEhISE=",
    "DEBUG": "0",
    "LOG_FORMAT": "json",
    "EMAIL_URL": "memorymail://",
    "PORT": "8000",
    "PUBLIC_URL": "http://127.0.0.1:8000",
    "ALLOWED_HOSTS": "",
    # Nothing listens on the discard port: a test that forgets to name a Meta fails at once.
    "META_GRAPH_URL": "http://127.0.0.1:9",
    "META_GRAPH_VERSION": "v25.0",
    "META_APP_SECRET": "",
    "META_VERIFY_TOKEN": "",
    "STRIPE_SECRET_KEY": "",
    "STRIPE_WEBHOOK_SECRET": "",
    "STRIPE_PRICE_BASIC": "",
    "STRIPE_PRICE_PRO": "",
    "STRIPE_API_BASE": "",
    "STRIPE_PRICE_MESSAGES_1000": "",
    "STRIPE_PRICE_MESSAGES_5000": "",
    "STRIPE_PRICE_MESSAGES_10000": "",
    "STRIPE_PRICE_AGENT": "",
    "SALES_CONTACT": "",
    **dict.fromkeys(("MONTHLY_MESSAGES_FREE", "MONTHLY_MESSAGES_BASIC", "MONTHLY_MESSAGES_PRO"), "100000"),
    "MONTHLY_MESSAGES_ENTERPRISE": "0",
    "MAX_BULK_MESSAGES": "1000",
    "WEBHOOK_ALLOW_PRIVATE": "0",
}

_servers: Embedded | None = None
_folder: Path | None = None


class LeftTheHost(RuntimeError):
    """A test tried to reach another machine; not an OSError, which code under test might swallow."""


def redis_url_for(worker: str, url: str) -> str:
    """Return ``url`` with the database number of an xdist worker (``gw0`` → 1); 0 stays the controller's."""
    number = int(re.sub(r"\D", "", worker)) % 15 + 1 if worker else 0
    if url.startswith("unix:"):
        return f"{url.partition('?')[0]}?db={number}"
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    return f"{scheme}://{host}/{number}"


def _start_servers() -> None:
    global _servers, _folder
    have = {name: bool(os.environ.get(name)) for name in ("DATABASE_URL", "REDIS_URL")}
    if all(have.values()):
        return
    _folder = Path(tempfile.mkdtemp(prefix="hermod-tests-", dir="/tmp"))
    _folder.chmod(0o711)  # started by root, the servers run as nobody
    _servers = Embedded(
        _folder, durable=False, postgres=not have["DATABASE_URL"], valkey=not have["REDIS_URL"]
    )
    urls = _servers.start()
    for name, url in (("DATABASE_URL", urls.database_url), ("REDIS_URL", urls.redis_url)):
        if url:
            os.environ[name] = url


def _stop_servers() -> None:
    global _servers, _folder
    if _servers is not None:
        _servers.remove()
        _servers = None
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)
        _folder = None


def _is_here(family: int, address: Any) -> bool:
    if family not in (socket.AF_INET, socket.AF_INET6):
        return True  # a unix socket
    host = str(address[0]).partition("%")[0]
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return parsed.is_loopback or parsed.is_unspecified


def _stay_here() -> None:
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def checked_connect(self: socket.socket, address: Any) -> None:
        if not _is_here(self.family, address):
            raise LeftTheHost(f"a test tried to connect to {address!r}")
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        if not _is_here(self.family, address):
            raise LeftTheHost(f"a test tried to connect to {address!r}")
        return connect_ex(self, address)

    socket.socket.connect = checked_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = checked_connect_ex  # type: ignore[method-assign]


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    """Prepare everything before pytest-django (an ordinary implementation of this hook) reads settings."""
    os.environ.update(ENVIRONMENT)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker:
        _start_servers()
    os.environ["REDIS_URL"] = redis_url_for(worker, os.environ["REDIS_URL"])
    _stay_here()
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Stop what was started, after xdist's workers have gone; also runs after Ctrl-C."""
    _stop_servers()
