"""Meta's error codes: what the engine does about each, and what we tell the customer.

Meta asks to decide by ``code`` (and ``error_data.details``), never by title or HTTP status, so the
table comes first and the HTTP status only speaks for codes nobody has documented.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from messaging.meta.code_table import SENDING
from messaging.meta.code_table_management import MANAGEMENT

NO_CODE = -1
"""The code of a ``MetaCode`` when Meta gave none; 0 is a real code of Meta's."""


class Outcome(StrEnum):
    """What the engine does with a message that met this code."""

    RETRY = "retry"  # transient and surely not processed: the same message again, with backoff
    UNKNOWN = "unknown"  # Meta may have processed it: wait for the callback that carries our id
    THROTTLE_NUMBER = "throttle_number"  # surely not processed: slow this number
    THROTTLE_PAIR = "throttle_pair"  # surely not processed: slow this number to this recipient
    THROTTLE_ACCOUNT = "throttle_account"  # surely not processed: slow everything with this token
    HOLD_CREDENTIALS = "hold_credentials"  # token or permission: hold the number, keep its queue
    PAUSE_ACCOUNT = "pause_account"  # restriction, payment, registration: pause until the owner acts
    FAIL = "fail"  # this message can never be sent
    FAIL_TEMPLATE = "fail_template"  # as FAIL, and the template must be read again
    FAIL_RECIPIENT = "fail_recipient"  # as FAIL, because of this recipient


@dataclass(frozen=True, slots=True)
class MetaCode:
    """One code of Meta's with our reading of it.

    ``channel`` is where Meta reports it: ``s`` in the HTTP answer, ``w`` in a callback, ``s/w`` in
    either. ``tells`` is the sentence for the customer: what happened, what to do, who acts.
    ``once_failed`` says the same of a message that has failed for good, where ``tells`` speaks of one that
    waits; ``code`` is ``NO_CODE`` when there was none.
    """

    code: int
    slug: str
    title: str
    outcome: Outcome
    channel: str
    tells: str
    once_failed: str = ""

    @property
    def ended(self) -> str:
        """The sentence for a message that has failed for good; it promises nothing that we would still do."""
        return self.once_failed or self.tells


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a message failed after Meta had accepted it; terminal for that wamid.

    An outcome of ``RETRY`` or ``THROTTLE_…`` here means that a *new* message may succeed. ``title``
    and ``details`` are Meta's own words, or the table's title where Meta sent none.
    """

    meta: MetaCode
    code: int | None
    title: str
    details: str | None


_HEAD = re.compile(r"([0-9]+)(?:-([0-9]+)|/([0-9]+))? ([a-z_]+) ([A-Z_]+) (s|w|s/w) (\S.*)")

_Key = tuple[int, int | None]


def _read(*tables: str) -> tuple[dict[_Key, MetaCode], list[tuple[int, int, MetaCode]]]:
    """Turn the tables' text into codes and ranges; a line that does not parse stops the import."""
    singles: dict[_Key, MetaCode] = {}
    ranges: list[tuple[int, int, MetaCode]] = []
    for table in tables:
        lines = [line for line in table.splitlines() if not line.startswith("#")]
        for entry in re.split(r"\n(?=\S)", "\n".join(lines).strip()):
            head, _, sentence = entry.partition("\n")
            found = _HEAD.fullmatch(head)
            lines = [line.strip() for line in sentence.splitlines() if line.strip()]
            tells = " ".join(line for line in lines if not line.startswith("> "))
            if not found or not tells:
                raise ValueError(f"unreadable entry in the code table: {head!r}")
            once_failed = " ".join(line.removeprefix("> ") for line in lines if line.startswith("> "))
            low, high, subcode, slug, outcome, channel, title = found.groups()
            meta = MetaCode(int(low), slug, title, Outcome[outcome], channel, tells, once_failed)
            key = (int(low), int(subcode) if subcode else None)
            if key in singles:
                raise ValueError(f"the code table has {head!r} twice")
            if high:
                ranges.append((int(low), int(high), meta))
            else:
                singles[key] = meta
    return singles, ranges


_SINGLES, _RANGES = _read(SENDING, MANAGEMENT)
#: "unknown error" and "something went wrong": on a server error nobody knows when it went wrong
_SAYS_NOTHING = frozenset({1, 131000})

