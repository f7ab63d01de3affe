"""Moments: which one a local time in a time zone means, where it means exactly one."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cache

#: what a system's folder holds beside the zones: this machine's own, and a placeholder
_NO_ZONES = ("localtime", "posixrules", "Factory")


class Unclear(Exception):
    """A local time or a zone that cannot be taken; its text is a sentence that says what can."""


@cache
def zones() -> frozenset[str]:
    """Return the names of the IANA time zones."""
    return frozenset(zoneinfo.available_timezones().difference(_NO_ZONES))


def zone_named(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone. Raises ``Unclear``."""
    if name in zones():
        return zoneinfo.ZoneInfo(name)
    # The last part is what people know: "Berlin", "europe/berlin", "New York".
    typed = name.strip().replace(" ", "_").casefold()
    ends = {zone.rpartition("/")[2].casefold(): zone for zone in sorted(zones(), reverse=True)}
    close = get_close_matches(typed.rpartition("/")[2], ends, n=1, cutoff=0.8)
    meant = f" Did you mean {ends[close[0]]}?" if close else ""
    raise Unclear(f"Must be the name of an IANA time zone, for example Europe/Berlin.{meant}")


def placed(moment: datetime, zone: zoneinfo.ZoneInfo) -> datetime:
    """Return the moment (UTC) at which clocks in ``zone`` show a time.

    A time that has an offset is that moment already; one other than UTC must be the zone's own, because a
    fixed offset beside a zone is how an appointment slips by an hour in summer. Raises ``Unclear``.
    """
    if moment.tzinfo is not None:
        there = moment.astimezone(zone)
        if moment.utcoffset() and moment.utcoffset() != there.utcoffset():
            raise Unclear(
                f"The offset is not that of {zone.key}, where it is {_written(there)} then. "
                f"Leave out the offset or the time zone."
            )
        return moment.astimezone(UTC)
    # PEP 495: the first and the second reading of a time that the clocks show twice or leap over
    first, second = (moment.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first.astimezone(UTC)
    one, other = sorted(each.astimezone(UTC) for each in (first, second))
    why = "shows this time twice" if one == first.astimezone(UTC) else "leaps over this time"
    choices = " or ".join(_written(each.astimezone(zone)) for each in (one, other))
    raise Unclear(f"The clock in {zone.key} {why}. Write {choices}.")


def _written(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat()
