"""Events for customers about messages, templates and numbers, in the words of /developers/events.

Each function is called inside the transaction that it tells of, and asks first whether anybody listens: for
an account without endpoints the one question for a whole batch is all that is spent.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from accounts.models import Number
from core.http.fields import WA_ID
from messaging.compose.content import body_of
from messaging.compose.drafts import Draft
from messaging.meta.callbacks import InboundMessage, TemplateChange
from messaging.models import Message, Status
from messaging.status.transitions import Failure, Row, details_of
from webhooks.outgoing import outbox
from webhooks.outgoing.outbox import Announcement, moment

#: statuses that customers are told of (contract W45), and that of a canceled message
TOLD = frozenset({Status.SENT, Status.DELIVERED, Status.READ, Status.FAILED, Status.CANCELED})
_MEDIA = ("image", "video", "audio", "voice", "document", "sticker")
_DETAILS = "SELECT id, recipient, body, metadata::text, batch_id FROM messaging_message WHERE id = ANY(%s)"


# --- messages going out


def moved(cursor: Any, steps: Sequence[tuple[Row, datetime]]) -> None:
    """Tell of messages that moved: each as it was after the step, with the moment of the step."""
    told = [(row, at) for row, at in steps if row.status in TOLD]
    if not told:
        return
    listeners = outbox.audience(row.account_id for row, _ in told)
    told = [(row, at) for row, at in told if row.account_id in listeners]
    if not told:
        return
    cursor.execute(_DETAILS, [list({row.id for row, _ in told})])
    details = {ident: rest for ident, *rest in cursor.fetchall()}
    outbox.publish([_of_row(row, at, *details[row.id]) for row, at in told], listeners)


def _of_row(
    row: Row, at: datetime, to: str, body: str | None, metadata: str, batch_id: uuid.UUID | None
) -> Announcement:
    if row.status == Status.CANCELED:
        data = _message(row.id, row.status, to, batch_id, orjson.loads(metadata), row.dry_run, row.sequence)
        return Announcement(row.account_id, "message.canceled", data, str(row.id), row.sequence, at)
    return _status_updated(
        row.account_id,
        at,
        message_id=row.id,
        status=row.status,
        to=to,
        body=body,
        times=(row.sent_at, row.delivered_at, row.read_at, row.failed_at),
        failure=_failure_of(row),
        wamid=row.wamid,
        batch_id=batch_id,
        metadata=orjson.loads(metadata),
        dry_run=row.dry_run,
        sequence=row.sequence,
    )


def _failure_of(row: Row) -> Failure | None:
    if not row.failure:
        return None
    return Failure(row.failure, row.error_message or "", row.error_code, row.error_detail)


def _status_updated(
    account_id: uuid.UUID,
    at: datetime,
    *,
    message_id: uuid.UUID,
    status: Status,
    to: str,
    body: str | None,
    times: tuple[datetime | None, datetime | None, datetime | None, datetime | None],
    failure: Failure | None,
    wamid: str | None,
    batch_id: uuid.UUID | None,
    metadata: Any,
    dry_run: bool,
    sequence: int,
) -> Announcement:
    sent, delivered, read, failed = (moment(one) if one else None for one in times)
    data = {
        "messageId": str(message_id),
        "status": str(status),
        "to": to,
        "body": body,
        "sentAt": sent,
        "deliveredAt": delivered,
        "readAt": read,
        "failedAt": failed,
        "errorMessage": failure.message if failure else None,
        "errorCode": failure.code if failure else None,
        "errorDetails": details_of(failure.slug, failure.detail) if failure else None,
        "failure": failure.slug if failure else None,
        "wamid": wamid,
        "batchId": str(batch_id) if batch_id else None,
        "metadata": metadata,
        "dryRun": dry_run,
        "sequence": sequence,
    }
    return Announcement(account_id, "message.status_updated", data, str(message_id), sequence, at)


def _message(
    message_id: uuid.UUID,
    status: Status,
    to: str,
    batch_id: uuid.UUID | None,
    metadata: Any,
    dry_run: bool,
    sequence: int,
) -> dict[str, Any]:
    return {
        "messageId": str(message_id),
        "status": str(status),
        "to": to,
        "batchId": str(batch_id) if batch_id else None,
        "metadata": metadata,
        "dryRun": dry_run,
        "sequence": sequence,
    }


@dataclass(frozen=True, slots=True)
class AcceptedMessage:
    """A message that was just stored: what became of its draft."""

    id: uuid.UUID
    status: Status
    draft: Draft
    failure: Failure | None


def accepted(
    account_id: uuid.UUID, messages: Sequence[AcceptedMessage], *, batch_id: uuid.UUID | None, at: datetime
) -> None:
    """Tell of messages that were scheduled, and of those that were refused by policy and stored as failed."""
    told = [one for one in messages if one.status in (Status.SCHEDULED, Status.FAILED)]
    if not told:
        return
    listeners = outbox.audience([account_id])
    if account_id not in listeners:
        return
    outbox.publish([_of_draft(account_id, one, batch_id, at) for one in told], listeners)


def _of_draft(
    account_id: uuid.UUID, one: AcceptedMessage, batch_id: uuid.UUID | None, at: datetime
) -> Announcement:
    draft = one.draft
    if one.failure is None:
        data = _message(one.id, one.status, draft.to, batch_id, draft.metadata, draft.dry_run, 1)
        assert draft.send_at is not None
        data["scheduledFor"] = moment(draft.send_at)
        return Announcement(account_id, "message.scheduled", data, str(one.id), 1, at)
    return _status_updated(
        account_id,
        at,
        message_id=one.id,
        status=one.status,
        to=draft.to,
        body=body_of(draft.what),
        times=(None, None, None, at),
        failure=one.failure,
        wamid=None,
        batch_id=batch_id,
        metadata=draft.metadata,
        dry_run=draft.dry_run,
        sequence=1,
    )


# --- messages coming in


def received(number: Number, message: Message, item: InboundMessage, at: datetime) -> None:
    """Tell of a message that somebody wrote. Media are named by Meta's id; we do not fetch them."""
    listeners = outbox.audience([message.account_id])
    if message.account_id not in listeners:
        return
    raw: Mapping[str, Any] = message.content
    part = raw.get(item.type)
    data = {
        "messageId": str(message.pk),
        "wamid": message.wamid,
        "from": _phone(item.sender),
        "fromUserId": item.sender_user_id or None,
        "profileName": item.profile_name[:300] if item.profile_name else None,
        "phoneNumberId": number.phone_number_id,
        "to": _phone(number.display_phone),
        "type": message.type,
        "text": message.body,
        "content": part if isinstance(part, dict | list) else None,
        "media": _media(item.type, part),
        "buttonPayload": _payload(raw),
        "replyTo": item.context_wamid or None,
        "receivedAt": moment(at),
        "sequence": message.sequence,
    }
    outbox.publish(
        [Announcement(message.account_id, "message.received", data, str(message.pk), message.sequence, at)],
        listeners,
    )


