"""Promises on what a request asks for: a rehearsal stays one, a moment and a number mean what was meant."""

from __future__ import annotations

from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from messaging.dashboard import sheets
from messaging.models import Message
from tests import factories
from tests.support.v1 import MESSAGES

HELLO = {"to": "14156660001", "message": "Hello"}


def test_a_rehearsal_reaches_nobody_through_any_endpoint(stage):
    stage.account.connections.update(display_phone="15557654321")
    api, name = factories.api(stage.account), "dryRun"
    v1 = {"from": "+15557654321", "to": "+14156660001", "text": {"body": "Hello"}}
    for path, body in (
        ("/send-message", HELLO | {name: True}),
        ("/messages/bulk", {"messages": [HELLO | {name: True}]}),
        (MESSAGES, v1 | {name: True}),
    ):
        answer = api.post_json(path, body)
        assert answer.status_code == 202, answer.content
    stage.drain()
    assert Message.objects.count() == 3
    assert sum(stage.at_meta(message) for message in Message.objects.all()) == 0


def test_nothing_is_sent_when_a_dangerous_field_is_misspelt(stage):
    api = factories.api(stage.account)
    for name in ("dry-run", "send_at", "idempotency_key"):
        assert api.post_json("/send-message", HELLO | {name: True}).status_code == 400
        bulk = {"messages": [HELLO, HELLO | {name: True}]}
        assert api.post_json("/messages/bulk", bulk).status_code == 400
    assert not Message.objects.exists()


def test_a_local_time_is_due_when_clocks_there_show_it(stage):
    local = (timezone.now() + timedelta(days=30)).replace(hour=12, minute=0, tzinfo=None, microsecond=0)
    body = HELLO | {"sendAt": local.isoformat(), "timezone": "Asia/Kolkata"}
    assert factories.api(stage.account).post_json("/send-message", body).status_code == 202
    due = local.replace(tzinfo=ZoneInfo("Asia/Kolkata")).astimezone(UTC)
    assert Message.objects.get().scheduled_for == due


def test_no_row_of_a_table_goes_to_somebody_elses_number():
    rows = "".join(f'"{to}",Hi\n' for to in ("14155550100.0", "+44 (0)7911 123456", "4407911123456"))
    report = sheets.check(sheets.read("to,message\n" + rows, most=9), None, None)
    assert [line.to for line in report.good] == []
