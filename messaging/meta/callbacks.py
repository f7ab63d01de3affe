"""Meta's callbacks: is it really Meta, and what does it say (pure).

Every entry, change and item is read by itself, because one callback may carry a thousand of them for
several numbers and the broken one must not cost the others. Almost every field may be missing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.secret import Secret
from messaging.meta.envelope import error_code, integer, text
from messaging.meta.items import (
    AccountChange,
    Broken,
    InboundMessage,
    Item,
    MessageEcho,
    MetaError,
    StatusUpdate,
    TemplateChange,
    UserPreference,
    ValueErrors,
)
from messaging.meta.payloads import read_ref
from messaging.meta.readable import context_of, readable_text

__all__ = [
    "AccountChange",
    "Broken",
    "InboundMessage",
    "Item",
    "MessageEcho",
    "MetaError",
    "StatusUpdate",
    "TemplateChange",
    "UserPreference",
    "ValueErrors",
    "parse",
    "phone_number_ids",
    "refs",
    "signature_ok",
    "waba_ids",
]

_SIGNATURE = re.compile(rb"sha256=([0-9a-fA-F]{64})")
_MILLISECONDS_FROM = 10**12
_LATEST = 4_102_444_800  # the year 2100; later "seconds" are a mistake

_NO_WINDOW = frozenset({"system", "reaction", "edit", "revoke"})
"""Types that do not start the 24 hours: not written by the person, or not a new message. Meta is not
clear about reactions; a window wrongly thought closed costs a template, wrongly thought open a failure."""

_TEMPLATE_FIELDS = frozenset(
    {
        "message_template_status_update",
        "message_template_quality_update",
        "message_template_components_update",
        "template_category_update",
    }
)


def signature_ok(raw: bytes, header: bytes | str | None, secrets: Iterable[Secret]) -> bool:
    """Tell whether ``X-Hub-Signature-256`` signs exactly these bytes with one of the app secrets.

    ``raw`` must be the body as received: Meta signs its own escaping, which no JSON library writes
    again. Several secrets are for the days of a rotation. An empty secret never verifies. Every secret
    is tried, so the time taken does not tell which one matched.
    """
    if isinstance(header, str):
        # compare_digest refuses non-ASCII text with an exception; bytes it compares.
        header = header.encode("utf-8", "replace")
    found = _SIGNATURE.fullmatch((header or b"").strip())
    given = found[1].lower() if found else b""
    genuine = False
    for secret in secrets:
        key = secret.reveal().encode("utf-8", "replace")
        expected = hmac.digest(key, raw, hashlib.sha256).hex().encode()
        genuine |= bool(key) and hmac.compare_digest(expected, given)
    return genuine


def parse(payload: object) -> list[Item]:
    """Return everything a callback says, in its order; never raises.

    ``payload`` is the parsed JSON. What cannot be read comes back as ``Broken``.
    """
    if not isinstance(payload, Mapping):
        return [Broken(waba_id=None, phone_number_id=None, reason="not an object", raw=payload)]
    if payload.get("object", "whatsapp_business_account") != "whatsapp_business_account":
        return [Broken(waba_id=None, phone_number_id=None, reason="not about WhatsApp", raw=payload)]
    entries = payload.get("entry")
    if not isinstance(entries, list):
        return [Broken(waba_id=None, phone_number_id=None, reason="no list of entries", raw=payload)]
    return [item for entry in entries for item in _entry(entry)]


def phone_number_ids(payload: object) -> set[str]:
    """Return the ids of all numbers a callback is about, for finding its owner; never raises."""
    values = (change.get("value") for _, change in _changes(payload))
    found = (_phone_number_id(value) for value in values if isinstance(value, Mapping))
    return {number for number in found if number}


def waba_ids(payload: object) -> set[str]:
    """Return the ids of all WhatsApp accounts a callback is about; never raises.

    Template and account news name no phone number, so this is how their owner is found.
    """
    return {waba for entry, _ in _changes(payload) if (waba := _identifier(entry.get("id")))}


def refs(payload: object) -> set[str]:
    """Return our own references that a callback's statuses carry; never raises."""
    found: set[str] = set()
    for _, change in _changes(payload):
        value = change.get("value")
        for status in _list(value.get("statuses")) if isinstance(value, Mapping) else ():
            ref = status.get("biz_opaque_callback_data") if isinstance(status, Mapping) else None
            if isinstance(ref, str) and read_ref(ref):
                found.add(ref)
    return found


