"""Fields of a request, read by hand: quick, strict about types, with every fault named at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from core import moments
from core.errors import FieldError, Invalid
from core.http.lookalikes import Shape

#: contract 1.3: country code and number, ASCII digits only
PHONE = re.compile(r"[1-9][0-9]{6,14}")
#: a number as WhatsApp itself writes one, also of few digits
WA_ID = re.compile(r"[0-9]{5,20}")
#: a UUID as we write it, in either case
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)?"
)


class Fields:
    """The fields of one JSON object; faults are collected and raised together by ``done``.

    ``prefix`` is put before each name (``messages[3].``). Unknown fields are ignored (W7), but for those
    that ``refuse_lookalikes`` finds.
    """

    def __init__(self, data: Mapping[str, Any], prefix: str = "") -> None:
        self.data = data
        self.prefix = prefix
        self.faults: list[FieldError] = []

    def fault(self, name: str, message: str) -> None:
        """Note that a field is wrong."""
        self.faults.append(FieldError(self.prefix + name, message))

    def given(self, name: str) -> bool:
        """Tell whether the field is there and not null."""
        return self.data.get(name) is not None

    def text(
        self, name: str, *, required: bool = False, longest: int = 1_000, blank: bool = False
    ) -> str | None:
        """Read a string of 1 to ``longest`` characters (code points)."""
        value = self.data.get(name)
        if value is None:
            if required:
                self.fault(name, "This field is required.")
            return None
        if not isinstance(value, str):
            self.fault(name, "Must be a string.")
            return None
        if not blank and not value.strip():
            self.fault(name, "Must not be empty.")
            return None
        if len(value) > longest:
            self.fault(name, f"Must be at most {longest} characters; this has {len(value)}.")
            return None
        return value

    def flag(self, name: str, *, alias: str = "") -> bool:
        """Read a boolean, under either of its names; absent is False."""
        value, other = self.data.get(name), self.data.get(alias) if alias else None
        for one, given in ((name, value), (alias, other)):
            if given is not None and not isinstance(given, bool):
                self.fault(one, "Must be true or false.")
                return False
        if value is not None and other is not None and value != other:
            self.fault(alias, f"Is another name for {name}, which says the opposite. Send one of them.")
        return bool(value or other)

    def whole(self, name: str, *, least: int, most: int) -> int | None:
        """Read a whole number between two bounds."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.fault(name, f"Must be a whole number from {least} to {most}.")
            return None
        return value

    def choice(self, name: str, words: Sequence[str]) -> str | None:
        """Read one of a few words."""
        value = self.data.get(name)
        if value is None:
            return None
        if value not in words:
            self.fault(name, f"Must be one of: {', '.join(words)}.")
            return None
        return str(value)

    def mapping(self, name: str) -> dict[str, Any] | None:
        """Read an object."""
        value = self.data.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(name, "Must be an object.")
            return None
        return value

    def phone(self, name: str) -> str:
        """Read a required number as the document writes it: digits only, no plus."""
        value = self.text(name, required=True, longest=100)
        if value is None:
            return ""
        if not PHONE.fullmatch(value):
            self.fault(
                name,
                "Must be a phone number in E.164 format without the plus: country code and number, "
                "7 to 15 digits, for example 14155552671.",
            )
        return value

    def zone(self, name: str) -> ZoneInfo | None:
        """Read the name of an IANA time zone."""
        value = self.text(name, longest=100)
        if value is None:
            return None
        try:
            return moments.zone_named(value)
        except moments.Unclear as why:
            self.fault(name, str(why))
            return None

    def moment(self, name: str, zone: ZoneInfo | None = None) -> datetime | None:
        """Read an ISO 8601 date and time; without an offset it is a time in ``zone``, else UTC (W8)."""
        value = self.text(name, longest=40)
        if value is None:
            return None
        try:
            if not _MOMENT.fullmatch(value):
                raise ValueError
            moment = datetime.fromisoformat(value.upper())
            if zone is not None:
                moment = moments.placed(moment, zone)
            moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except moments.Unclear as why:
            self.fault(name, str(why))
            return None
        except (ValueError, OverflowError):
            self.fault(name, "Must be an ISO 8601 date and time, for example 2026-05-01T09:00:00Z.")
            return None
        return moment

    def refuse_lookalikes(self, shape: Shape) -> None:
        """Note the fields that are nearly one whose silence would do harm (``core.http.lookalikes``)."""
        for name, said in shape.misses(self.data):
            self.fault(name, said)

    def done(self) -> None:
        """Raise ``Invalid`` with everything that was wrong, if anything was."""
        if self.faults:
            raise Invalid(self.faults)
