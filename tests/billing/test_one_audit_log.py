"""What billing once wrote into a log of its own is in the log of the accounts, for operators alone."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts import audit
from accounts.models import AuditEvent
from billing import entitlement
from tests.factories import make_account

BEFORE = [("billing", "0003_scheduled_change"), ("accounts", "0008_one_audit_log")]


def bring_forward():
    """Apply every migration there is: going back has taken along whatever leans on these."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def as_it_was(transactional_db):
    """The tables of billing as the last version had them; brought forward again in any case."""
    account = make_account()
    audit.record(account, "key.created", actor="owner@example.com")
    MigrationExecutor(connection).migrate(BEFORE)
    yield account
    bring_forward()


def test_the_old_lines_move_with_their_ids_and_times(as_it_was):
    line = ["0197a3c0-5b1e-7cc2-9d41-0d6a2c5e7f10", as_it_was.pk, json.dumps({"reason": "pilot"})]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO billing_auditentry (id, account_id, actor, action, details, at) "
            "VALUES (%s, %s, 'op@example.com', 'plan_override', %s, '2026-01-02T03:04:05Z')",
            line,
        )
    bring_forward()
    moved = AuditEvent.objects.get(pk=line[0])
    assert (moved.account_id, moved.actor, moved.action) == (as_it_was.pk, "op@example.com", "plan_override")
    assert (moved.details, moved.internal) == ({"reason": "pilot"}, True)
    assert moved.at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert [event.action for event in audit.seen(as_it_was)] == ["key.created"]


@pytest.mark.django_db
def test_people_see_that_their_plan_changed_and_not_why():
    account = make_account("free")
    entitlement.override(account.pk, plan="pro", reason="a secret pilot", until=None, actor="op@example.com")
    assert [(event.actor, event.action) for event in audit.seen(account)] == [("", "plan.changed")]
    whole = account.audit_events.order_by("pk").values_list("action", "actor")
    assert ("plan_override", "op@example.com") in whole and ("plan_changed", "op@example.com") in whole
