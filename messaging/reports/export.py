"""Export of everything an account has, as lines of JSON to take along; never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson
from django.db.models import QuerySet

from accounts import audit
from accounts.models import Account
from messaging.models import Contact, Message, MessageEvent, Suppression, Template
from messaging.status.transitions import details_of

_BATCH = 500


def lines(account: Account) -> Iterator[bytes]:
    """Yield one JSON object a line; ``kind`` says what it is. Reads in batches, so size does not matter."""
    yield _line(
        "account",
        {
            "id": account.pk,
            "name": account.name,
            "email": account.email,
            "plan": account.plan,
            "created_at": account.created_at,
        },
    )
    for member in account.memberships.select_related("user"):
        yield _line("member", {"email": member.user.email, "name": member.user.name, "role": member.role})
    for agent in account.agents.order_by("created_at"):
        yield _line("agent", {"id": agent.pk, "name": agent.name, "created_at": agent.created_at})
    for number in account.connections.order_by("created_at"):
        yield _line(
            "number",
            {
                "id": number.pk,
                "phone": number.display_phone,
                "phone_number_id": number.phone_number_id,
                "waba_id": number.waba_id,
                "status": number.status,
                "removed_at": number.removed_at,
            },
        )
    for key in account.api_keys.order_by("created_at"):
        yield _line(
            "api_key",
            {
                "id": key.pk,
                "name": key.name,
                "key": str(key),
                "scopes": key.scopes,
                "created_at": key.created_at,
                "revoked_at": key.revoked_at,
            },
        )
    yield from _rows("template", Template, account, "name", "language", "status", "category", "components")
    yield from _rows("contact", Contact, account, "phone", "wa_id", "bsuid", "profile_name", "created_at")
    yield from _rows("suppression", Suppression, account, "phone", "reason", "marketing_only", "created_at")
    yield from _messages(account)
    for event in _by_key(audit.seen(account)):
        said = {"at": event.at, "actor": event.actor, "action": event.action, "target": event.target}
        yield _line("audit", said)


def _by_key(rows: QuerySet[Any]) -> Iterator[Any]:
    """Read rows in batches by their key.

    A cursor of the server's belongs to the thread that opened it, and an answer that a slow client reads
    goes on in another one.
    """
    last = None
    while batch := list((rows.filter(pk__gt=last) if last is not None else rows).order_by("pk")[:_BATCH]):
        last = batch[-1].pk
        yield from batch


def _rows(kind: str, model: Any, account: Account, *names: str) -> Iterator[bytes]:
    for row in _by_key(model.objects.filter(account=account)):
        yield _line(kind, {name: getattr(row, name) for name in names})


def _messages(account: Account) -> Iterator[bytes]:
    found = _by_key(Message.objects.filter(account=account))
    while batch := list(islice(found, _BATCH)):
        events: dict[Any, list[dict[str, Any]]] = {}
        for event in MessageEvent.objects.filter(message__in=batch).order_by("sequence"):
            events.setdefault(event.message_id, []).append({"status": event.status, "at": event.at})
        for message in batch:
            yield _line(
                "message",
                {
                    "id": message.pk,
                    "direction": message.direction,
                    "recipient": message.recipient,
                    "type": message.type,
                    "body": message.body,
                    "content": message.content,
                    "metadata": message.metadata,
                    "status": message.status,
                    "failure": message.failure or None,
                    "error_code": message.error_code,
                    "error_message": message.error_message,
                    "error_details": details_of(message.failure, message.error_detail),
                    "wamid": message.wamid,
                    "created_at": message.created_at,
                    "events": events.get(message.pk, []),
                },
            )


def _line(kind: str, values: dict[str, Any]) -> bytes:
    return orjson.dumps({"kind": kind, **values}, default=str) + b"\n"
