"""Meta's error envelope, read without trusting its shape (pure).

Every field may be missing or of another type; ``error_data`` is an object for messages and often a
string for templates. Source: Meta's error reference and recorded answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from core.storable import storable

_TEXT_LIMIT = 2000
"""Characters kept of Meta's texts; they are stored with the message and shown."""

_CODE_PREFIX = re.compile(r"^\(#[0-9]+\)\s*")
_DIGITS = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class ErrorEnvelope:
    """The parts of ``error`` we use; ``details`` is the most specific text Meta gave."""

    code: int | None
    subcode: int | None
    title: str | None
    details: str | None
    fbtrace_id: str | None


def integer(value: object) -> int | None:
    """Return an int below 10**18 from an int or a string of ASCII digits, else ``None``.

    A bool is no number, and larger numbers overflow whatever is computed or stored from them.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**18 else None
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    return None


def error_code(value: object) -> int | None:
    """Return a code of Meta's as ``integer`` does; ``None`` for one that no column of ours could hold."""
    code = integer(value)
    return code if code is None or abs(code) < 2**31 else None


def clean(value: object) -> str | None:
    """Return a non-empty string that a database can store, else ``None``."""
    return storable(value) or None if isinstance(value, str) else None


def text(value: object) -> str | None:
    """Return a short text of Meta's: as ``clean``, trimmed and cut to a length worth storing."""
    found = clean(value)
    return found[:_TEXT_LIMIT].strip() or None if found else None


def error_of(document: object) -> ErrorEnvelope | None:
    """Return the error inside a parsed answer, or ``None`` if there is none."""
    error = document.get("error") if isinstance(document, Mapping) else None
    if isinstance(error, str):
        return ErrorEnvelope(None, None, text(error), None, None)
    if not isinstance(error, Mapping):
        return None
    message = text(error.get("message"))
    return ErrorEnvelope(
        code=error_code(error.get("code")),
        subcode=error_code(error.get("error_subcode")),
        title=text(_CODE_PREFIX.sub("", message)) if message else None,
        details=_details(error),
        fbtrace_id=text(error.get("fbtrace_id")),
    )


def _details(error: Mapping[str, object]) -> str | None:
    data = error.get("error_data")
    if isinstance(data, Mapping):
        found = text(data.get("details"))
        if found:
            return found
    parts = [text(error.get("error_user_title")), text(error.get("error_user_msg"))]
    said = ": ".join(part for part in parts if part)
    return said or text(data)


def document_of(raw: bytes) -> object:
    """Return the JSON in ``raw``, or ``None`` when it is none (HTML from an edge server, half an answer).

    Its texts can be stored. Half a surrogate pair in a name that Meta repeats to us must not turn a message
    that was accepted into one of unknown outcome.
    """
    try:
        found = orjson.loads(raw)
    except ValueError:
        try:
            return _storable(json.loads(raw.decode("utf-8-sig", "replace"), parse_constant=str))
        except (ValueError, RecursionError):
            return None
    return _storable(found) if b"\\u0000" in raw else found


def _storable(value: object) -> object:
    if isinstance(value, str):
        return clean(value) or ""
    if isinstance(value, dict):
        return {clean(key) or "": _storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    return value