def _changes(payload: object) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    entries = payload.get("entry") if isinstance(payload, Mapping) else None
    for entry in entries if isinstance(entries, list) else []:
        changes = entry.get("changes") if isinstance(entry, Mapping) else None
        for change in changes if isinstance(changes, list) else []:
            if isinstance(change, Mapping):
                yield entry, change


@dataclass(frozen=True, slots=True)
class _Where:
    """What the items of one change have in common."""

    waba_id: str | None
    phone_number_id: str | None
    at: datetime | None
    contacts: tuple[Mapping[str, Any], ...] = ()

    def broken(self, reason: str, raw: object) -> Broken:
        return Broken(waba_id=self.waba_id, phone_number_id=self.phone_number_id, reason=reason, raw=raw)


def _entry(entry: object) -> Iterator[Item]:
    if not isinstance(entry, Mapping):
        yield _Where(None, None, None).broken("entry is not an object", entry)
        return
    waba_id, at = _identifier(entry.get("id")), _time(entry.get("time"))
    changes = entry.get("changes")
    if not isinstance(changes, list):
        yield _Where(waba_id, None, at).broken("no list of changes", entry)
        return
    for change in changes:
        value = change.get("value") if isinstance(change, Mapping) else None
        field = text(change.get("field")) if isinstance(change, Mapping) else None
        if not isinstance(value, dict) or field is None:
            yield _Where(waba_id, None, at).broken("change without field or value", change)
            continue
        contacts = tuple(item for item in _list(value.get("contacts")) if isinstance(item, Mapping))
        yield from _change(_Where(waba_id, _phone_number_id(value), at, contacts), field, value)


def _change(where: _Where, field: str, value: dict[str, Any]) -> Iterator[Item]:
    if field == "messages" and ("messages" in value or "statuses" in value or "errors" in value):
        yield from _each(where, value, "messages", _message)
        yield from _each(where, value, "statuses", _status)
        if "errors" in value:
            yield _value_errors(where, value)
    elif field == "smb_message_echoes":
        yield from _each(where, value, "message_echoes", _echo)
    elif field == "user_preferences":
        yield from _each(where, value, "user_preferences", _preference)
    elif field in _TEMPLATE_FIELDS:
        yield _template(where, field, value)
    else:
        yield AccountChange(
            waba_id=where.waba_id,
            phone_number_id=where.phone_number_id,
            field=field,
            event=text(value.get("event")) or text(value.get("decision")),
            at=where.at,
            raw=value,
        )


def _each(
    where: _Where, value: dict[str, Any], key: str, read: Callable[[_Where, dict[str, Any]], Item]
) -> Iterator[Item]:
    items = value.get(key, [])
    if not isinstance(items, list):
        yield where.broken(f"{key} is not a list", items)
        return
    for item in items:
        if not isinstance(item, dict):
            yield where.broken(f"an item of {key} is not an object", item)
            continue
        yield read(where, item)


def _status(where: _Where, raw: dict[str, Any]) -> Item:
    wamid, status, at = text(raw.get("id")), text(raw.get("status")), _time(raw.get("timestamp"))
    if wamid is None or status is None or at is None:
        return where.broken("status without id, status or usable timestamp", raw)
    return StatusUpdate(
        waba_id=where.waba_id,
        phone_number_id=where.phone_number_id,
        wamid=wamid,
        status=status,
        at=at,
        ref=text(raw.get("biz_opaque_callback_data")),
        recipient_id=_identifier(raw.get("recipient_id")),
        recipient_user_id=text(raw.get("recipient_user_id")),
        errors=_errors(raw.get("errors")),
        pricing=_object(raw.get("pricing")),
        conversation=_object(raw.get("conversation")),
        raw=raw,
    )


def _message(where: _Where, raw: dict[str, Any]) -> Item:
    wamid, kind, at = text(raw.get("id")), text(raw.get("type")), _time(raw.get("timestamp"))
    if wamid is None or at is None:
        return where.broken("message without id or usable timestamp", raw)
    kind = kind or "unknown"
    sender, user_id = _identifier(raw.get("from")), text(raw.get("from_user_id"))
    contact = _contact(where.contacts, sender, user_id)
    profile = _object(contact.get("profile")) or {}
    return InboundMessage(
        waba_id=where.waba_id,
        phone_number_id=where.phone_number_id,
        wamid=wamid,
        sender=sender,
        sender_user_id=user_id or text(contact.get("user_id")),
        profile_name=text(profile.get("name")),
        type=kind,
        at=at,
        text=readable_text(raw),
        context_wamid=context_of(raw),
        opens_window=kind not in _NO_WINDOW,
        raw=raw,
    )


