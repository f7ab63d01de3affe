"""Base of the v1 API views of messaging: sending once, reading fields one by one, a message as shown."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from accounts import agents
from accounts.api.views_v1 import V1View
from accounts.authentication import caller, key_of
from accounts.models import ApiKey
from core.errors import invalid
from core.http import lookalikes
from core.http.fields import ID, PHONE
from core.http.wire import body_of, when
from messaging.api.accept_once import OncePerKey
from messaging.compose.drafts import Draft, Text, What
from messaging.message_templates.named_values import fill_all
from messaging.models import Message, Status
from messaging.queue import accept, idempotency
from messaging.queue.accept import Origin
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


#: what the documents' examples begin with
EXAMPLE = {
    "agent_id": "12345678-1234-1234-1234-123456789012",
    "from": "+15557654321",
    "to": "+15551234567",
}


class Once(OncePerKey):
    """A POST that happens once, as this dialect says so."""

    read_key = staticmethod(idempotency.any_key)
    replay_header = "Idempotent-Replayed"
    tells_first = True


class Send(V1View):
    """What both ways of sending have in common; ``read`` is what they do not."""

    read: Callable[[Mapping[str, Any]], What]

    def send(self, request: Request) -> HttpResponse:
        """Accept one message, once per Idempotency-Key.

        The Idempotency-Key is looked at first (J43): a replay does not depend on today's numbers.
        """
        data, account, key = body_of(request), caller(request), key_of(request)
        once = Once(request)
        if (earlier := once.given()) is not None:
            return earlier
        refuse_lookalikes(data, lookalikes.SEND_V1)
        for part in ("text", "template"):
            if isinstance(data.get(part), dict):
                refuse_lookalikes(data[part], lookalikes.INSIDE_V1, path=f"{part}.")
        agent_id = read_agent_id(data, key)
        phone = read_phone(data, "from", code="invalid_from_phone")
        to = read_phone(data, "to", code="invalid_phone_number")
        what = type(self).read(data)
        draft = Draft(to=to, what=what, dry_run=read_flag(data, "dry_run", alias="dryRun"))
        if agent_id is None:
            agent_id = agents.default_agent(account).pk  # sk_ keys come from an API without agents
        number = agents.number_for(account, key, agent_id=agent_id, phone=phone)
        origin = Origin(Message.Source.V1, account, key, number)
        (draft,) = fill_all(origin, [draft])  # may ask Meta, which must not happen while the key is held
        with once.first() as sending:
            if sending.is_first:
                queued = accept.queue(origin, draft)
                told = new_message(
                    ident=queued.id,
                    agent_id=agent_id,
                    to=to,
                    kind="text" if isinstance(draft.what, Text) else "template",
                    created_at=queued.created_at,
                    dry_run=origin.is_test or draft.dry_run,
                )
                sending.respond(202, told)
        return once.response(sending.answer)


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


def read_agent_id(data: Mapping[str, Any], key: ApiKey) -> uuid.UUID | None:
    """Read ``agent_id``, which a key for certain agents must name; None: the default one is meant."""
    agent_id = read_id(data, "agent_id", code="invalid_agent_id")
    if agent_id is None and key.is_scoped:
        raise invalid("agent_id", REQUIRED)
    return agent_id


def read_flag(data: Mapping[str, Any], name: str, *, alias: str) -> bool:
    """Read a boolean, under either of its names; absent is False."""
    for one in (name, alias):
        if data.get(one) is not None and not isinstance(data[one], bool):
            raise invalid(one, "Must be true or false.")
    value, other = data.get(name), data.get(alias)
    if value is not None and other is not None and value != other:
        raise invalid(alias, f"Is another name for {name}, which says the opposite. Send one of them.")
    return bool(value or other)


def refuse_lookalikes(data: Mapping[str, Any], shape: lookalikes.Shape, *, path: str = "") -> None:
    """Refuse the first field that is nearly one whose silence would do harm (``core.http.lookalikes``)."""
    for name, said in shape.misses(data):
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
