"""A restored database sends nothing before an operator has said what shall become of what waits."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.db import connection

from core.jobs import drains
from messaging import tasks
from messaging.models import Home, Message
from messaging.send import restore_guard
from tests.factories import api
from tests.support.meta import make_due, queue_many, row, status_of


@pytest.fixture
def elsewhere(number, monkeypatch):
    """Five messages wait in a database that comes from another cluster."""
    monkeypatch.setattr(drains, "LINGER_SECONDS", 0.2)
    assert restore_guard.may_send()
    messages = queue_many(number.account, 4)
    messages += make_due(number, status="submitting", lease_token=1)
    Home.objects.update(cluster=1)
    return messages


def said(*options: str) -> str:
    out = io.StringIO()
    call_command("release_sending", *options, stdout=out)
    return out.getvalue()


def test_nothing_leaves_a_restored_database_and_readiness_says_so(meta, elsewhere):
    tasks.drain()
    assert meta.ledger() == []
    assert {row(message).lease_token for message in elsewhere} <= {0, 1}
    assert "restored or moved" in api().get("/readyz").json()["checks"]["worker"]["error"]
    assert "sends nothing" in said()
    assert "5 messages wait" in said()


def test_cancel_ends_what_waits_and_lets_new_messages_go(meta, number, elsewhere):
    assert "5 messages were ended" in said("--cancel")
    assert [status_of(message) for message in elsewhere] == ["canceled"] * 4 + ["failed"]
    assert row(elsewhere[-1]).failure == "outcome_unknown"
    assert not Message.objects.filter(due_at__isnull=False).exists()
    fresh = queue_many(number.account, 1)
    tasks.drain()
    assert [status_of(message) for message in fresh] == ["sent"]
    assert len(meta.ledger()) == 1


def test_keep_sends_what_waits(meta, elsewhere):
    assert "0 messages were ended" in said("--keep")
    tasks.drain()
    assert [status_of(message) for message in elsewhere[:4]] == ["sent"] * 4


def test_a_new_database_settles_where_it_is(transactional_db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM messaging_home")
        assert cursor.fetchone() == (0,)
    assert restore_guard.may_send()
    assert "may send" in said()
    assert restore_guard.may_send()
