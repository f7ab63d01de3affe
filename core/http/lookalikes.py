"""Lookalikes: what people write in place of a field whose silence is dangerous.

Unknown fields are ignored (W7), so that a client may be newer than its server. But a rehearsal that goes
out, a message that leaves at once instead of next week or one that is sent twice cannot be called back. What
is nearly the name of such a field, in either dialect's spelling or with a slip of the finger, is therefore
refused and told the right name. So is what was meant to restrict: a key made with ``scope`` would have all
rights, a replay with ``to`` would not end.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

from core.errors import invalid


class Danger(StrEnum):
    """What a field is for whose silence does harm."""

    REHEARSAL = "rehearsal"  # else it is sent for real
    MOMENT = "moment"  # else it is sent at once
    ZONE = "zone"  # else it is sent some hours early or late
    END = "end"  # else it is sent when it is worthless, or a key lives for ever
    ONCE = "once"  # else it is sent twice
    TEMPLATE = "template"  # else a text is sent, or nothing
    FALLBACK = "fallback"  # else the text is refused outside of the 24 hours
    PICTURE = "picture"  # else the sample of the approval is sent
    GRACE = "grace"  # else the old key stops at once
    RIGHTS = "rights"  # else a key may do everything


#: names as ``_bare`` writes them; the first of each line are those whose typing errors count
_NAMES = {
    Danger.REHEARSAL: (
        *("dryrun", "isdryrun", "dryrunmode", "dry", "simulate", "simulated", "simulation", "rehearsal"),
        *("test", "istest", "testmode", "testrun", "testonly", "sandbox", "issandbox", "sandboxmode"),
        *("validateonly", "validationonly", "checkonly"),
    ),
    Danger.MOMENT: (
        *("sendat", "scheduledfor", "scheduleat", "scheduledat", "schedulefor", "schedule", "scheduled"),
        *("scheduletime", "scheduledtime", "scheduledate", "scheduleddate", "scheduledatetime"),
        *("scheduleddatetime", "sendtime", "senddate", "senddatetime", "sendon", "sendafter", "sendlater"),
        *(
            "deliverat",
            "deliveryat",
            "deliverytime",
            "deliverydate",
            "deliverafter",
            "deliveron",
            "notbefore",
        ),
        *("sendin", "sendingtime", "sendingat", "sendingdate", "sendingdatetime", "sendattime", "sendatutc"),
        *("delay", "delayseconds", "delayuntil", "sendwhen"),
    ),
    Danger.ZONE: (
        *("timezone", "tz", "timezoneid", "timezonename", "tzid", "tzname", "zone", "zoneid", "iana"),
        *("ianatimezone", "sendattimezone", "sendattz", "sendatzone", "utcoffset", "timezoneoffset"),
    ),
    Danger.END: (
        *("expiresin", "expirein", "expires", "expiresat", "expireat", "expiry", "expiration", "expireafter"),
        *("expiresafter", "expirytime", "expirationtime", "ttl", "ttlseconds", "timetolive", "messagettl"),
        *("expiresinseconds", "expireseconds", "ttlsec", "ttlsecs", "maxage", "lifetime"),
        *("validity", "validityperiod", "validfor", "validuntil"),
    ),
    Danger.ONCE: (
        *("idempotencykey", "idempotentkey", "idempotency", "idempotencytoken", "idempotencyid"),
        *("xidempotencykey", "dedupekey", "deduplicationkey", "deduplicationid"),
    ),
    Danger.TEMPLATE: (
        *("templatename", "template", "templateid", "templatelanguage", "templatelang", "templatedata"),
        *("templatecomponents", "templateparameters", "templateparams", "templatevariables"),
    ),
    Danger.FALLBACK: ("fallbacktemplate", "fallback", "fallbacktemplatename", "templatefallback"),
    Danger.PICTURE: (
        "headermediaurl",
        "headermedia",
        "headerurl",
        "headerimage",
        "headerimageurl",
        "mediaurl",
    ),
    Danger.GRACE: (
        *("graceseconds", "grace", "graceperiod", "graceperiodseconds", "graceminutes", "overlap"),
        "overlapseconds",
    ),
    Danger.RIGHTS: ("scopes", "scope", "permissions", "permission", "rights", "role", "roles", "readonly"),
}
_DANGERS = {name: danger for danger, names in _NAMES.items() for name in names}
_TYPED = {names[0]: danger for danger, names in _NAMES.items()}
#: harmless words that are one letter away from a dangerous one: members of our own answers
_HARMLESS = frozenset({"sentat"})
_LONGEST = 40

_MEANT = "Not a field here. Did you mean {}?"
#: what stands in the place of a field in the body
HEADER = "Not a field of the body. Did you mean the header Idempotency-Key?"


class Shape:
    """What one kind of request takes.

    ``takes`` are the dangerous fields that it knows, by their right names; ``instead`` is what to say of
    dangers that it has no field for. Of dangers in neither nothing is said. ``aliases`` are taken as well.

    Where fields restrict what is done, ``fields`` are those that are taken, and ``alike`` is what people
    write and the field that they mean; an empty one means that there is none, and ``lacking`` is said.
    """

    def __init__(
        self,
        takes: Mapping[Danger, str],
        instead: Mapping[Danger, str] | None = None,
        *,
        aliases: Iterable[str] = (),
        fields: Iterable[str] = (),
        alike: Mapping[str, str] | None = None,
        lacking: str = "",
    ) -> None:
        self._known = frozenset({*takes.values(), *aliases, *fields})
        self._says = {danger: _MEANT.format(name) for danger, name in takes.items()}
        self._says |= instead or {}
        meant = dict(alike or {}) | {name: name for name in fields}
        self._words = {_bare(word): _MEANT.format(name) if name else lacking for word, name in meant.items()}

    def misses(self, data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Give each field that is nearly one of the shape's, with what to say of it. Null is not given."""
        for name, value in data.items():
            if value is None or name in self._known or len(name) > _LONGEST:
                continue
            said = self._words.get(_bare(name)) if self._words else None
            danger = meant_by(name)
            if said is None and danger is not None:
                said = self._says.get(danger)
            if said is not None:
                yield name, said


