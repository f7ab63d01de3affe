"""Base of the dashboard's pages of messaging: filters of a list, cursors, sending once per form."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from accounts.dashboard.base import ident
from accounts.models import Account
from core.errors import Invalid
from core.jobs.wakeup import wake
from core.json import character_problem
from core.ui.refusal_texts import translated
from messaging.compose.written_numbers import read_number
from messaging.models import Status
from messaging.queue import idempotency
from messaging.reports.reading import Wanted
from messaging.status import words

PAGE = 25

#: what a person may choose, as customers name the statuses
STATUSES = [word for word in dict.fromkeys(map(words.shown, Status.values)) if word != Status.RECEIVED]


def clean(text: str | None, longest: int = 255) -> str:
    """Return a parameter's text, empty when it is too long or has characters that cannot be looked for."""
    text = (text or "").strip()
    return "" if len(text) > longest or character_problem(text) else text


def day(text: str | None) -> date | None:
    """Read a day (YYYY-MM-DD); None when it is none."""
    try:
        return date.fromisoformat((text or "").strip())
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list of messages as they stand in its address. What cannot be read filters nothing."""

    status: str = ""
    search: str = ""
    batch: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, query: QueryDict) -> Filters:
        """Read them from a query string."""
        status = query.get("status", "")
        batch = ident(query.get("batch"))
        since, until = day(query.get("from")), day(query.get("to"))
        return cls(
            status if status in STATUSES else "",
            clean(query.get("q")),
            str(batch) if batch else "",
            since.isoformat() if since else "",
            until.isoformat() if until else "",
        )

    @property
    def any(self) -> bool:
        """Tell whether the list is narrowed at all."""
        return bool(self.status or self.search or self.batch or self.since or self.until)

    def query(self, **more: str) -> str:
        """Write them as a query string, with ``more`` behind."""
        made = QueryDict(mutable=True)
        values = {"status": self.status, "q": self.search, "batch": self.batch}
        values |= {"from": self.since, "to": self.until, **more}
        for name, value in values.items():
            if value:
                made[name] = value
        return made.urlencode()

    def wanted(self) -> Wanted:
        """Say the same to the core; days are the reader's."""
        since, until = day(self.since), day(self.until)
        return Wanted(
            statuses=words.meant(self.status) or None,
            batch_id=ident(self.batch),
            search=self.search or None,
            created_from=_midnight(since) if since else None,
            created_to=_midnight(until + timedelta(days=1)) if until and until < date.max else None,
        )


def _midnight(of: date) -> datetime:
    return timezone.make_aware(datetime.combine(of, time.min))


def new_token() -> str:
    """Return what a form carries so that it counts once, however often its button is pressed."""
    return uuid.uuid4().hex


class OncePerForm:
    """A form that counts once for its token; ``values`` is what it says.

    ``given`` and ``first`` raise ``Refusal`` (``idempotency_mismatch``) when it came before with others.
    """

    def __init__(self, account: Account, token: str, values: dict[str, Any]) -> None:
        self._account = account
        self._key = f"dashboard:{token}" if token.isalnum() and len(token) <= 64 else None
        self._print = idempotency.fingerprint("POST", "/app", values)

    def given(self) -> idempotency.Answer | None:
        """Return what came of the form when it was sent before, if it was."""
        return None if self._key is None else idempotency.given(self._account, self._key, self._print)

    @contextmanager
    def first(self) -> Iterator[idempotency.Request]:
        """Begin the transaction (see ``idempotency.first``); wake the engine after it."""
        with idempotency.first(self._account, self._key, self._print) as request:
            yield request
        if request.is_first:
            wake("messages")


class PhoneField(forms.CharField):
    """A number as people write it; becomes digits with the country code."""

    def clean(self, value: str) -> str:
        """Read the number. Raises ``ValidationError``."""
        try:
            return read_number(super().clean(value))
        except Invalid as why:
            raise forms.ValidationError(translated(why.fields[0].message)) from None