def _echo(where: _Where, raw: dict[str, Any]) -> Item:
    wamid, at = text(raw.get("id")), _time(raw.get("timestamp"))
    if wamid is None or at is None:
        return where.broken("echo without id or usable timestamp", raw)
    return MessageEcho(
        waba_id=where.waba_id,
        phone_number_id=where.phone_number_id,
        wamid=wamid,
        recipient_id=_identifier(raw.get("to")),
        recipient_user_id=text(raw.get("to_user_id")),
        type=text(raw.get("type")) or "unknown",
        at=at,
        text=readable_text(raw),
        raw=raw,
    )


def _preference(where: _Where, raw: dict[str, Any]) -> Item:
    wa_id, user_id, value = _identifier(raw.get("wa_id")), text(raw.get("user_id")), text(raw.get("value"))
    if value is None or (wa_id is None and user_id is None):
        return where.broken("preference without person or value", raw)
    return UserPreference(
        waba_id=where.waba_id,
        phone_number_id=where.phone_number_id,
        wa_id=wa_id,
        user_id=user_id,
        value=value,
        category=text(raw.get("category")),
        at=_time(raw.get("timestamp")) or where.at,
        raw=raw,
    )


def _template(where: _Where, field: str, value: dict[str, Any]) -> Item:
    template_id = _identifier(value.get("message_template_id"))
    if template_id is None:
        return where.broken("template news without template id", value)
    language = text(value.get("message_template_language"))
    reason = text(value.get("reason"))
    other = _object(value.get("other_info")) or {}
    return TemplateChange(
        waba_id=where.waba_id,
        phone_number_id=where.phone_number_id,
        field=field,
        event=text(value.get("event")),
        template_id=template_id,
        name=text(value.get("message_template_name")),
        language=language.replace("-", "_") if language else None,
        reason=None if reason == "NONE" else reason,
        category=text(value.get("new_category")) or text(value.get("message_template_category")),
        previous_category=text(value.get("previous_category")),
        correct_category=text(value.get("correct_category")),
        quality=text(value.get("new_quality_score")),
        title=text(other.get("title")),
        at=where.at,
        raw=value,
    )


def _value_errors(where: _Where, value: dict[str, Any]) -> Item:
    errors = _errors(value.get("errors"))
    if not errors:
        return where.broken("errors without an error", value)
    return ValueErrors(waba_id=where.waba_id, phone_number_id=where.phone_number_id, errors=errors, raw=value)


def _errors(value: object) -> tuple[MetaError, ...]:
    found = []
    for error in _list(value):
        if isinstance(error, Mapping):
            data = _object(error.get("error_data")) or {}
            title = text(error.get("title")) or text(error.get("message"))
            found.append(MetaError(error_code(error.get("code")), title, text(data.get("details"))))
    return tuple(found)


def _contact(
    contacts: tuple[Mapping[str, Any], ...], sender: str | None, user_id: str | None
) -> Mapping[str, Any]:
    """Return the contact of a sender, found by user ID first: numbers can be hidden or change."""
    for key, wanted in (("user_id", user_id), ("wa_id", sender)):
        for contact in contacts:
            if wanted is not None and _identifier(contact.get(key)) == wanted:
                return contact
    return {}


def _phone_number_id(value: Mapping[str, Any]) -> str | None:
    metadata = value.get("metadata")
    return _identifier(metadata.get("phone_number_id")) if isinstance(metadata, Mapping) else None


def _identifier(value: object) -> str | None:
    """Return an id as text; Meta writes some of them as numbers in callbacks."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 <= value < 10**30 else None
    return text(value)


def _time(value: object) -> datetime | None:
    """Return Unix seconds or milliseconds, as number or text, as a time; ``None`` if they are neither."""
    number = integer(value)
    if number is None:
        return None
    # Documented are seconds; some callbacks have carried milliseconds.
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < _LATEST else None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None