@lru_cache(maxsize=4_096)
def meant_by(name: str) -> Danger | None:
    """Return what somebody means who writes this name of a field; None when it is nothing dangerous."""
    if len(name) > _LONGEST:
        return None
    bare = _bare(name)
    found = _DANGERS.get(bare)
    if found is not None or bare in _HARMLESS:
        return found
    return next((danger for word, danger in _TYPED.items() if _one_slip(bare, word)), None)


def refuse_in_address(params: Iterable[str]) -> None:
    """Raise ``Invalid`` for what would be dangerous to overlook and stands in the address of a change."""
    for name in params:
        if meant_by(name) is not None:
            raise invalid(name, "Is not read in the address. Put it into the JSON body.")


def refuse_in_headers(environ: Mapping[str, Any]) -> None:
    """Raise ``Invalid`` for a header that is nearly Idempotency-Key where that is missing, or a rehearsal."""
    once = "HTTP_IDEMPOTENCY_KEY" in environ
    for name in environ:
        if not name.startswith("HTTP_"):
            continue
        danger = meant_by(name[5:].removeprefix("X_"))
        header = name[5:].replace("_", "-").title()
        if danger is Danger.ONCE and not once:
            raise invalid(header, "Not a header here. Did you mean Idempotency-Key?")
        if danger is Danger.REHEARSAL:
            raise invalid(header, "Is not read as a header. Put dry_run into the JSON body.")


def _bare(name: str) -> str:
    """Write a name without case, underscores, dashes and what cannot be seen."""
    return "".join(char for char in unicodedata.normalize("NFKC", name).casefold() if char.isalnum())


