"""Lost answers: nothing is sent again blindly; a callback decides, or after the wait the message's rule."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from core.ids import uuid7
from messaging.compose.drafts import RawTemplate
from messaging.models import Heartbeat, Message, OrphanStatus
from messaging.send import outcomes
from tests.support.meta import (
    all_callbacks,
    apply_callbacks,
    drain,
    history,
    know_template,
    let_time_pass,
    person,
    queue,
    queue_text,
    reaches,
    receiver_was_well,
    row,
    says,
    status_for,
    status_of,
)
from tests.support.waiting import eventually
from webhooks.models import InboundEvent

#: accepted by Meta, and we do not learn it: no answer, a cut connection, an HTTP 500
ACCEPTED_UNHEARD = ["0014", "0016", "0028"]


@pytest.fixture(autouse=True)
def short_calls(meta, settings) -> None:
    settings.SEND_TIMEOUT_SECONDS = 1.0
    settings.SEND_LEASE_SECONDS = 4.0
    receiver_was_well()


def send_unheard(meta, number, digits="0016", **more) -> Message:
    """A text that Meta takes without our learning of it."""
    message = queue_text(meta, number, to=person(digits), **more)
    drain()
    assert status_of(message) == "unknown"
    return message


@pytest.mark.parametrize("digits", ACCEPTED_UNHEARD)
def test_a_lost_answer_is_resolved_by_metas_callback(meta, number, digits):
    message = queue_text(meta, number, to=person(digits))
    drain()
    waiting = row(message)
    assert (waiting.status, waiting.wamid) == ("unknown", None)
    assert waiting.submitted_at is not None and waiting.due_at > timezone.now()
    assert history(message) == ["queued"]  # customers read "processing"
    final = reaches(message, "read")
    assert final.wamid == meta.ledger(message)[0].wamid
    assert sorted(history(message)) == ["delivered", "queued", "read", "sent"]
    let_time_pass(number.account)
    drain()
    assert len(meta.ledger(message)) == 1
    number.account.refresh_from_db()
    assert number.account.messages_sent == 1


def test_a_server_error_before_acceptance_is_repeated_after_the_wait(meta, number):
    message = queue_text(meta, number, to=person("0013"))
    drain()
    assert (status_of(message), meta.ledger()) == ("unknown", [])
    drain()
    assert meta.ledger() == []  # not before its time
    let_time_pass(number.account)
    drain()
    assert reaches(message, "read").attempts == 2
    assert len(meta.ledger(message)) == 1
    assert history(message) == ["queued", "retrying", "sent", "delivered", "read"]


def test_the_wait_is_the_one_of_the_settings(meta, number, settings):
    settings.UNKNOWN_WAIT_SECONDS = 1.0
    meta.options(callback_loss=100)
    message = queue_text(meta, number, to=person("0013"))
    drain()
    assert status_of(message) == "unknown"
    eventually(lambda: (drain(), status_of(message) == "sent")[1])
    assert len(meta.ledger(message)) == 1


def test_a_text_nobody_reports_on_is_sent_again_once(meta, number):
    meta.options(callback_loss=100)
    message = send_unheard(meta, number)
    meta.options(callback_loss=0)
    let_time_pass(number.account)
    drain()  # the second call is lost as well, but reported
    reaches(message, "read")
    let_time_pass(number.account)
    drain()
    assert len(meta.ledger(message)) == 2
    assert history(message)[:2] == ["queued", "retrying"]


def test_a_text_nobody_ever_reports_on_is_not_sent_for_ever(meta, number):
    meta.options(callback_loss=100)
    message = send_unheard(meta, number)
    for _ in range(2 * outcomes.MAX_ATTEMPTS):
        let_time_pass(number.account)
        drain(linger=0.1)
    final = row(message)
    assert len(meta.ledger(message)) <= outcomes.MAX_ATTEMPTS
    assert (final.status, final.failure) == ("failed", "outcome_unknown")


def test_a_utility_template_is_sent_again(meta, number):
    know_template(number, "UTILITY")
    meta.options(callback_loss=100)
    message = queue(number.account, to=person("0016"))
    drain()
    let_time_pass(number.account)
    drain(linger=0.2)
    assert len(meta.ledger(message)) == 2


@pytest.mark.parametrize("category", ["AUTHENTICATION", "MARKETING", "", None])
def test_a_code_or_an_advertisement_is_never_sent_twice(meta, number, category):
    if category is not None:
        know_template(number, category)
    meta.options(callback_loss=100)
    message = queue(number.account, to=person("0016"))
    drain()
    assert status_of(message) == "unknown"
    let_time_pass(number.account)
    drain()
    final = row(message)
    assert (final.status, final.failure, final.error_code) == ("failed", "outcome_unknown", None)
    assert "may or may not" in final.error_message
    assert len(meta.ledger(message)) == 1


def test_the_category_is_that_of_the_template_in_its_language(meta, number):
    know_template(number, "MARKETING")
    other = know_template(number, "UTILITY")
    other.language = "de"
    other.save(update_fields=["language"])
    meta.options(callback_loss=100)
    message = queue(number.account, to=person("0016"), what=RawTemplate("hello_world", "en_US"))
    drain()
    let_time_pass(number.account)
    drain()
    assert status_of(message) == "failed"


def test_a_report_after_we_gave_up_is_believed(meta, number):
    know_template(number, "AUTHENTICATION")
    meta.options(callback_loss=100)
    message = queue(number.account, to=person("0016"))
    drain()
    let_time_pass(number.account)
    drain()
    assert status_of(message) == "failed"
    says(number, status_for(message, "delivered", wamid=meta.ledger(message)[0].wamid))
    final = row(message)
    assert (final.status, final.failure, final.error_message) == ("delivered", "", None)
    assert history(message) == ["queued", "failed", "delivered"]


def test_an_expired_unknown_message_is_not_sent_again(meta, number):
    meta.options(callback_loss=100)
    message = send_unheard(meta, number)
    Message.objects.filter(pk=message.pk).update(expires_at=timezone.now())
    let_time_pass(number.account)
    drain()
    assert (status_of(message), row(message).failure) == ("failed", "outcome_unknown")
    assert len(meta.ledger(message)) == 1


def test_a_connection_cut_before_acceptance_is_unknown_too(meta, number):
    message = queue_text(meta, number, to=person("0029"))
    drain()
    assert (status_of(message), meta.ledger()) == ("unknown", [])


def test_a_worker_that_died_after_its_mark_leaves_an_unknown_outcome(meta, number):
    message = queue_text(meta, number)
    Message.objects.filter(pk=message.pk).update(
        status="submitting", lease_token=1, attempts=1, submitted_at=timezone.now(), due_at=timezone.now()
    )
    drain()
    assert (status_of(message), meta.ledger()) == ("unknown", [])
    let_time_pass(number.account)
    drain()
    assert status_of(message) == "sent"
    assert len(meta.ledger(message)) == 1


def test_a_callback_resolves_what_a_dead_worker_left(meta, number):
    message = queue_text(meta, number)
    Message.objects.filter(pk=message.pk).update(
        status="submitting", lease_token=1, attempts=1, submitted_at=timezone.now(), due_at=timezone.now()
    )
    says(number, status_for(message, "sent"))
    drain()
    assert (status_of(message), meta.ledger()) == ("sent", [])


def test_a_failed_callback_ends_an_unknown_message(meta, number):
    meta.options(callback_loss=100)
    message = send_unheard(meta, number)
    errors = [{"code": 131026, "title": "Message undeliverable"}]
    says(number, status_for(message, "failed", errors=errors))
    assert (status_of(message), row(message).error_code) == ("failed", 131026)


def test_callbacks_that_no_message_explains_are_kept(meta, number):
    message = send_unheard(meta, number)
    stranger = status_for(message, "sent")
    stranger["biz_opaque_callback_data"] = f"hm:{uuid7()}"
    says(number, stranger)
    assert OrphanStatus.objects.count() == 1
    all_callbacks(meta)
    apply_callbacks()
    assert status_of(message) == "read"


# --- our own receiver


@pytest.mark.parametrize("seen", [None, timedelta(minutes=5)], ids=["never", "not lately"])
def test_silence_says_nothing_while_our_receiver_is_away(meta, number, seen):
    Heartbeat.objects.all().delete()
    if seen:
        then = timezone.now() - seen
        Heartbeat.objects.create(name="receiver", ok_since=then - timedelta(hours=1), last_ok_at=then)
    message = queue_text(meta, number, to=person("0013"))
    drain()
    for _ in range(2):
        let_time_pass(number.account)
        drain(linger=0.1)
    assert (status_of(message), row(message).attempts, meta.ledger()) == ("unknown", 1, [])


def test_the_wait_begins_anew_after_a_gap_of_our_receiver(meta, number):
    message = queue_text(meta, number, to=person("0013"))
    drain()
    Heartbeat.objects.update(ok_since=timezone.now())  # well again only since after the call
    let_time_pass(number.account)
    drain(linger=0.1)
    assert (status_of(message), meta.ledger()) == ("unknown", [])


def test_callbacks_that_wait_to_be_applied_are_looked_at_first(meta, number):
    message = send_unheard(meta, number)
    eventually(lambda: InboundEvent.objects.filter(due_at__isnull=False).exists())
    let_time_pass(number.account)
    drain(linger=0.1)
    assert (status_of(message), len(meta.ledger(message))) == ("unknown", 1)
    assert reaches(message, "read").attempts == 1


def test_a_code_fails_after_its_wait_also_while_our_receiver_is_away(meta, number):
    Heartbeat.objects.all().delete()
    know_template(number, "AUTHENTICATION")
    meta.options(callback_loss=100)
    message = queue(number.account, to=person("0016"))
    drain()
    let_time_pass(number.account)
    drain()
    assert (status_of(message), len(meta.ledger(message))) == ("failed", 1)
