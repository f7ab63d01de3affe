"""Addresses: Redis as Celery spells it, and what a running `make run` left behind."""

from __future__ import annotations

import pytest

from core.addresses import broker_url, left_in


@pytest.mark.parametrize(
    ("given", "spelled"),
    [
        ("redis://cache:6379/0", "redis://cache:6379/0"),
        ("rediss://:password@cache:6380/2", "rediss://:password@cache:6380/2"),
        ("unix:///tmp/x/valkey.sock", "redis+socket:///tmp/x/valkey.sock?virtual_host=0"),
        ("unix:///tmp/x/valkey.sock?db=3", "redis+socket:///tmp/x/valkey.sock?virtual_host=3"),
        ("", ""),
    ],
)
def test_it_spells_redis_for_celery(given, spelled):
    assert broker_url(given) == spelled


def test_it_reads_what_a_running_start_left(tmp_path):
    (tmp_path / "services.env").write_text(
        "DATABASE_URL=postgresql://u@/db?host=/tmp/a&port=1\n\nREDIS_URL = unix:///tmp/b?db=0\nnonsense\n"
    )
    assert left_in(tmp_path) == {
        "DATABASE_URL": "postgresql://u@/db?host=/tmp/a&port=1",
        "REDIS_URL": "unix:///tmp/b?db=0",
    }


def test_it_reads_its_secrets_too(tmp_path):
    (tmp_path / "services.env").write_text("REDIS_URL=unix:///tmp/b\n")
    (tmp_path / "secrets.env").write_text("SECRET_KEY=abc\nCREDENTIALS_KEYS=dGVzdA==,eHk=\n")
    assert left_in(tmp_path) == {
        "REDIS_URL": "unix:///tmp/b",
        "SECRET_KEY": "abc",
        "CREDENTIALS_KEYS": "dGVzdA==,eHk=",
    }


def test_it_finds_nothing_where_nothing_runs(tmp_path):
    assert left_in(tmp_path) == {}
    assert left_in(tmp_path / "absent") == {}