def _one_slip(typed: str, word: str) -> bool:
    """Tell whether two words differ by one letter: left out, doubled, wrong, or swapped with the next."""
    if abs(len(typed) - len(word)) > 1 or typed == word:
        return False
    start = next((at for at, pair in enumerate(zip(typed, word, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return True  # one is the other with a letter at its end
    left, right = typed[start:], word[start:]
    if len(left) != len(right):
        return left[1:] == right if len(left) > len(right) else left == right[1:]
    return left[1:] == right[1:] or (left[1::-1] == right[:2] and left[2:] == right[2:])


#: one message of the API without a version
SEND = Shape(
    {
        Danger.REHEARSAL: "dry_run",
        Danger.MOMENT: "sendAt",
        Danger.ZONE: "timezone",
        Danger.END: "expiresIn",
        Danger.TEMPLATE: "template",
        Danger.FALLBACK: "fallbackTemplate",
    },
    {Danger.ONCE: HEADER},
    aliases=("dryRun",),
)
_EACH = "Belongs into each message. Did you mean messages[].{}?"
#: around the messages of a bulk
BULK = Shape(
    {},
    {
        Danger.REHEARSAL: _EACH.format("dry_run"),
        Danger.MOMENT: _EACH.format("sendAt"),
        Danger.ZONE: _EACH.format("timezone"),
        Danger.END: _EACH.format("expiresIn"),
        Danger.TEMPLATE: _EACH.format("template"),
        Danger.FALLBACK: _EACH.format("fallbackTemplate"),
        Danger.ONCE: HEADER,
    },
)
_BESIDE = "Belongs beside this object, not into it. Did you mean {}?"
#: inside of a message's template
INSIDE = Shape(
    {},
    {
        Danger.REHEARSAL: _BESIDE.format("dry_run"),
        Danger.MOMENT: _BESIDE.format("sendAt"),
        Danger.ZONE: _BESIDE.format("timezone"),
        Danger.END: _BESIDE.format("expiresIn"),
        Danger.ONCE: HEADER,
    },
)
_AT_ONCE = "Not a field here: this address sends at once. Did you mean sendAt of POST /send-message?"
_FOR_LONG = "Not a field here. Did you mean expiresIn of POST /send-message?"
#: the set-up's test message
TRY = Shape(
    {Danger.REHEARSAL: "dry_run"},
    {Danger.MOMENT: _AT_ONCE, Danger.END: _FOR_LONG, Danger.ONCE: HEADER},
    aliases=("dryRun",),
)
#: sending a failed message again, as it is
AGAIN = Shape(
    {},
    {
        Danger.REHEARSAL: "A message is sent again as it was: a real one for real. Leave this out.",
        Danger.MOMENT: "A message is sent again at once. Leave this out.",
        Danger.END: "A message is sent again as it was. Leave this out.",
        Danger.ONCE: HEADER,
    },
)
#: one message under /v1
SEND_V1 = Shape(
    {Danger.REHEARSAL: "dry_run", Danger.TEMPLATE: "template"},
    {
        Danger.MOMENT: _AT_ONCE,
        Danger.END: _FOR_LONG,
        Danger.ONCE: HEADER,
        Danger.FALLBACK: "Not a field here. Did you mean fallbackTemplate of POST /send-message?",
        Danger.PICTURE: "Belongs into the template. Did you mean template.header_media_url?",
    },
    aliases=("dryRun",),
)
#: inside of a message's text or template under /v1
INSIDE_V1 = Shape(
    {Danger.PICTURE: "header_media_url"},
    {
        Danger.REHEARSAL: _BESIDE.format("dry_run"),
        Danger.MOMENT: _AT_ONCE,
        Danger.END: _FOR_LONG,
        Danger.ONCE: HEADER,
    },
)
#: what changes a template at Meta
MANAGE_V1 = Shape(
    {},
    {
        Danger.REHEARSAL: "This changes the template at Meta; there is no rehearsal of it. "
        "POST /v1/whatsapp/templates/lint checks without Meta.",
        Danger.ONCE: HEADER,
    },
)
