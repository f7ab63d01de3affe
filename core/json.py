"""The strict JSON reader used by both APIs.

Rules (see docs/decisions.md): UTF-8 without a byte order mark, an object at the top, at most 16 levels,
no repeated key, no NaN or Infinity, no number of more than 20 digits, no NUL and no lone surrogate in
a string. Two parsers that read one text differently are how attacks slip through, so a doubtful text
is refused with the place of the fault instead of being repaired. What a text would cost is counted in its
bytes before any value is made of it.

What Meta or Stripe has signed is another matter: see ``core.json_signed``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from core.errors import Invalid, invalid

MAX_DEPTH = 16
MAX_KEYS = 1_000
#: values in all lists and objects together; a body of the usual size cannot have more
MAX_VALUES = 100_000
MAX_DIGITS = 20
#: numbers are kept exactly, so they must fit where they are kept: a signed 64-bit integer's range, which
#: a fraction shares (the database writes a large one out in digits and would give it back as an integer)
LARGEST = 2**63 - 1

#: bytes that are cut into strings and what is between them at a time: each piece costs memory
_AT_ONCE = 64 * 1024
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def read_object(raw: bytes, *, max_keys: int = MAX_KEYS, max_values: int = MAX_VALUES) -> dict[str, Any]:
    """Parse ``raw`` into a dict.

    ``max_keys`` bounds the keys of all objects together, ``max_values`` the values of all lists and
    objects. Raises ``Invalid`` with the field that is at fault (an empty field name means the body as a
    whole).
    """
    if not raw.strip():
        raise invalid("", "The body is empty; send a JSON object.")
    if has_more_values(raw, max_values):
        raise invalid("", f"The body has more than {max_values} values.")
    if is_deeper(raw, MAX_DEPTH):
        raise invalid("", f"The body is nested more than {MAX_DEPTH} levels deep.")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise invalid("", "The body is not valid UTF-8.") from None
    if text.startswith("\ufeff"):
        raise invalid("", "The body starts with a byte order mark; send plain UTF-8.")
    reader = _Reader(max_keys)
    try:
        value = json.loads(
            text,
            object_pairs_hook=reader.pairs,
            parse_constant=reader.constant,
            parse_int=reader.integer,
            parse_float=reader.decimal,
        )
    except json.JSONDecodeError as error:
        raise invalid(
            "", f"The body is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    if not isinstance(value, dict):
        raise invalid("", "The body must be a JSON object.")
    if b"\\u" in raw:  # only an escape can smuggle a NUL or half a surrogate pair past the decoder
        _refuse_bad_characters(value, "")
    return value


def has_more_values(raw: bytes, most: int) -> bool:
    """Tell whether the lists and objects of a JSON text hold more than ``most`` values in all.

    It is not read for that: a body that would cost too much is refused for the price of looking at it.
    """
    # Every value but the first of a list or an object stands behind a comma. Most texts have too few commas,
    # those in strings counted, to need a closer look; and some too many strings to deserve one.
    if _separators(raw) <= most:
        return False
    strings = (raw.count(b'"') - raw.count(b'\\"')) // 2  # at least; half of them may be keys
    return strings > 2 * most or sum(map(_separators, _outside_strings(raw))) > most


def is_deeper(raw: bytes, most: int) -> bool:
    """Tell whether a JSON text is nested more than ``most`` levels deep; of no JSON it may say either."""
    if raw.count(b"[") + raw.count(b"{") <= most:
        return False
    left = b"".join(piece.translate(_SQUARE, _NO_BRACKETS) for piece in _outside_strings(raw))
    for _ in range(most):  # each round takes away the innermost level
        shorter = left.replace(b"[]", b"")
        if len(shorter) == len(left):
            return left.count(b"[") > most  # brackets that nothing closes
        left = shorter
    return b"[" in left


def _outside_strings(raw: bytes) -> Iterator[bytes]:
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    inside = 0
    for start in range(0, len(plain), _AT_ONCE):
        parts = plain[start : start + _AT_ONCE].split(b'"')
        yield b"".join(parts[inside::2])
        inside ^= (len(parts) - 1) & 1


def _separators(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


class _Reader:
    def __init__(self, max_keys: int) -> None:
        self.keys_left = max_keys

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.keys_left -= len(pairs)
        if self.keys_left < 0:
            raise invalid("", "The body has too many keys.")
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise invalid(_printable(twice), "This key is given twice.")
        return result

    def constant(self, name: str) -> Any:
        raise invalid("", f"{name} is not JSON.")

    def integer(self, digits: str) -> int:
        _refuse_long(digits)
        value = int(digits)
        _refuse_large(value)
        return value

    def decimal(self, digits: str) -> float:
        _refuse_long(digits)
        value = float(digits)
        _refuse_large(value)
        return value


def _refuse_large(value: float) -> None:
    if not -LARGEST <= value <= LARGEST:
        raise invalid("", f"A number in the body is out of range; the largest is {LARGEST}.")


def _refuse_long(digits: str) -> None:
    # Only the significant part: an exponent cannot be long without being out of range.
    significant = digits.lower().partition("e")[0].lstrip("-0.")
    if sum(char.isdigit() for char in significant) > MAX_DIGITS:
        raise invalid("", f"A number in the body has more than {MAX_DIGITS} digits.")


def _refuse_bad_characters(value: Any, path: str) -> None:
    if isinstance(value, str):
        problem = character_problem(value)
        if problem:
            raise invalid(path, problem)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if character_problem(key):
                raise Invalid([*invalid(path, "A key contains a character that cannot be stored.").fields])
            _refuse_bad_characters(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_bad_characters(inner, f"{path}[{index}]")


def character_problem(text: str) -> str | None:
    """Say why ``text`` cannot be stored (NUL, lone surrogate), or return None."""
    if "\x00" in text:
        return "Contains a NUL character."
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return "Contains half of a surrogate pair."
    return None


def _printable(key: str) -> str:
    return key.encode("utf-8", "backslashreplace").decode()[:100]
