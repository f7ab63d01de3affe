"""From values to a template that can be queued: looked up in the database, fetched from Meta if need be.

Filling happens inside the transaction that accepts a send and must not wait for Meta there. So what is
missing is told by an exception, which ends the transaction; the caller fetches it and tries again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from accounts.models import Account, Connection
from messaging.compose.approved import MEDIA, Approved, read
from messaging.compose.drafts import Draft, FilledTemplate
from messaging.compose.template import fill, fill_unknown
from messaging.message_templates import samples as template_samples
from messaging.message_templates import store as template_store
from messaging.models import Template


class NotReady(Exception):
    """A template, or its header's own file, is not here yet but may be had from Meta.

    Call ``fetch`` outside any transaction and queue once more with ``final=True``.
    """

    def __init__(self, number: Connection, name: str, template: Template | None) -> None:
        super().__init__(f"template {name} is not ready")
        self._number = number
        self._name = name
        self._template = template

    def fetch(self) -> None:
        """Ask Meta for what is missing, at most as often as is polite. Never raises."""
        if self._template is None:
            template_store.ask_for(self._number, self._name)
        else:
            template_samples.ensure(self._number, self._template)


def fill_all(
    account: Account, number: Connection | None, drafts: Sequence[Draft], *, final: bool = True
) -> list[Draft]:
    """Turn the filled templates among drafts into Meta's components; touches only the database.

    Raises the ``Refusal`` of the first draft whose values do not fit. Unless ``final``, raises
    ``NotReady`` for the first whose template, or header file, is not here. A final one is filled as well
    as can be without them, and Meta decides (contract J11).
    """
    wanted = {(one.what.name, one.what.language) for one in drafts if isinstance(one.what, FilledTemplate)}
    if not wanted:
        return list(drafts)
    known = template_store.find(account.pk, number.waba_id, wanted) if number else {}
    parts = {row.pk: read(row.components, row.parameter_format) for row in known.values()}
    samples = template_samples.of(number, parts) if number else {}
    made = []
    for draft in drafts:
        what = draft.what
        if isinstance(what, FilledTemplate):
            row = known.get((what.name, what.language))
            if not final and number is not None and number.waba_id:
                sample = samples.get(row.pk, {}) if row else {}
                if row is None or (_wants_sample(what, parts[row.pk]) and "id" not in sample):
                    raise NotReady(number, what.name, row)
            filled = fill_unknown(what) if row is None else fill(what, parts[row.pk], samples.get(row.pk))
            draft = replace(draft, what=filled)
        made.append(draft)
    return made


def _wants_sample(what: FilledTemplate, parts: Approved) -> bool:
    return parts.header_format in MEDIA and what.header_media_url is None