def _phone(text: str | None) -> str | None:
    return text if text and WA_ID.fullmatch(text) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _media(kind: str, part: Any) -> dict[str, Any] | None:
    if kind not in _MEDIA or not isinstance(part, dict) or not _text(part.get("id")):
        return None
    return {
        "id": part["id"],
        "mimeType": _text(part.get("mime_type")),
        "sha256": _text(part.get("sha256")),
        "filename": _text(part.get("filename")),
    }


def _payload(raw: Mapping[str, Any]) -> str | None:
    """Find what the business gave the button that was tapped, whichever kind of button it was."""
    button = raw.get("button")
    if isinstance(button, dict):
        return _text(button.get("payload"))
    interactive = raw.get("interactive")
    if isinstance(interactive, dict):
        for kind in ("button_reply", "list_reply"):
            reply = interactive.get(kind)
            if isinstance(reply, dict):
                return _text(reply.get("id"))
    return None


# --- templates and numbers


def unknown_template_changed(item: TemplateChange, account_ids: Sequence[uuid.UUID]) -> None:
    """Tell of news about a template that we have not read yet."""
    if item.field != "message_template_status_update" or not item.event:
        return
    data = {
        "templateId": item.template_id,
        "name": item.name,
        "language": item.language,
        "status": item.event,
        "category": item.category,
        "previousCategory": item.previous_category,
        "reason": item.reason or item.title,
    }
    outbox.publish(
        [
            Announcement(account_id, "template.status_updated", data, item.template_id[:64], at=item.at)
            for account_id in account_ids
        ]
    )


def number_held(account_id: uuid.UUID, *, phone_number_id: str, phone: str, reason: str) -> None:
    """Tell that a number's queue waits for credentials."""
    _number("number.held", account_id, phone_number_id, phone, reason)


def number_resumed(number: Number) -> None:
    """Tell that a number's queue goes out again."""
    _number("number.resumed", number.account_id, number.phone_number_id, number.display_phone, None)


def _number(type: str, account_id: uuid.UUID, phone_number_id: str, phone: str, reason: str | None) -> None:
    data = {"phoneNumberId": phone_number_id, "phone": _phone(phone), "reason": reason}
    outbox.publish([Announcement(account_id, type, data, phone_number_id)])
