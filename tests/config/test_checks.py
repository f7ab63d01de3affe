"""Every way to misconfigure Hermod is reported by an id, with a hint; a good configuration is silent."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.core.checks import Error, Warning
from django.core.exceptions import ImproperlyConfigured

from accounts.vault import new_key
from config import checks

GOOD = {
    "DEVELOPMENT": False,
    "SECRET_KEY_GIVEN": "k" * 60,
    "CREDENTIALS_KEYS": [new_key(), new_key()],
    "DATABASE_URL": "postgres://hermod@db/hermod",
    "REDIS_URL": "redis://cache:6379/0",
    "PUBLIC_URL": "https://hermod.example.com",
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "TRUSTED_PROXIES": ["127.0.0.1/32", " 2001:db8::/32"],
    "META_GRAPH_URL": "https://graph.facebook.com",
    "META_GRAPH_VERSION": "v25.0",
    "SEND_LEASE_SECONDS": 30.0,
    "SEND_TIMEOUT_SECONDS": 20.0,
    "WEBHOOK_ALLOW_PRIVATE": False,
    "WEBHOOK_TIMEOUT_SECONDS": 10.0,
    "WEBHOOK_LEASE_SECONDS": 60.0,
    "ALLOWED_HOSTS": ["hermod.example.com"],
    "STRIPE_SECRET_KEY": "",
    "STRIPE_WEBHOOK_SECRET": "",
}
BAD = [
    ("E001", {"SECRET_KEY_GIVEN": ""}),
    ("E002", {"CREDENTIALS_KEYS": []}),
    ("E003", {"CREDENTIALS_KEYS": ["not base64!"]}),
    ("E003", {"CREDENTIALS_KEYS": ["c2hvcnQ="]}),
    ("E003", {"CREDENTIALS_KEYS": [new_key(), ""]}),
    ("E003", {"CREDENTIALS_KEYS": ["schlüssel"]}),
    ("E004", {"DATABASE_URL": ""}),
    ("E005", {"DATABASE_URL": "sqlite:///db.sqlite3"}),
    ("E005", {"DATABASE_URL": "mysql://root@db/hermod"}),
    ("E006", {"REDIS_URL": ""}),
    ("E007", {"PUBLIC_URL": "hermod.example.com"}),
    ("E007", {"PUBLIC_URL": "ftp://hermod.example.com"}),
    ("E007", {"PUBLIC_URL": "https://"}),
    ("E007", {"META_GRAPH_URL": "graph.facebook.com"}),
    ("E007", {"META_GRAPH_URL": "https://[not-an-address"}),
    ("E007", {"META_GRAPH_URL": ""}),
    ("E008", {"META_GRAPH_VERSION": "25.0"}),
    ("E008", {"META_GRAPH_VERSION": "v25"}),
    ("E008", {"META_GRAPH_VERSION": "v25.0/../v1.0"}),
    ("E008", {"META_GRAPH_VERSION": "v25.0\n"}),
    ("E008", {"META_GRAPH_VERSION": ""}),
    ("E009", {"SEND_TIMEOUT_SECONDS": 30.0}),
    ("E009", {"SEND_TIMEOUT_SECONDS": 31.0}),
    ("E010", {"WEBHOOK_ALLOW_PRIVATE": True}),
    ("E014", {"WEBHOOK_LEASE_SECONDS": 14.0}),
    ("E012", {"ALLOWED_HOSTS": ["hermod.example.com", "*"]}),
    ("W001", {"PUBLIC_URL": "http://hermod.example.com"}),
    ("W002", {"META_GRAPH_URL": "http://10.0.0.7:9000"}),
    ("W005", {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}),
    ("E020", {"STRIPE_API_BASE": "http://10.0.0.7:9001"}),
    ("W003", {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_PRICE_BASIC": "p1", "STRIPE_PRICE_PRO": "p2"}),
    (
        "W004",
        {"STRIPE_SECRET_KEY": "sk_test_1", "STRIPE_WEBHOOK_SECRET": "w", "STRIPE_PRICE_BASIC": "p1"},
    ),
    ("W003", {"STRIPE_WEBHOOK_SECRET": "whsec_1"}),
    ("E015", {"TRUSTED_PROXIES": ["127.0.0.1", "proxy.example.com"]}),
    ("E015", {"TRUSTED_PROXIES": ["10.0.0.0/33", ""]}),
    ("W006", {"SECURE_PROXY_SSL_HEADER": None}),
    ("W006", {"SECURE_PROXY_SSL_HEADER": None, "TRUSTED_PROXIES": []}),
    ("W007", {"TRUSTED_PROXIES": []}),
]
#: what a laptop may do
RELAXED = {"E010", "E012", "E020", "W001", "W002", "W005", "W006", "W007"}
SOURCE = Path(checks.__file__).read_text()


@pytest.fixture
def configured(settings):
    """Set ``GOOD`` with changes, and run the checks."""

    def run(**changes):
        for name, value in (GOOD | changes).items():
            setattr(settings, name, value)
        return checks.checks.run_checks(tags=[checks.TAG])

    return run


def test_a_good_configuration_is_silent(configured):
    assert configured() == []


@pytest.mark.parametrize(("ident", "changes"), BAD)
def test_it_reports_by_an_id_with_a_hint(configured, ident, changes):
    (found,) = configured(**changes)
    assert found.id == f"hermod.{ident}"
    assert type(found) is (Warning if ident.startswith("W") else Error)
    assert len(found.msg) > 15
    assert found.hint and len(found.hint) > 15


@pytest.mark.parametrize(("ident", "changes"), [case for case in BAD if case[0] in RELAXED])
def test_a_laptop_may(configured, ident, changes):
    assert configured(DEVELOPMENT=True, **changes) == []


@pytest.mark.parametrize(("ident", "changes"), [case for case in BAD if case[0] not in RELAXED])
def test_a_laptop_may_not(configured, ident, changes):
    assert [found.id for found in configured(DEVELOPMENT=True, **changes)] == [f"hermod.{ident}"]


def test_it_reports_everything_at_once(configured):
    found = configured(SECRET_KEY_GIVEN="", DATABASE_URL="", REDIS_URL="", META_GRAPH_VERSION="")
    assert sorted(one.id[-4:] for one in found) == ["E001", "E004", "E006", "E008"]


def test_no_check_shows_a_secret(configured):
    keys = ["canary-that-is-no-key", "canary-2"]
    found = configured(CREDENTIALS_KEYS=keys, STRIPE_SECRET_KEY="canary-3", PUBLIC_URL="ftp://x")
    assert "canary" not in "".join(str(one) for one in found)


def test_every_check_has_a_case_here():
    written = set(re.findall(r'id="hermod\.([EW][0-9]{3})"', SOURCE))
    assert written == {ident for ident, _ in BAD} | {"E013"}


@pytest.mark.parametrize(("development", "reported"), [("0", True), ("1", False)])
def test_a_server_may_not_break_itself_on_purpose(development, reported):
    """E013 depends on the environment that the process was born with."""
    answer = subprocess.run(
        [sys.executable, "manage.py", "check", "--tag", checks.TAG],
        env=os.environ | {"FAILPOINTS": "send.after_mark=raise@0.01", "DEBUG": development},
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert ("hermod.E013" in answer.stderr) is reported, answer.stderr
    assert answer.returncode == (1 if reported else 0), answer.stderr


def test_the_docstrings_name_the_checks_that_there_are():
    written = set(re.findall(r'id="hermod\.([EW][0-9]{3})"', SOURCE))
    promised: set[str] = set()
    for line in re.findall(r'^    """((?:[EW][0-9]{3}.*?):)', SOURCE, re.MULTILINE):
        for first, last in re.findall(r"([EW][0-9]{3})(?:–([EW][0-9]{3}))?", line):
            numbers = range(int(first[1:]), int((last or first)[1:]) + 1)
            promised |= {f"{first[0]}{number:03}" for number in numbers}
    assert promised == written


def test_a_process_refuses_to_start_on_an_error(configured):
    configured(REDIS_URL="", SECRET_KEY_GIVEN="")
    with pytest.raises(ImproperlyConfigured) as caught:
        checks.refuse_misconfiguration()
    assert "hermod.E001" in str(caught.value)
    assert "hermod.E006" in str(caught.value)
    assert "HINT" in str(caught.value)


def test_a_process_starts_despite_a_warning(configured):
    assert configured(STRIPE_SECRET_KEY="sk_test_1")
    checks.refuse_misconfiguration()
