"""Storable text: a stranger's, as Postgres and strict readers of JSON take it, whatever is odd in it."""

from __future__ import annotations

from typing import Any


def storable(text: str) -> str:
    """Return the text without NUL, and with a question mark in the place of half a surrogate pair.

    Both are legal in JSON strings and refused by PostgreSQL.
    """
    if text.isascii():
        return text.replace("\x00", "")
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def storable_json(value: Any) -> Any:
    """Do the same for every text in a JSON value, the names of members too."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(key)): storable_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable_json(inner) for inner in value]
    return value
