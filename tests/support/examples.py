"""Bodies in Meta's shapes, by name: what is sent to it, and what it posts (see tests/data/README.md)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_DATA = Path(__file__).resolve().parent.parent / "data"
#: the number that all callbacks are about
PHONE_NUMBER_ID = "730000000001001"
#: who wrote all inbound messages
PERSON, PERSON_NAME = "14155550137", "Noor Haddad"


def sends() -> dict[str, Any]:
    """Return the bodies of the send call, each read anew."""
    return _read("meta_sends.json")


def callbacks() -> dict[str, Any]:
    """Return the callbacks, each read anew."""
    return _read("meta_callbacks.json")


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_DATA / name).read_bytes())
    return found
