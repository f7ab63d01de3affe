"""Idempotency: one answer per key, stored in the transaction of what it speaks of.

    with idempotency.first(account, key, fingerprint) as request:
        if request.is_first:
            …  # the transaction has begun, and ends with this block
            request.respond(202, data)
    request.answer  # this one's, or the one that the first of its twins got

A key in use is an uncommitted row with the same unique key, so Postgres itself makes the second request
wait for the first. If the first commits, the second replays its answer; if it fails, crashes or is
killed, the row never existed and the second is the first.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import OperationalError, transaction
from psycopg.errors import LockNotAvailable

from accounts.models import Account
from core import redis as our_redis
from core.correlation import correlation_id
from core.errors import Refusal, invalid
from core.sql import rows

#: printable ASCII, as a header can carry it (W34)
_KEY = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?")
LONGEST_KEY = 255
LIFETIME_HOURS = 24
#: how long a twin waits for the request that came first
WAIT_MILLISECONDS = 2_000

# How long a twin waits is set by the very statement that waits, and taken back by it once the key is ours.
_CLAIM = """
WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', %s, true))
INSERT INTO messaging_idempotencykey AS k (account_id, key, fingerprint, correlation_id, created_at)
SELECT %s::uuid, %s::text, %s::bytea, %s::text, now() FROM patience
ON CONFLICT (account_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, correlation_id = excluded.correlation_id, created_at = now(),
    status = NULL, body = NULL
WHERE k.created_at < now() - make_interval(hours => %s)
RETURNING id, set_config('lock_timeout', '0', true)
"""
_GIVEN = """
SELECT fingerprint, status, body, correlation_id FROM messaging_idempotencykey
WHERE account_id = %s AND key = %s AND created_at >= now() - make_interval(hours => %s)
"""
_ANSWERED = """
UPDATE messaging_idempotencykey SET status = %s, body = %s WHERE account_id = %s AND key = %s
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back, byte for byte; ``replayed`` when it was given before."""

    status: int
    body: bytes
    replayed: bool = False

    @property
    def data(self) -> Any:
        """Return what the body says."""
        return orjson.loads(self.body)


_NONE = Answer(0, b"")


@dataclass(slots=True)
class Request:
    """A request in its transaction: ``is_first``, to be answered with ``respond``, or answered before."""

    is_first: bool = True
    answer: Answer = _NONE

    def respond(self, status: int, data: dict[str, Any]) -> None:
        """Give the answer, which every twin of the next 24 hours gets as well."""
        self.answer = Answer(status, orjson.dumps(data))


def checked_key(text: str | None) -> str | None:
    """Return the key to use, None when none was given. Raises ``Invalid`` for an unusable one."""
    if text is None:
        return None
    if not _KEY.fullmatch(text):
        raise invalid("Idempotency-Key", "Must be 1 to 255 printable ASCII characters.")
    return text


def any_key(text: str | None) -> str | None:
    """Return the key to use where any text of 1 to 255 characters is one; None for none, or an empty one.

    Raises ``Invalid`` for a longer one and for control characters (J35).
    """
    if text is None or not text.strip():
        return None
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode()  # as a header's bytes were meant
    if len(text) > LONGEST_KEY or not text.isprintable():
        raise invalid("Idempotency-Key", f"Must be 1 to {LONGEST_KEY} printable characters.")
    return text


def rehearsed(key: str) -> str:
    """Return the key as a test key uses it: a rehearsal must not answer for the real send after it.

    No header can carry what is returned here, so it meets no other key.
    """
    return f"\x7ftest {hashlib.sha256(key.encode()).hexdigest()}"


def fingerprint(method: str, path: str, body: dict[str, Any]) -> bytes:
    """Return what makes two requests the same: method, path and body, whatever its key order (W32)."""
    canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(f"{method} {path}\n".encode() + canonical).digest()


@contextmanager
def first(account: Account, key: str | None, print_: bytes, *, tell_first: bool = False) -> Iterator[Request]:
    """Begin the transaction of a request; with a key, it is the first one at most once in 24 hours.

    ``tell_first``: a twin that waited in vain is told the correlation id of the request that works on it.

    Whatever is raised inside leaves the key unused (W31). Raises ``Refusal``: ``idempotency_mismatch``
    when the key was used with another request, ``idempotency_in_progress`` when the first one takes long.
    """
    with transaction.atomic():
        earlier = None if key is None else _claim(account, key, print_)
        request = Request() if earlier is None else Request(is_first=False, answer=earlier)
        if tell_first and key is not None and request.is_first:
            _note_first(account, key)
        yield request
        answer = request.answer
        assert answer is not _NONE, "a first request is answered in its transaction"
        if key is not None and request.is_first:
            rows(_ANSWERED, [answer.status, answer.body, account.pk, key])


def given(account: Account, key: str, print_: bytes) -> Answer | None:
    """Return the answer that this very request got in the last 24 hours; None when it got none.

    Raises ``Refusal`` (``idempotency_mismatch``) when another request got one.
    """
    found = rows(_GIVEN, [account.pk, key, LIFETIME_HOURS])
    if not found:
        return None
    stored, status, body, original = found[0]
    if bytes(stored) != print_:
        raise Refusal(
            "idempotency_mismatch",
            "This Idempotency-Key was used with a different request.",
            original_correlation_id=original,
        )
    return Answer(status, bytes(body), replayed=True)


# The first one's row is not committed, so nobody else can read it; Redis tells who it is.
_NOTE = "redis.call('SET', KEYS[1], ARGV[1], 'EX', 60) return {}"
_TELL = "return {redis.call('GET', KEYS[1])}"


def _place(account: Account, key: str) -> str:
    return f"hermod:first:{account.pk}:{hashlib.sha256(key.encode()).hexdigest()}"


def _note_first(account: Account, key: str) -> None:
    with suppress(our_redis.RedisUnavailable):
        our_redis.evaluate(_NOTE, [_place(account, key)], [correlation_id()])


def _first(account: Account, key: str) -> str | None:
    try:
        found = our_redis.evaluate(_TELL, [_place(account, key)], [])
    except our_redis.RedisUnavailable:
        return None
    return found[0].decode() if found and found[0] else None


def _claim(account: Account, key: str, print_: bytes) -> Answer | None:
    """Take the key, or return the answer that it has."""
    patience = str(WAIT_MILLISECONDS)
    try:
        taken = rows(_CLAIM, [patience, account.pk, key, print_, correlation_id(), LIFETIME_HOURS])
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise Refusal(
                "idempotency_in_progress",
                "A request with this Idempotency-Key is still being processed.",
                retry_after=1,
                original_correlation_id=_first(account, key),
            ) from None
        raise
    return None if taken else given(account, key, print_)
