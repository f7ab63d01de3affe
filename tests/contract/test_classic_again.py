"""Again and not at all: rounds of a retry do not mix, and what is canceled is never sent."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import connections
from accounts.credentials import Credentials
from accounts.models import Number
from core.secret import Secret
from messaging.models import Message, Status
from messaging.status.timeline import Change, Failure, record
from tests.factories import api, connect, make_account, make_key, make_message
from tests.support import meta as support

pytestmark = pytest.mark.django_db

UNREACHABLE = Failure("recipient_unreachable", "Not on WhatsApp.", code=131026)


def shown(account: Any, message: Message) -> dict[str, Any]:
    """Return a message as its owner reads it."""
    return api(account).get(f"/messages/{message.pk}").json()["data"]


def steps(account: Any, message: Message) -> list[str]:
    """Return the statuses of its timeline."""
    return [entry["status"] for entry in shown(account, message)["timeline"]]


def retry(account: Any, message: Message) -> Any:
    """Send it again."""
    return api(account).post_json(f"/messages/{message.pk}/retry")


def cancel(account: Any, message: Message) -> Any:
    """Do not send it."""
    return api(account).post_json(f"/messages/{message.pk}/cancel")


# --- retry


def test_a_late_callback_of_the_first_round_does_not_end_the_second(app_secret, alice, number):
    message = support.queue(alice)
    support.says(number, support.status_for(message, "sent", wamid="wamid.first"))
    record([Change(message.pk, Status.FAILED, failure=UNREACHABLE)])
    assert retry(alice, message).status_code == 202
    late = {"errors": [{"code": 131026, "title": "x"}], "wamid": "wamid.first"}
    for status in ("sent", "failed", "delivered", "read"):
        more = late if status == "failed" else {"wamid": "wamid.first"}
        support.says(number, support.status_for(message, status, **more))
    found = shown(alice, message)
    assert found["status"] == "queued", found
    assert found["failedAt"] is found["errorMessage"] is found["sentAt"] is found["deliveredAt"] is None


def test_a_callback_of_the_second_round_counts(app_secret, alice, number):
    message = support.queue(alice)
    record([Change(message.pk, Status.FAILED, failure=UNREACHABLE)])
    retry(alice, message)
    item = support.status_item("wamid.second", "delivered")
    support.says(number, item | {"biz_opaque_callback_data": support.ref_of(message) + ".1"})
    assert shown(alice, message)["status"] == "delivered"


@pytest.mark.django_db(transaction=True)
def test_a_message_may_be_retried_again_and_again(meta, alice, number):
    message = support.queue(alice)
    for _ in range(3):
        record([Change(message.pk, Status.FAILED, failure=UNREACHABLE)])
        assert retry(alice, message).status_code == 202
    support.drain()
    support.reaches(message, "delivered", "read")
    assert support.history(message)[:7] == ["queued", "failed"] * 3 + ["queued"]
    assert len(meta.ledger()) == 1


@pytest.mark.django_db(transaction=True)
def test_two_retries_at_the_same_moment_are_one_retry(alice):
    connect(alice)
    message = make_message(alice, status=Status.FAILED)
    _, key = make_key(alice)
    answers = support.together(6, lambda _: api(key).post_json(f"/messages/{message.pk}/retry"))
    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 5}
    assert steps(alice, message) == ["failed", "queued"]


def test_a_retry_lives_as_long_as_the_first_attempt_did(alice, number):
    answer = api(alice).post_json("/send-message", {"to": "14155552671", "message": "x", "expiresIn": 60})
    message = Message.objects.get(pk=answer.json()["data"]["id"])
    old = timezone.now() - timedelta(days=5)
    Message.objects.update(created_at=old, expires_at=old + timedelta(seconds=60))
    record([Change(message.pk, Status.FAILED, failure=UNREACHABLE)])
    retry(alice, message)
    message.refresh_from_db()
    left = (message.expires_at - timezone.now()).total_seconds()
    assert 0 < left <= 60


def test_a_second_retry_lives_no_longer_than_the_first(alice, number):
    message = support.queue(alice, expires_in=timedelta(seconds=60))
    old = timezone.now() - timedelta(days=5)
    Message.objects.update(created_at=old, expires_at=old + timedelta(seconds=60))
    for _ in range(2):
        record([Change(message.pk, Status.FAILED, failure=UNREACHABLE)])
        assert retry(alice, message).status_code == 202
    message.refresh_from_db()
    assert (message.expires_at - timezone.now()).total_seconds() <= 60


def test_a_retry_waits_for_its_own_number_not_for_the_default_one(alice, number):
    mine = support.queue(alice)
    record([Change(mine.pk, Status.FAILED, failure=UNREACHABLE)])
    until = timezone.now() + timedelta(seconds=30)
    other = connections.add_number(
        alice, number.agent, Credentials(Secret("EAAother" + "x" * 20), "106540359999999")
    )
    connections.make_default(alice, other.pk)
    Number.objects.filter(pk=other.pk).update(breaker_open_since=timezone.now(), paused_until=until)
    assert retry(alice, mine).status_code == 202
    record([Change(mine.pk, Status.FAILED, failure=UNREACHABLE)])
    Number.objects.filter(pk=number.pk).update(breaker_open_since=timezone.now(), paused_until=until)
    assert retry(alice, mine).status_code == 503


def test_a_retry_without_credentials_is_refused_and_changes_nothing():
    account = make_account("pro")
    message = make_message(account, status=Status.FAILED)
    answer = retry(account, message)
    assert answer.status_code == 400
    assert "PUT /auth/me/credentials" in answer.json()["error"]
    assert shown(account, message)["status"] == "failed"


def test_a_failed_dry_run_is_retried_without_credentials():
    account = make_account("pro")
    message = make_message(account, status=Status.FAILED, dry_run=True)
    assert retry(account, message).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_a_retried_message_goes_to_the_number_that_is_there_now(meta, alice, number):
    message = support.queue(alice)
    record([Change(message.pk, Status.FAILED, failure=UNREACHABLE)])
    fresh = meta.connect(alice, 2)
    retry(alice, message)
    for _ in range(2):
        support.drain()
    (line,) = meta.ledger()
    assert line.phone_number_id == fresh.phone_number_id


# --- cancel


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", [None, timedelta(hours=1)])
def test_a_waiting_message_is_canceled_and_never_sent(meta, alice, number, when):
    message = support.queue(alice, send_at=timezone.now() + when if when else None)
    answer = cancel(alice, message)
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "data": {"id": str(message.pk), "status": "canceled"}}
    support.let_time_pass(alice)
    support.drain()
    assert not meta.ledger()
    found = shown(alice, message)
    assert found["status"] == "canceled"
    assert steps(alice, message)[-1] == "canceled"
    assert found["sentAt"] is found["failedAt"] is None


def test_a_message_that_waits_for_another_attempt_can_be_canceled(alice, number):
    message = make_message(alice, status=Status.RETRYING, connection=number)
    assert cancel(alice, message).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_after_sending_it_is_too_late_to_cancel(meta, alice, number):
    message = support.queue(alice)
    support.drain()
    answer = cancel(alice, message)
    assert answer.status_code == 409
    support.reaches(message, "delivered", "read")
    assert cancel(alice, message).status_code == 409
    assert "canceled" not in steps(alice, message)


@pytest.mark.parametrize(
    "status", ["submitting", "unknown", "sent", "delivered", "read", "failed", "canceled"]
)
def test_what_was_handed_over_or_has_ended_cannot_be_canceled(alice, status):
    message = make_message(alice, status=status)
    answer = cancel(alice, message)
    assert answer.status_code == 409
    assert "details" not in answer.json()
    message.refresh_from_db()
    assert message.status == status


def test_a_foreign_message_cannot_be_canceled(alice, charlie):
    message = make_message(alice)
    assert cancel(charlie, message).status_code == 404
    assert shown(alice, message)["status"] == "queued"


def test_a_canceled_message_cannot_be_retried(alice, number):
    message = support.queue(alice)
    cancel(alice, message)
    assert retry(alice, message).status_code == 409


@pytest.mark.django_db(transaction=True)
def test_cancel_and_send_at_the_same_moment_agree(meta, alice, number):
    """Whatever wins: canceled means that Meta never got it."""
    messages = support.queue_many(alice, 20)
    answers: dict[Any, int] = {}
    with support.draining():
        for message in reversed(messages):
            answers[message.pk] = cancel(alice, message).status_code
    support.drain()
    assert set(answers.values()) <= {200, 409}
    for message in messages:
        sent = len(meta.ledger(message))
        assert (answers[message.pk], sent) in ((200, 0), (409, 1))
