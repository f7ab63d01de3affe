"""A database of an older version is migrated in place: everything in it goes on, nothing is sent twice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from devstack.meta import seed
from devstack.meta.server import SandboxThread
from devstack.stripe import seed as stripe_seed
from devstack.stripe.server import StandInThread
from devstack.stripe.world import World

ROOT = Path(__file__).resolve().parent.parent.parent
DUMP = ROOT / "tests" / "data" / "database-of-7d730a2.sql"
#: whom the old version had messages for, by where each stood
READ, SENT, FAILED_AT_META, UNKNOWN = "14155550201", "14155550202", "14155550004", "14155550012"
QUEUED, SCHEDULED, RETRYING, SUBMITTING = "14155550203", "14155550204", "14155550205", "14155550206"
DELIVERED, CANCELED, FAILED = "14155550207", "14155550208", "14155550210"


def load(connection: psycopg.Connection[Any]) -> None:
    """Load the dump as if it had been made just now: every moment in it is moved by as much as it is old."""
    connection.execute(DUMP.read_text())  # type: ignore[arg-type]
    connection.execute("SET search_path TO public")
    [made] = connection.execute("SELECT max(recorded_at) FROM messaging_messageevent").fetchone() or [None]
    columns = connection.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema = 'public' AND data_type IN ('timestamp with time zone', 'date')"
    ).fetchall()
    connection.execute("SET session_replication_role = replica")
    for table, column, kind in columns:
        connection.execute(
            sql.SQL("UPDATE {table} SET {column} = ({column} + (now() - %s))::{kind}").format(
                table=sql.Identifier(table), column=sql.Identifier(column), kind=sql.SQL(kind)
            ),
            [made],
        )
    # It is the same server as far as the restore guard can tell: upgraded in place, not copied.
    connection.execute(
        "UPDATE messaging_home SET cluster = (SELECT system_identifier FROM pg_control_system())"
    )


@pytest.fixture
def old(request: pytest.FixtureRequest) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """Give a database of the old version and its address."""
    given = os.environ["DATABASE_URL"]
    base, _, query = given.partition("?")
    name = f"upgrade_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    url = f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
    identifier = sql.Identifier(name)
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
        server.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                load(connection)
                yield connection, url
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


def run(url: str, *words: str, **more: str) -> None:
    """Run a program of this version on the database."""
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT), **more},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


#: the inbox's events of Stripe's that this test tells of: which they are, whether they wait, are done with
STRIPE_EVENTS = """
SELECT name, due_at IS NOT NULL, applied_at IS NOT NULL AND parked = '[]'
FROM unnest(ARRAY['evt_before_upgrade', 'evt_done', 'evt_late']) AS name
JOIN webhooks_inboundevent ON source = 'stripe' AND digest = sha256(convert_to('stripe/id:' || name, 'UTF8'))
ORDER BY name
"""


def keep_as_the_version_before(connection: psycopg.Connection[Any], event: str) -> None:
    """Store an event of Stripe's as a process of the old version does while the upgrade rolls through."""
    connection.execute(
        "INSERT INTO billing_stripeevent (id, type, customer, subject, received_at, due_at, lease_token, "
        "attempts, trouble) VALUES (%s, 'customer.updated', 'cus_1', 'cus_1', now(), now(), 0, 0, '')",
        [event],
    )


def standing(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Return where each message stands, by the person it is for."""
    rows = connection.execute("SELECT recipient, status FROM messaging_message WHERE direction = 'out'")
    return dict(rows.fetchall())


def rights(connection: psycopg.Connection[Any], model: str) -> dict[str, int]:
    """Return the operators' rights to a model of accounts: an action, and the id by which it was granted."""
    rows = connection.execute(
        "SELECT replace(codename, '_' || model, ''), p.id FROM auth_permission p "
        "JOIN django_content_type t ON t.id = p.content_type_id WHERE app_label = 'accounts' AND model = %s",
        [model],
    )
    return dict(rows.fetchall())


def test_an_old_database_goes_on_after_its_upgrade_and_nothing_is_sent_twice(
    old: tuple[psycopg.Connection[Any], str], sandbox: SandboxThread
) -> None:
    connection, url = old
    before = standing(connection)
    assert set(before.values()) == {
        *("scheduled", "queued", "retrying", "submitting", "unknown"),
        *("sent", "delivered", "read", "failed", "canceled"),
    }
    waiting = connection.execute("SELECT count(*) FROM webhooks_delivery WHERE due_at <= now()").fetchone()
    assert waiting is not None and waiting[0] > 0

    run(url, "manage.py", "migrate", "--no-input")
    assert standing(connection) == before
    assert not connection.execute("SELECT 1 FROM billing_stripeevent").fetchone()
    assert connection.execute(STRIPE_EVENTS).fetchall() == [
        ("evt_before_upgrade", True, False),
        ("evt_done", False, True),
    ]
    keep_as_the_version_before(connection, "evt_late")
    keep_as_the_version_before(connection, "evt_done")

    sandbox.run(sandbox.world.reset)
    number = seed.number(1)
    until = sandbox.world.clock.now() + 3600

    def open_windows() -> None:
        for person in before:
            sandbox.world.windows[number.phone_number_id, person] = until

    sandbox.run(open_windows)
    settings = {
        "META_GRAPH_URL": sandbox.url,
        "META_APP_SECRET": seed.APP_SECRET,
        "WEBHOOK_ALLOW_PRIVATE": "1",
        "DURABILITY_NOT_NEEDED": "1",
    }
    for _ in range(2):  # the second look finds nothing that the first one did
        run(url, "tests/upgrade/go_on.py", **settings)

    sent = Counter(line.to for line in sandbox.world.messages)
    assert sent == {QUEUED: 1, RETRYING: 1}
    after = standing(connection)
    assert after == before | {
        QUEUED: "sent",
        RETRYING: "sent",
        SENT: "delivered",  # its report had come before the upgrade and waited in the inbox
        SUBMITTING: "unknown",  # its worker died with the old version: it waits for a report, as ever
    }
    [inbound] = connection.execute("SELECT body FROM messaging_message WHERE direction = 'in'").fetchall()
    assert inbound == ("Hello before the upgrade",)
    tried = connection.execute("SELECT count(*) FROM webhooks_delivery WHERE attempts > 0").fetchone()
    assert tried is not None and tried[0] >= waiting[0]

    # Stripe was not set up yet: its events wait.
    told = ("evt_before_upgrade", "evt_done", "evt_late")
    assert not connection.execute("SELECT 1 FROM billing_stripeevent").fetchone()
    assert connection.execute(STRIPE_EVENTS).fetchall() == [
        (told[0], True, False),
        (told[1], False, True),
        (told[2], True, False),
    ]
    with StandInThread(World()) as stripe:
        connection.execute("UPDATE billing_customer SET stripe_id = 'cus_1'")
        run(url, "tests/upgrade/go_on.py", **settings, **stripe_seed.SETTINGS, STRIPE_API_BASE=stripe.url)
    assert connection.execute(STRIPE_EVENTS).fetchall() == [(name, False, True) for name in told]
    [asked] = connection.execute("SELECT fetches FROM billing_customer").fetchall()
    assert asked == (1,), "two events of one customer are one question"
