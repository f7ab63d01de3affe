"""Identifiers: version 7 UUIDs and ULIDs that sort by the time they were made."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from core.ids import ulid, uuid7

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@pytest.fixture
def clock(monkeypatch):
    """The clock, in milliseconds, moved by the test."""
    now = [1_700_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: now[0] * 1_000_000)
    return now


def test_a_uuid7_says_its_version_and_variant():
    for _ in range(200):
        made = uuid7()
        assert made.version == 7
        assert made.variant == uuid.RFC_4122


def test_a_uuid7_begins_with_the_millisecond_it_was_made_in():
    before = time.time_ns() // 1_000_000
    made = uuid7()
    after = time.time_ns() // 1_000_000
    assert before <= made.int >> 80 <= after


def test_uuid7s_of_different_milliseconds_sort_by_time(clock):
    made = []
    for step in (0, 1, 1, 5, 1_000, 10**9):
        clock[0] += step + 1
        made.append(uuid7())
    assert made == sorted(made)
    assert [str(one) for one in made] == sorted(str(one) for one in made)


def test_uuid7s_of_one_millisecond_sort_by_the_order_they_were_made_in(clock):
    """The docstring's promise that ``ORDER BY id`` is the order of acceptance holds for a bulk too."""
    made = [uuid7() for _ in range(200)]
    assert made == sorted(made)


def test_no_two_uuid7s_are_alike(clock):
    assert len({uuid7() for _ in range(10_000)}) == 10_000


def test_a_ulid_is_26_letters_of_crockfords_alphabet():
    for _ in range(200):
        assert re.fullmatch(f"[0-7][{CROCKFORD}]{{25}}", ulid())


def test_a_ulid_begins_with_the_millisecond_it_was_made_in(clock):
    value = 0
    for letter in ulid():
        value = value * 32 + CROCKFORD.index(letter)
    assert value >> 80 == clock[0]


def test_ulids_of_different_milliseconds_sort_by_time(clock):
    made = []
    for step in (1, 1, 31, 32, 1_000_000):
        clock[0] += step
        made.append(ulid())
    assert made == sorted(made)


def test_no_two_ulids_are_alike(clock):
    assert len({ulid() for _ in range(10_000)}) == 10_000