# What the HTTP status says when the code says nothing. Only these may be met without a known code.
_THROTTLED = MetaCode(
    NO_CODE,
    "rate_limited",
    "Too many requests",
    Outcome.THROTTLE_NUMBER,
    "s",
    "Meta asks this number to send more slowly. Nothing to do: the message is sent again by itself.",
    "Meta asked this number to send more slowly, and the message has failed for good. Send it again later.",
)
_UNAUTHORISED = MetaCode(
    NO_CODE,
    "credentials_refused",
    "Unauthorized",
    Outcome.HOLD_CREDENTIALS,
    "s",
    "Meta did not accept the access token of this number. Create a new system user token in Meta "
    "Business Settings and save it here; waiting messages then go out.",
    "Meta did not accept the access token of this number, and the message has failed. Create a new system "
    "user token in Meta Business Settings, save it here and send the message again.",
)
_FORBIDDEN = MetaCode(
    NO_CODE,
    "permission_refused",
    "Forbidden",
    Outcome.HOLD_CREDENTIALS,
    "s",
    "Meta does not allow this access token to use this number. Check the permissions of the token and "
    "that the WhatsApp account is assigned to its system user.",
)
_SERVER_ERROR = MetaCode(
    NO_CODE,
    "meta_server_error",
    "Server error at Meta",
    Outcome.UNKNOWN,
    "s",
    "Meta answered with a server error, so nobody knows yet whether the message was taken. We wait for "
    "Meta's report before anything is sent again.",
    "Meta answered with a server error that does not say whether the message was taken, and no report of it "
    "came. It may or may not have arrived; send a new message if it still matters.",
)
_TIMED_OUT = MetaCode(
    NO_CODE,
    "meta_request_timeout",
    "Request timeout at Meta",
    Outcome.UNKNOWN,
    "s",
    "Meta gave up waiting for the request, so nobody knows yet whether the message was taken. We wait "
    "for Meta's report before anything is sent again.",
    "Meta gave up waiting for the request, which does not say whether the message was taken, and no report "
    "of it came. It may or may not have arrived; send a new message if it still matters.",
)
_REDIRECTED = MetaCode(
    NO_CODE,
    "redirected",
    "Redirected",
    Outcome.FAIL,
    "s",
    "The address used for Meta points somewhere else, and we do not follow it with your token. The "
    "operator of this service has to correct the address of the Graph API.",
)
_REFUSED = MetaCode(
    NO_CODE,
    "refused",
    "Refused by Meta",
    Outcome.FAIL,
    "s",
    "Meta refused this message with a reason we do not know yet. The title and details are Meta's own "
    "words; correct what they name, or ask Meta's support with the trace id.",
)


def _by_status(http_status: int | None) -> MetaCode:
    """Judge by the HTTP status alone."""
    if http_status is None:
        return _REFUSED
    exact = {401: _UNAUTHORISED, 403: _FORBIDDEN, 408: _TIMED_OUT, 429: _THROTTLED}
    if http_status in exact:
        return exact[http_status]
    if http_status >= 500:
        return _SERVER_ERROR
    if 300 <= http_status < 400:
        return _REDIRECTED
    return _REFUSED


@lru_cache(maxsize=4096)
def lookup(code: int | None, *, subcode: int | None = None, http_status: int | None = None) -> MetaCode:
    """Return our reading of an error of Meta's; never fails.

    ``code`` and ``subcode`` are ``error.code`` and ``error.error_subcode``; ``http_status`` is that of
    the answer, ``None`` for an error in a callback. A code that names its reason is a refusal whatever the
    HTTP status: Meta documents 500 and 503 for many of them (2, 3, 131016, 131045, 131057). One that
    only says that something went wrong is ``UNKNOWN`` on a 5xx, where it proves nothing. Unknown codes are
    judged by the HTTP status and keep their number.
    """
    found = _find(code, subcode)
    if found is None:
        fallback = _by_status(http_status)
        return fallback if code is None else replace(fallback, code=code)
    if found.code in _SAYS_NOTHING and http_status is not None and http_status >= 500:
        return replace(found, outcome=Outcome.UNKNOWN)
    return found


def _find(code: int | None, subcode: int | None) -> MetaCode | None:
    if code is None:
        return None
    if subcode is not None:
        exact = _SINGLES.get((code, subcode))
        if exact is not None:
            return exact
        # Template errors arrive as subcode of the all-purpose code 100; smaller numbers there are
        # Graph's own subcodes, which mean something else than the code of the same number.
        if code == 100 and subcode >= 200_000 and (subcode, None) in _SINGLES:
            return _SINGLES[subcode, None]
    single = _SINGLES.get((code, None))
    if single is not None:
        return single
    for low, high, meta in _RANGES:
        if low <= code <= high:
            return replace(meta, code=code)
    return None


def known() -> tuple[MetaCode, ...]:
    """Return every entry of the table, a range by its first code; for documentation and tests."""
    return (*_SINGLES.values(), *(meta for _, _, meta in _RANGES))


def failure(
    code: int | None, title: str | None = None, details: str | None = None, *, subcode: int | None = None
) -> Failure:
    """Read the error of a ``failed`` callback with the same table.

    ``code``, ``title`` and ``details`` are Meta's fields of ``statuses[].errors[]``; all may be
    missing. Never fails.
    """
    meta = lookup(code, subcode=subcode)
    return Failure(meta, code, title or meta.title, details)
