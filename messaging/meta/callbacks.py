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
from itertools import islice
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
from messaging.meta.readable import context_of, readable_text

__all__ = [
    "AccountChange",
    "Broken",
    "InboundMessage",
    "Item",
    "MessageEcho",
    "MetaError",
    "Named",
    "StatusUpdate",
    "TemplateChange",
    "UserPreference",
    "ValueErrors",
    "identifier",
    "is_signature",
    "named_in",
    "parse",
    "phone_number_of",
    "read_status",
    "signature_ok",
]

_SIGNATURE = re.compile(rb"sha256=([0-9a-fA-F]{64})")
_PHONE_NAMED = re.compile(rb'"phone_number_id"\s*:\s*"?([0-9]{1,30})')
_WABA_NAMED = re.compile(rb'"id"\s*:\s*"?([0-9]{1,30})')
#: ids looked at before it is known who signed; all of one callback have the same signer
_NAMED_AT_MOST = 1_000
#: characters; what is longer is none of Meta's message ids, and no column takes it
_LONGEST_WAMID = 255
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


@dataclass(frozen=True, slots=True)
class Named:
    """Whom unproven bytes seem to be about: whose secrets are worth trying, nothing more."""

    phones: list[str]
    wabas: list[str]


def named_in(raw: bytes) -> Named:
    """Find the ids in a body that nobody has vouched for yet, by a pattern in its bytes.

    Reading it as JSON would let anybody make us build whatever he sends. Account news names no phone number,
    and is found by the WhatsApp account; many other ids look alike, which only costs a look.
    """
    return Named(_found(_PHONE_NAMED, raw), _found(_WABA_NAMED, raw))


def _found(pattern: re.Pattern[bytes], raw: bytes) -> list[str]:
    return sorted({match[1].decode() for match in islice(pattern.finditer(raw), _NAMED_AT_MOST)})


def is_signature(header: str) -> bool:
    """Tell whether ``X-Hub-Signature-256`` has a signature's form; asked before anything is read."""
    return _SIGNATURE.fullmatch(header.strip().encode("utf-8", "replace")) is not None


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
    waba_id, at = identifier(entry.get("id")), _time(entry.get("time"))
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
        yield from _change(_Where(waba_id, phone_number_of(value), at, contacts), field, value)


def read_status(raw: dict[str, Any]) -> StatusUpdate | None:
    """Read one status that was kept by itself, as it stood in its callback."""
    item = _guarded(_Where(None, None, None), raw, _status)
    return item if isinstance(item, StatusUpdate) else None


def _change(where: _Where, field: str, value: dict[str, Any]) -> Iterator[Item]:
    if field == "messages" and ("messages" in value or "statuses" in value or "errors" in value):
        yield from _each(where, value, "messages", _message)
        yield from _each(where, value, "statuses", _status)
        if "errors" in value:
            yield _guarded(where, value, _value_errors)
    elif field == "smb_message_echoes":
        yield from _each(where, value, "message_echoes", _echo)
    elif field == "user_preferences":
        yield from _each(where, value, "user_preferences", _preference)
    elif field in _TEMPLATE_FIELDS:
        yield _guarded(where, value, lambda where, value: _template(where, field, value))
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
        yield _guarded(where, item, read)


def _guarded(where: _Where, item: dict[str, Any], read: Callable[[_Where, dict[str, Any]], Item]) -> Item:
    """Let a reader that stumbles cost the item it stumbled over, and no other."""
    try:
        return read(where, item)
    except Exception as error:
        return where.broken(f"could not be read: {error!r}"[:500], item)


def _wamid(raw: Mapping[str, Any]) -> str | None:
    found = text(raw.get("id"))
    return found if found and len(found) <= _LONGEST_WAMID else None


def _status(where: _Where, raw: dict[str, Any]) -> Item:
    wamid, status, at = _wamid(raw), text(raw.get("status")), _time(raw.get("timestamp"))
    if wamid is None or status is None or at is None:
        return where.broken("status without usable id, status or timestamp", raw)
    return StatusUpdate(
        waba_id=where.waba_id,
        phone_number_id=where.phone_number_id,
        wamid=wamid,
        status=status,
        at=at,
        ref=text(raw.get("biz_opaque_callback_data")),
        recipient_id=identifier(raw.get("recipient_id")),
        recipient_user_id=text(raw.get("recipient_user_id")),
        errors=_errors(raw.get("errors")),
        pricing=_object(raw.get("pricing")),
        conversation=_object(raw.get("conversation")),
        raw=raw,
    )


def _message(where: _Where, raw: dict[str, Any]) -> Item:
    wamid, kind, at = _wamid(raw), text(raw.get("type")), _time(raw.get("timestamp"))
    if wamid is None or at is None:
        return where.broken("message without usable id or timestamp", raw)
    kind = kind or "unknown"
    sender, user_id = identifier(raw.get("from")), text(raw.get("from_user_id"))
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
    wamid, at = _wamid(raw), _time(raw.get("timestamp"))
    if wamid is None or at is None:
        return where.broken("echo without usable id or timestamp", raw)
    return MessageEcho(
        waba_id=where.waba_id,
        phone_number_id=where.phone_number_id,
        wamid=wamid,
        recipient_id=identifier(raw.get("to")),
        recipient_user_id=text(raw.get("to_user_id")),
        type=text(raw.get("type")) or "unknown",
        at=at,
        text=readable_text(raw),
        raw=raw,
    )


def _preference(where: _Where, raw: dict[str, Any]) -> Item:
    wa_id, user_id, value = identifier(raw.get("wa_id")), text(raw.get("user_id")), text(raw.get("value"))
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
    template_id = identifier(value.get("message_template_id"))
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
            if wanted is not None and identifier(contact.get(key)) == wanted:
                return contact
    return {}


def phone_number_of(value: Mapping[str, Any]) -> str | None:
    """Return the id of the number that a change is about."""
    metadata = value.get("metadata")
    return identifier(metadata.get("phone_number_id")) if isinstance(metadata, Mapping) else None


def identifier(value: object) -> str | None:
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
