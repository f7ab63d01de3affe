"""A server error that names its reason is a refusal; any other keeps what was answered, and tells it."""

from __future__ import annotations

import pytest

from accounts.models import Number
from messaging.models import Message
from messaging.send import outcomes
from tests.support.classic import shown
from tests.support.meta import (
    drain,
    history,
    know_template,
    let_time_pass,
    person,
    queue,
    reaches,
    receiver_was_well,
    row,
    says,
    status_for,
    status_of,
)

PROMISES = ("by itself", "Nothing to do", "waiting messages", "stays paused", "resume")


@pytest.fixture(autouse=True)
def heard(meta) -> None:
    receiver_was_well()


@pytest.mark.parametrize("category", ["AUTHENTICATION", "MARKETING", "UTILITY"])
def test_a_named_refusal_on_a_server_error_is_tried_again_at_once_whatever_the_category(
    meta, number, category
):
    know_template(number, category)
    message = queue(number.account, to=person("0012"))  # HTTP 500 with code 2, then taken
    drain()
    assert (status_of(message), meta.ledger()) == ("retrying", [])
    let_time_pass(number.account)
    drain()
    assert reaches(message, "read").attempts == 2
    assert len(meta.ledger(message)) == 1
    assert history(message) == ["queued", "retrying", "sent", "delivered", "read"]


def test_a_refusal_that_goes_on_ends_with_metas_number_and_promises_nothing(meta, number):
    meta.options(error_500_before=100)
    message = queue(number.account)
    for _ in range(outcomes.MAX_ATTEMPTS):
        Number.objects.update(breaker_open_since=None, paused_until=None)
        drain()
        let_time_pass(number.account)
    final = row(message)
    assert (final.status, final.failure, final.error_code) == ("failed", "api_service", 2)
    assert final.error_detail["http_status"] == 500
    assert not [word for word in PROMISES if word in final.error_message]


def test_a_number_for_which_meta_only_says_that_it_is_down_has_its_breaker_opened(meta, number):
    meta.options(error_500_before=100)
    for _ in range(5):
        queue(number.account)
    drain()
    assert Number.objects.get(pk=number.pk).breaker_open_since is not None


@pytest.mark.parametrize(
    ("digits", "code", "http_status"),
    [
        ("0028", 131000, 500),  # it says that something went wrong, not when
        ("0013", None, 503),  # HTML
        ("0016", None, None),  # no answer at all
    ],
)
def test_an_outcome_that_stays_unknown_keeps_what_meta_answered(meta, number, digits, code, http_status):
    know_template(number, "AUTHENTICATION")
    meta.options(callback_loss=100)
    message = queue(number.account, to=person(digits))
    drain()
    waiting = shown(number.account, message.pk)
    assert (waiting["status"], waiting["errorCode"], waiting["errorMessage"]) == ("processing", None, None)
    let_time_pass(number.account)
    drain()
    final = row(message)
    assert (final.status, final.failure, final.error_code) == ("failed", "outcome_unknown", code)
    assert (final.error_detail or {}).get("http_status") == http_status
    assert "may or may not have arrived" in final.error_message
    assert (f"HTTP {http_status}" in final.error_message) is (http_status is not None)
    assert final.events.get(status="failed").detail == {
        "code": code,
        "failure": "outcome_unknown",
        "message": final.error_message,
    }


def test_what_was_answered_is_forgotten_when_the_message_was_taken_after_all(meta, number):
    meta.options(callback_loss=100)
    message = queue(number.account, to=person("0028"))
    drain()
    assert row(message).error_detail["http_status"] == 500
    says(number, status_for(message, "delivered", wamid=meta.ledger(message)[0].wamid))
    final = row(message)
    assert (final.status, final.error_detail, final.error_code) == ("delivered", None, None)


@pytest.mark.parametrize("code", [131016, 131056, 130429, 131057, 2, 4, 80007, 131031, 190])
def test_a_report_of_failure_promises_nothing(meta, number, code):
    meta.options(callback_loss=100)
    message = queue(number.account)
    drain()
    errors = [{"code": code, "title": "No", "error_data": {"details": "Meta's own words."}}]
    says(number, status_for(message, "failed", errors=errors))
    final = Message.objects.get(pk=message.pk)
    assert (final.status, final.error_code) == ("failed", code)
    assert not [word for word in PROMISES if word in final.error_message]
