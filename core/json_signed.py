"""Reader of JSON that Meta or Stripe has signed: what is genuine is never refused for its style.

Whoever reports what a stranger wrote is not at fault for the stranger's characters, and any answer but 200
makes the sender repeat the whole callback for days. So everything is read that can be: a byte order mark,
broken UTF-8, a key given twice (the last one counts), NaN, numbers of any length, 64 levels. What is read is
made storable here, once, for all who come after: no NUL and no half of a surrogate pair in any text, and a
number that no column could hold exactly is its digits as text.
"""

from __future__ import annotations

import json
import reprlib
from typing import Any

import orjson

from core.json import LARGEST, has_more_values, is_deeper
from core.storable import storable, storable_json

MAX_DEPTH = 64
_LONGEST_INTEGER = len(str(LARGEST)) + 1


class Unreadable(ValueError):
    """Nothing can be read; the text says why, in words for an operator."""


def read_signed(raw: bytes, *, max_values: int) -> Any:
    """Return the JSON value in ``raw``, storable. Raises ``Unreadable``.

    ``max_values`` bounds the values of all lists and objects together: even who may sign must not fill the
    memory of all.
    """
    if has_more_values(raw, max_values):
        raise Unreadable(f"more than {max_values} values")
    if is_deeper(raw, MAX_DEPTH):
        raise Unreadable(f"nested more than {MAX_DEPTH} levels deep")
    try:
        value = _DECODER.decode(raw.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from None
    # What cannot be stored came as an escape, or as a raw NUL; most texts are spared the walk.
    odd = b"\\u0000" in raw or b"\\ud" in raw or b"\\uD" in raw or b"\x00" in raw
    return storable_json(value) if odd else value


def written(value: object) -> str:
    """Write anything as JSON that can be stored; never fails. What is no JSON is described."""
    try:
        return orjson.dumps(storable_json(value), default=repr).decode()
    except Exception:
        return json.dumps(storable(reprlib.repr(value)))


def _integer(digits: str) -> int | str:
    if len(digits) > _LONGEST_INTEGER:
        return digits
    value = int(digits)
    return value if -LARGEST <= value <= LARGEST else digits


def _decimal(digits: str) -> float | str:
    value = float(digits)
    return value if -LARGEST <= value <= LARGEST else digits


# orjson reads no faster what has few numbers, refuses half a surrogate pair and rounds long numbers.
_DECODER = json.JSONDecoder(strict=False, parse_int=_integer, parse_float=_decimal, parse_constant=str)
