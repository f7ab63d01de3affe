"""Envelope of a callback: its bytes, what they say, and what they name; read once and handed along (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from messaging.meta.callbacks import identifier, parse, phone_number_of
from messaging.meta.items import Broken, Item
from messaging.meta.payloads import read_ref

#: bytes of what cannot be read that an operator is shown
_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class Envelope:
    """One callback of Meta's."""

    raw: bytes
    #: the parsed JSON; None when it is unreadable
    body: object
    #: why nothing can be read of the bytes; empty when it can
    unreadable: str
    #: the numbers that it is about
    phone_number_ids: frozenset[str]

    @classmethod
    def of(cls, body: object, *, raw: bytes = b"") -> Self:
        """Look through a parsed body once; never raises."""
        values = (change.get("value") for _, change in _changes(body))
        phones = (phone_number_of(value) for value in values if isinstance(value, Mapping))
        return cls(raw, body, "", frozenset(filter(None, phones)))

    @classmethod
    def sealed(cls, raw: bytes, why: str) -> Self:
        """Return the envelope of bytes that cannot be read."""
        return cls(raw, None, why, frozenset())

    @property
    def waba_ids(self) -> frozenset[str]:
        """The WhatsApp accounts that it is about."""
        named = (identifier(entry.get("id")) for entry, _ in _changes(self.body))
        return frozenset(filter(None, named))

    def refs(self) -> set[str]:
        """Return our own references that its statuses carry; only the receiver asks for these."""
        values = (change.get("value") for _, change in _changes(self.body))
        return {ref for value in values if isinstance(value, Mapping) for ref in _refs(value.get("statuses"))}

    def items(self) -> list[Item]:
        """Return everything the callback says, in its order; never raises."""
        if self.unreadable:
            seen = self.raw[:_SHOWN].decode("utf-8", "replace")
            return [Broken(waba_id=None, phone_number_id=None, reason=self.unreadable, raw=seen)]
        return parse(self.body)


def _changes(body: object) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    entries = body.get("entry") if isinstance(body, Mapping) else None
    for entry in entries if isinstance(entries, list) else []:
        changes = entry.get("changes") if isinstance(entry, Mapping) else None
        for change in changes if isinstance(changes, list) else []:
            if isinstance(change, Mapping):
                yield entry, change


def _refs(statuses: object) -> Iterator[str]:
    for status in statuses if isinstance(statuses, list) else []:
        ref = status.get("biz_opaque_callback_data") if isinstance(status, Mapping) else None
        if isinstance(ref, str) and read_ref(ref):
            yield ref
