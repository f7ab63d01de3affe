"""Lookup of the templates that a send names: in the database, from Meta if need be.

A step of its own, before the transaction that accepts a send: nobody waits for Meta in there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from accounts.models import Account, Number
from messaging.compose.approved import MEDIA, Approved, read
from messaging.compose.drafts import Draft, FilledTemplate, RawTemplate
from messaging.compose.template import fill, fill_unknown
from messaging.message_templates import samples as template_samples
from messaging.message_templates import store as template_store
from messaging.models import Template
from messaging.queue.accept import Origin, sender_of


def fill_all(origin: Origin, drafts: Sequence[Draft]) -> list[Draft]:
    """Turn the filled templates among drafts into Meta's components; not inside a transaction.

    A template, or its header's own file, that is not here is asked of Meta, at most as often as is polite.
    Without it the draft is filled as well as can be, and Meta decides (contract J11).

    Raises the ``Refusal`` of the first draft whose values do not fit, and what ``sender_of`` raises: for a
    send that is refused anyway Meta is not asked.
    """
    filled = [draft.what for draft in drafts if isinstance(draft.what, FilledTemplate)]
    if not filled:
        return list(drafts)
    number = sender_of(origin, drafts)
    if number is None:
        shelf = _Shelf({}, {}, {})
    else:
        shelf = _look(origin.account, number, filled)
        if _fetched(number, shelf, filled):
            shelf = _look(origin.account, number, filled)
    return [
        replace(draft, what=shelf.fill(draft.what)) if isinstance(draft.what, FilledTemplate) else draft
        for draft in drafts
    ]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The templates that are here by name and language; by id their parts, and their headers' own files."""

    known: Mapping[tuple[str, str], Template]
    parts: Mapping[uuid.UUID, Approved]
    samples: Mapping[uuid.UUID, dict[str, str]]

    def fill(self, what: FilledTemplate) -> RawTemplate:
        row = self.known.get((what.name, what.language))
        if row is None:
            return fill_unknown(what)
        return fill(what, self.parts[row.pk], self.samples.get(row.pk))

    def lacks_sample(self, what: FilledTemplate, row: Template) -> bool:
        wanted = self.parts[row.pk].header_format in MEDIA and what.header_media_url is None
        return wanted and "id" not in self.samples.get(row.pk, {})


def _look(account: Account, number: Number, filled: Iterable[FilledTemplate]) -> _Shelf:
    known = template_store.find(account.pk, number.waba_id, {(what.name, what.language) for what in filled})
    parts = {row.pk: read(row.components, row.parameter_format) for row in known.values()}
    return _Shelf(known, parts, template_samples.of(number, parts))


def _fetched(number: Number, shelf: _Shelf, filled: Iterable[FilledTemplate]) -> bool:
    """Ask Meta for the first thing that is missing, and for no more: a caller waits. Tells whether it did."""
    if not number.waba_id:
        return False
    for what in filled:
        row = shelf.known.get((what.name, what.language))
        if row is None:
            template_store.ask_for(number, what.name)
            return True
        if shelf.lacks_sample(what, row):
            template_samples.ensure(number, row)
            return True
    return False
