"""What the Mojeeb faces of messaging share: accepting once, reading fields one by one, a message as shown."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from core.errors import invalid
from core.http.fields import ID, PHONE
from core.http.lookalikes import Door
from core.http.wire import when
from messaging.api.accept_once import Accepted, accept_once, refuse_in_address
from messaging.models import Message, Status
from messaging.queue import idempotency
from messaging.reports import reading
from messaging.status.transitions import CANCELED, details_of

#: J48: a plus, country code and number; nothing is guessed or tidied
E164 = re.compile(rf"\+{PHONE.pattern}")
REQUIRED = "This field is required."

#: the five statuses of the document; everything before Meta's answer is ``queued``
_SHOWN = {
    Status.SENT: "sent",
    Status.DELIVERED: "delivered",
    Status.READ: "read",
    Status.FAILED: "failed",
    Status.CANCELED: "failed",  # with failure_reason "canceled"
}


def accept(request: Request, work: Callable[[], Accepted]) -> HttpResponse:
    """Do a POST that sends, once per Idempotency-Key."""
    refuse_in_address(request)
    key = idempotency.any_key(request.META.get("HTTP_IDEMPOTENCY_KEY"))
    return accept_once(request, work, key=key, replay_header="Idempotent-Replayed", tell_first=True)


# --- reading: the first fault ends it (J44), so a value that was read is right


def read_text(data: Mapping[str, Any], name: str, *, path: str = "", longest: int) -> str:
    """Read a required string that is not blank, of at most ``longest`` characters."""
    value = data.get(name)
    path = path or name
    if value is None:
        raise invalid(path, REQUIRED)
    if not isinstance(value, str) or not value.strip():
        raise invalid(path, "Must be a string that is not blank.")
    if len(value) > longest:
        raise invalid(path, f"Must be at most {longest} characters; this has {len(value)}.")
    return value


def read_mapping(data: Mapping[str, Any], name: str, *, path: str = "") -> dict[str, Any] | None:
    """Read an object; None when it is not there."""
    value = data.get(name)
    if value is not None and not isinstance(value, dict):
        raise invalid(path or name, "Must be an object.")
    return value


def read_phone(data: Mapping[str, Any], name: str, *, code: str) -> str:
    """Read a required number; returns its digits."""
    value = data.get(name)
    if value is None:
        raise invalid(name, REQUIRED)
    if not isinstance(value, str) or not E164.fullmatch(value):
        raise invalid(name, "Must be in E.164 format with the plus, for example +15551234567.", code=code)
    return value[1:]


def read_id(data: Mapping[str, Any], name: str, *, code: str = "invalid_request_body") -> uuid.UUID | None:
    """Read a UUID; None when it is not there."""
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise invalid(name, "Must be a UUID.", code=code)
    return uuid.UUID(value)


def read_flag(data: Mapping[str, Any], name: str, *, alias: str) -> bool:
    """Read a boolean, under either of its names; absent is False."""
    for one in (name, alias):
        if data.get(one) is not None and not isinstance(data[one], bool):
            raise invalid(one, "Must be true or false.")
    value, other = data.get(name), data.get(alias)
    if value is not None and other is not None and value != other:
        raise invalid(alias, f"Is another name for {name}, which says the opposite. Send one of them.")
    return bool(value or other)


def refuse_lookalikes(data: Mapping[str, Any], door: Door, *, path: str = "") -> None:
    """Refuse the first field that is nearly one whose silence would do harm (``core.http.lookalikes``)."""
    for name, said in door.misses(data):
        raise invalid(f"{path}{name}", said)


# --- a message as this dialect shows it


def new_message(
    *, ident: uuid.UUID, agent_id: uuid.UUID, to: str, kind: str, created_at: datetime, dry_run: bool
) -> dict[str, Any]:
    """Write a message that was just accepted."""
    return _written(ident, "queued", agent_id, to, kind, created_at) | ({"dry_run": True} if dry_run else {})


def message_object(message: Message) -> dict[str, Any]:
    """Write a message as it stands now."""
    status = _SHOWN.get(Status(message.status), "queued")
    written = _written(
        message.pk,
        status,
        message.agent_id,
        message.recipient,
        "template" if message.type == "template" else "text",
        message.created_at,
    )
    if status != "queued":
        written["platform_message_id"] = message.wamid
        written["sent_at"] = when(reading.handed_over_at(message))
    if status == "failed":
        written["failed_at"] = when(reading.ended_at(message))
        written["failure_reason"] = CANCELED.slug if message.status == Status.CANCELED else message.failure
        details = details_of(message.failure, message.error_detail)
        written |= {"failure_details": details} if details else {}
    return written | ({"dry_run": True} if message.dry_run else {})


def _written(
    ident: uuid.UUID, status: str, agent_id: uuid.UUID | None, to: str, kind: str, created_at: datetime
) -> dict[str, Any]:
    return {
        "id": str(ident),
        "status": status,
        "agent_id": str(agent_id) if agent_id else None,
        "to": f"+{to}",
        "type": kind,
        "platform_message_id": None,
        "created_at": when(created_at),
        "sent_at": None,
        "failed_at": None,
    }
