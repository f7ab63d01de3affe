"""`/healthz` says that the process lives and asks nobody; `/readyz` says whether it can keep its promise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import Account, Number
from config.ops.health import STUCK_SECONDS
from messaging.models import Status
from messaging.send import heartbeat
from tests.factories import api, connect, make_account, make_message, redis_at
from webhooks.models import InboundEvent

AGES_AGO = timedelta(minutes=5)


@pytest.fixture
def ready_settings(settings):
    """The tests' Postgres runs with fsync off, which a throwaway server may."""
    settings.DURABILITY_NOT_NEEDED = True
    return settings


def readyz():
    answer = api().get("/readyz")
    return answer.status_code, answer.json()


def test_healthz_asks_nobody(django_assert_num_queries, db):
    with redis_at(), django_assert_num_queries(0):
        answer = api().get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


@pytest.mark.django_db
def test_it_is_ready_when_everything_answers(ready_settings):
    status, body = readyz()
    assert (status, body["status"]) == (200, "ready")
    assert {name: body["checks"][name]["ok"] for name in ("database", "broker", "queue")} == {
        "database": True,
        "broker": True,
        "queue": True,
    }


@pytest.mark.django_db
def test_a_worker_that_sleeps_is_told_and_does_not_count(ready_settings):
    """Messages are still accepted without one; taking the web server away would only lose them."""
    status, body = readyz()
    assert status == 200
    assert body["checks"]["worker"] == {"ok": False, "last_claim_seconds": None}


@pytest.mark.django_db
def test_a_worker_that_claims_is_told(ready_settings):
    heartbeat.note(heartbeat.WORKER)
    assert readyz()[1]["checks"]["worker"]["ok"] is True


@pytest.mark.django_db
def test_it_is_not_ready_on_a_database_that_forgets(settings):
    settings.DURABILITY_NOT_NEEDED = False
    with connection.cursor() as cursor:
        cursor.execute("SELECT setting FROM pg_settings WHERE name = 'fsync'")
        assert cursor.fetchone() == ("off",), "the tests' own server is the example"
    status, body = readyz()
    assert (status, body["status"]) == (503, "not ready")
    assert body["checks"]["database"]["ok"] is False
    assert "fsync" in body["checks"]["database"]["error"] or "is off" in body["checks"]["database"]["error"]


@pytest.mark.django_db
def test_it_is_not_ready_without_redis(ready_settings):
    with redis_at():
        status, body = readyz()
    assert status == 503
    assert [name for name in ("database", "broker", "queue") if not body["checks"][name]["ok"]] == ["broker"]


@pytest.mark.django_db(transaction=True)
def test_it_is_not_ready_without_its_database(ready_settings, monkeypatch):
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    try:
        status, body = readyz()
    finally:
        connection.close()
        monkeypatch.undo()
    assert status == 503
    assert body["checks"]["database"] == {"ok": False, "error": "the database does not answer"}
    assert body["checks"]["queue"]["ok"] is False
    assert "nowhere" not in str(body)


@pytest.fixture
def number(db) -> Number:
    return connect(make_account())


def waiting(number: Number, **fields):
    return make_message(
        number.account, connection=number, due_at=timezone.now() - AGES_AGO, status=Status.QUEUED, **fields
    )


def test_it_is_not_ready_while_a_message_is_left_lying(ready_settings, number):
    waiting(number)
    status, body = readyz()
    assert status == 503
    assert body["checks"]["queue"]["ok"] is False
    assert body["checks"]["queue"]["oldest_seconds"]["messages"] > STUCK_SECONDS


def test_a_simulated_message_without_a_number_counts_too(ready_settings, db):
    """A dry run needs no number, and no worker takes it when there is none."""
    make_message(make_account(), due_at=timezone.now() - AGES_AGO, dry_run=True)
    status, _ = readyz()
    assert status == 503


@pytest.mark.parametrize(
    "fields",
    [
        {"status": Number.Status.HELD},
        {"paused_until": timezone.now() + timedelta(hours=1)},
    ],
    ids=["held", "paused"],
)
def test_it_is_ready_while_a_number_waits_on_purpose(ready_settings, number, fields):
    waiting(number)
    Number.objects.filter(pk=number.pk).update(**fields)
    assert readyz()[0] == 200


def test_it_is_ready_while_the_queue_of_a_deactivated_account_waits(ready_settings, number):
    waiting(number)
    Account.objects.filter(pk=number.account_id).update(is_active=False)
    assert readyz()[0] == 200


def test_it_is_not_ready_when_a_pause_has_ended_and_nobody_came(ready_settings, number):
    waiting(number)
    Number.objects.filter(pk=number.pk).update(paused_until=timezone.now() - timedelta(minutes=2))
    assert readyz()[0] == 503


def test_it_is_ready_while_a_queue_is_only_longer_than_its_number_is_fast(ready_settings, number):
    """A hundred thousand rows at eighty a second wait twenty minutes, and every one of them is on its way."""
    waiting(number)
    Number.objects.filter(pk=number.pk).update(next_slot_at=timezone.now())
    assert readyz()[0] == 200


def test_it_is_not_ready_when_nobody_serves_a_long_queue_any_more(ready_settings, number):
    waiting(number)
    Number.objects.filter(pk=number.pk).update(next_slot_at=timezone.now() - timedelta(minutes=2))
    status, body = readyz()
    assert status == 503
    assert 120 <= body["checks"]["queue"]["oldest_seconds"]["messages"] < 130


def test_a_busy_number_does_not_hide_that_another_is_left_lying(ready_settings, number):
    waiting(number)
    Number.objects.filter(pk=number.pk).update(next_slot_at=timezone.now())
    waiting(connect(make_account()))
    assert readyz()[0] == 503


def test_it_is_ready_while_a_message_waits_for_its_time(ready_settings, number):
    make_message(number.account, connection=number, due_at=timezone.now() + timedelta(hours=1))
    assert readyz()[0] == 200


def test_it_is_not_ready_while_a_callback_is_left_lying(ready_settings, db):
    InboundEvent.objects.create(
        source=InboundEvent.Source.META,
        digest=b"1" * 32,
        raw=b"{}",
        received_at=timezone.now() - AGES_AGO,
        due_at=timezone.now() - AGES_AGO,
    )
    status, body = readyz()
    assert status == 503
    assert body["checks"]["queue"]["oldest_seconds"]["inbox"] > STUCK_SECONDS


def test_it_is_ready_while_an_event_waits_for_stripe(ready_settings, db):
    InboundEvent.objects.create(
        source=InboundEvent.Source.STRIPE,
        digest=b"1" * 32,
        raw=b"{}",
        received_at=timezone.now() - AGES_AGO,
        due_at=timezone.now() - AGES_AGO,
    )
    assert readyz()[0] == 200
