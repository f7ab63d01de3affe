"""Meanings of error codes, ours and Meta's: when each is given, who acts, what Hermod does by itself."""

from __future__ import annotations

from dataclasses import dataclass

from core.http.error_catalogue import API_ERRORS
from messaging import suppressions
from messaging.meta.codes import MetaCode, Outcome, known, lookup
from messaging.send import outcomes
from messaging.status import transitions
from messaging.status.timeline import Failure

#: our own failures: who acts, and what to do
OURS: dict[str, tuple[Failure, str, str]] = {
    failure.slug: (failure, who, what)
    for failure, who, what in (
        (
            outcomes.OUTCOME_UNKNOWN,
            "You decide",
            "Ask the person whether it arrived, or send a new message if a second copy does no harm. "
            "A report from WhatsApp that comes later still corrects the status.",
        ),
        (
            outcomes.EXPIRED,
            "You",
            "Send a new message if it still matters. Give expiresIn if it may wait longer, and look at the "
            "number with POST /auth/me/credentials/verify if much of your mail expires.",
        ),
        (
            outcomes.POISON,
            "The operator of this service",
            "Tell the operator the id of the message. Sending the same content again will probably fail too.",
        ),
        (
            outcomes.NO_CREDENTIALS,
            "You",
            "Save credentials with PUT /auth/me/credentials, then POST /messages/{id}/retry.",
        ),
        (
            suppressions.OPTED_OUT,
            "The recipient",
            "Leave the person alone. Only if they ask for messages again: DELETE /suppressions/{phone}, then "
            "send a new message.",
        ),
        (
            outcomes.META_UNREACHABLE,
            "You, later",
            "Nothing was processed, so POST /messages/{id}/retry is safe. Hermod had tried six times.",
        ),
        (
            transitions.CANCELED,
            "Nobody",
            "It was taken back on purpose, with POST /messages/{id}/cancel or in the dashboard. Send a new "
            "message if it was a mistake.",
        ),
        (
            transitions.FAILED,
            "You",
            "WhatsApp gave no reason. Try once more with POST /messages/{id}/retry, and check the number and "
            "the template if it fails again.",
        ),
    )
}

#: by outcome: who acts, and what Hermod does by itself
ACTS: dict[Outcome, tuple[str, str]] = {
    Outcome.RETRY: ("Nobody, at first", "Sends it again by itself, up to six times with growing pauses."),
    Outcome.UNKNOWN: ("Nobody, at first", "Waits for WhatsApp’s report before anything is sent again."),
    Outcome.THROTTLE_NUMBER: ("Nobody", "Slows this number down and sends the message again."),
    Outcome.THROTTLE_PAIR: ("Nobody", "Slows down towards this one recipient and sends again."),
    Outcome.THROTTLE_ACCOUNT: ("Nobody, at first", "Rests this number for a minute and sends again."),
    Outcome.HOLD_CREDENTIALS: (
        "You, the owner of the number",
        "Holds the number and keeps its queue. Waiting messages go out once new credentials are saved.",
    ),
    Outcome.PAUSE_ACCOUNT: (
        "You, the owner of the number",
        "Rests the number and looks again every minute until the cause is gone.",
    ),
    Outcome.FAIL: ("You", "Ends the message as failed; the same request would fail again."),
    Outcome.FAIL_TEMPLATE: ("You", "Ends the message as failed and reads the template from Meta again."),
    Outcome.FAIL_RECIPIENT: ("You", "Ends the message as failed; other recipients are not affected."),
}
_CHANNELS = {"s": "in the answer to a send", "w": "in a later report", "s/w": "in the answer or in a report"}
#: readings of an HTTP status that came without a known code
_BY_STATUS = tuple(lookup(None, http_status=status) for status in (401, 403, 408, 429, 500, 302, 400))


@dataclass(frozen=True, slots=True)
class Meaning:
    """One entry of an error page."""

    title: str
    slug: str
    tells: str
    who: str
    does: str
    where: str
    #: HTTP statuses of a refusal; empty for what becomes of a message
    statuses: str = ""
    #: what is said once the message has failed for good, where that is something else
    once_failed: str = ""


def _meaning(meta: MetaCode) -> Meaning:
    who, does = ACTS[meta.outcome]
    return Meaning(
        meta.title, meta.slug, meta.tells, who, does, _CHANNELS[meta.channel], "", meta.once_failed
    )


def _title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def meanings(code: str) -> list[Meaning]:
    """Return what an error code means, Meta's number or a stable word; empty when nobody knows it."""
    ours: list[Meaning] = []
    if code in API_ERRORS:
        told = API_ERRORS[code]
        ours.append(Meaning(_title(code), code, told.tells, told.who, told.what, "", told.statuses))
    if code in OURS:
        failure, who, what = OURS[code]
        ours.append(Meaning(_title(code), code, failure.message, who, what, ""))
    found = [meta for meta in (*known(), *_BY_STATUS) if code in (meta.slug, str(meta.code))]
    if not found and code.isascii() and code.isdigit() and len(code) < 10 and str(int(code)) == code:
        one = lookup(int(code))  # inside a range
        found = [one] if one.slug != lookup(None).slug else []
    return ours + [_meaning(meta) for meta in dict.fromkeys(found) if code != "-1"]
