"""The published schedule and the meaning of answers, as pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from webhooks.outgoing.schedule import ATTEMPTS, DELAYS, JITTER, judge, seconds_of

NOW = datetime(2026, 5, 1, 9, 0, tzinfo=UTC)


def test_the_delays_are_the_published_ones():
    assert DELAYS == (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    assert timedelta(seconds=sum(DELAYS)) == timedelta(hours=75, minutes=35, seconds=5)
    assert ATTEMPTS == 10


@pytest.mark.parametrize("tried", range(1, 10))
def test_each_delay_has_a_tenth_of_jitter(tried):
    waits = [judge(500, tried=tried).retry_in for _ in range(200)]
    assert all(DELAYS[tried - 1] * (1 - JITTER) <= wait <= DELAYS[tried - 1] * (1 + JITTER) for wait in waits)
    assert len(set(waits)) > 100


def test_the_tenth_failure_is_the_last():
    assert judge(500, tried=10).retry_in is None
    assert judge(None, tried=10).retry_in is None


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_counts_as_received(status):
    verdict = judge(status, tried=1)
    assert verdict.arrived
    assert verdict.retry_in is None


@pytest.mark.parametrize("status", [None, 100, 199, 301, 302, 307, 400, 401, 404, 408, 418, 500, 502, 600])
def test_everything_else_is_tried_again(status):
    verdict = judge(status, tried=1)
    assert not verdict.arrived
    assert 4.5 <= verdict.retry_in <= 5.5
    assert not verdict.gone


def test_410_ends_it():
    verdict = judge(410, tried=1)
    assert verdict.gone
    assert verdict.retry_in is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_endpoint_is_left_alone_for_as_long_as_it_asks(status):
    verdict = judge(status, tried=1, retry_after="120", now=NOW)
    assert verdict.pause == 120
    assert verdict.retry_in == 120
    assert judge(status, tried=1, retry_after="999999999999", now=NOW).pause == 3600
    assert judge(status, tried=1, retry_after="999999999999", now=NOW).retry_in == 86400
    assert judge(status, tried=4, retry_after="1", now=NOW).retry_in > 6000


def test_other_answers_may_put_off_only_themselves():
    verdict = judge(500, tried=1, retry_after="60", now=NOW)
    assert (verdict.retry_in, verdict.pause) == (60, 0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        (" 7 ", 7),
        (format_datetime(NOW + timedelta(minutes=2), usegmt=True), 120),
        (format_datetime(NOW - timedelta(minutes=2), usegmt=True), 0),
        ("", 0),
        ("soon", 0),
        ("-5", 0),
        ("٣", 0),
        ("1e9", 0),
        ("Fri, 31 Feb 2026 00:00:00 GMT", 0),
    ],
)
def test_retry_after_is_read_in_both_forms_and_nonsense_ignored(text, seconds):
    assert seconds_of(text, NOW) == seconds
