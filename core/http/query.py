"""Query strings of lists, read as strictly as a body."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime
from zoneinfo import ZoneInfo

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from core.http.fields import ID, Fields
from core.json import character_problem

LIMIT_DEFAULT, LIMIT_MOST = 20, 200
#: how a list is paged by number
PAGES = (
    OpenApiParameter("limit", {"type": "integer", "minimum": 1, "default": LIMIT_DEFAULT}, "query"),
    OpenApiParameter("page", {"type": "integer", "minimum": 1, "default": 1}, "query"),
)
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_PLUS_LOST = re.compile(r"[0-9-]+[Tt][0-9:.]+ [0-9]{2}(:?[0-9]{2})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Query(Fields):
    """The query string of a list, read as strictly as a body."""

    def __init__(self, request: Request) -> None:
        params = request.query_params
        super().__init__({name: params[name] for name in params})
        for name in params:
            if len(params.getlist(name)) > 1:
                self.fault(name, "Is given more than once.")
            elif problem := character_problem(params[name]):
                self.fault(name, problem)

    def number(self, name: str, default: int) -> int:
        """Read a whole number of at least 1."""
        text = self.data.get(name)
        if text is None:
            return default
        if not _WHOLE.fullmatch(text) or int(text) < 1:
            self.fault(name, "Must be a whole number of at least 1.")
            return default
        return int(text)

    def moment(self, name: str, zone: ZoneInfo | None = None) -> datetime | None:
        """Read a moment; a plus before its zone that was not percent-encoded comes as a space."""
        text = self.data.get(name)
        if text and _PLUS_LOST.fullmatch(text):
            self.data = {**self.data, name: "+".join(text.rsplit(" ", 1))}
        return super().moment(name, zone)

    def uuid(self, name: str) -> uuid.UUID | None:
        """Read an id."""
        text = self.data.get(name)
        if text is None:
            return None
        if not ID.fullmatch(text):
            self.fault(name, "Must be an id.")
            return None
        return uuid.UUID(text)

    def day(self, name: str) -> date | None:
        """Read a day, YYYY-MM-DD."""
        text = self.data.get(name)
        if text is None:
            return None
        try:
            if not _DAY.fullmatch(text):
                raise ValueError
            return date.fromisoformat(text)
        except ValueError:
            self.fault(name, "Must be a day, for example 2026-05-01.")
            return None
