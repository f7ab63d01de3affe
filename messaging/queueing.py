"""From a draft to a row that will be sent: touches only the database.

Once the transaction around ``queue`` has committed, the message happens: the row is the queue.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from accounts.connections import default_connection
from accounts.models import Account, ApiKey, Connection
from config.correlation import correlation_id
from config.errors import FieldError, Invalid, Refusal
from config.ids import uuid7
from messaging import contacts
from messaging.composing import compose
from messaging.drafts import Draft, Priority, RawTemplate, Text
from messaging.models import Message, Status
from messaging.timeline import Change, record

# How long a message is worth sending (reliability.md 2.1): a one-time password that arrives after its
# screen is gone only confuses; free text has Meta's 24-hour window anyway.
LIFETIME_TEXT = timedelta(hours=24)
LIFETIME_AUTHENTICATION = timedelta(minutes=10)
LIFETIME_OTHER = timedelta(hours=72)


@dataclass(frozen=True, slots=True)
class Queued:
    """What the caller is told of an accepted message."""

    id: uuid.UUID
    status: Status
    scheduled_for: datetime | None


_CATEGORIES = (
    "SELECT name, language, category FROM messaging_template "
    "WHERE account_id = %s AND waba_id = %s "
    "AND (name, language) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
)
_INSERT = """
WITH fresh AS (
    INSERT INTO messaging_message (
        id, account_id, connection_id, api_key_id, contact_id, direction, source, recipient, type, body,
        content, metadata, dry_run, correlation_id, status, sequence, lane, due_at, lease_token, attempts,
        crashes, expires_at, scheduled_for, failure, created_at)
    SELECT u.id, %s, %s, %s, u.contact_id, 'out', %s, u.recipient, u.type, u.body, u.content, u.metadata,
           u.dry_run, %s, CASE WHEN u.send_at IS NULL THEN 'queued' ELSE 'scheduled' END, 1, u.lane,
           coalesce(u.send_at, now()), 0, 0, 0,
           coalesce(u.send_at, now()) + make_interval(secs => u.lifetime), u.send_at, '', now()
    FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[],
                %s::boolean[], %s::timestamptz[], %s::float[], %s::smallint[])
        AS u(id, contact_id, recipient, type, body, content, metadata, dry_run, send_at, lifetime, lane)
    RETURNING id, status
)
INSERT INTO messaging_messageevent (message_id, sequence, status, at, recorded_at)
SELECT id, 1, status, now(), now() FROM fresh
"""


def queue(account: Account, draft: Draft, *, source: Message.Source, api_key: ApiKey | None = None) -> Queued:
    """Store one message. Raises ``Invalid`` when the account has no credentials (W11)."""
    return queue_many(account, [draft], source=source, api_key=api_key)[0]


@transaction.atomic
def queue_many(
    account: Account,
    drafts: Sequence[Draft],
    *,
    source: Message.Source,
    api_key: ApiKey | None = None,
    bulk: bool = False,
) -> list[Queued]:
    """Store several messages in one transaction and one insert; all or none.

    Raises ``Invalid`` when a real send is asked for and the account has no credentials.
    """
    number = default_connection(account)
    if number is None and not all(draft.dry_run for draft in drafts):
        message = (
            "No WhatsApp credentials are saved. Save them with PUT /auth/me/credentials, "
            "or set dry_run to true to simulate the send."
        )
        raise Invalid([FieldError("credentials", message)], message)
    if number is not None and not all(draft.dry_run for draft in drafts):
        _refuse_while_paused(number)
    people: dict[str, uuid.UUID] = {}
    if number is not None:
        people = contacts.open_conversations(
            account_id=account.pk, connection_id=number.pk, phones=[draft.to for draft in drafts]
        )
    categories = _categories(account, number, drafts)
    ids = [uuid7() for _ in drafts]
    contents = [compose(draft.what) for draft in drafts]
    with database.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                account.pk,
                number.pk if number else None,
                api_key.pk if api_key else None,
                source,
                correlation_id(),
                ids,
                [people.get(draft.to) for draft in drafts],
                [draft.to for draft in drafts],
                [content["type"] for content in contents],
                [draft.what.body if isinstance(draft.what, Text) else None for draft in drafts],
                [orjson.dumps(content).decode() for content in contents],
                [orjson.dumps(draft.metadata).decode() for draft in drafts],
                [draft.dry_run for draft in drafts],
                [draft.send_at for draft in drafts],
                [_lifetime(draft, categories).total_seconds() for draft in drafts],
                [_lane(draft, categories, bulk=bulk) for draft in drafts],
            ],
        )
    return [
        Queued(ident, Status.SCHEDULED if draft.send_at else Status.QUEUED, draft.send_at)
        for ident, draft in zip(ids, drafts, strict=True)
    ]


def _categories(
    account: Account, number: Connection | None, drafts: Sequence[Draft]
) -> dict[tuple[str, str], str]:
    wanted = {(d.what.name, d.what.language) for d in drafts if isinstance(d.what, RawTemplate)}
    if number is None or not wanted:
        return {}
    with database.cursor() as cursor:
        cursor.execute(
            _CATEGORIES,
            [account.pk, number.waba_id, [name for name, _ in wanted], [language for _, language in wanted]],
        )
        return {(name, language): category for name, language, category in cursor.fetchall()}


def _refuse_while_paused(number: Connection) -> None:
    """Refuse new sends while Meta keeps failing for this number (W23).

    The breaker sends one message as a probe every few seconds. Between two probes new sends are
    refused; a send that comes when a probe is due is taken and may be it, so that a number without a
    queue finds out by itself that Meta is back.
    """
    if number.breaker_open_since is None or number.paused_until is None:
        return
    wait = (number.paused_until - timezone.now()).total_seconds()
    if wait > 0:
        raise Refusal(
            "upstream_unavailable",
            "WhatsApp has been failing for this number, so sending is paused to protect your account. "
            "It resumes by itself; try again in a moment.",
            retry_after=math.ceil(wait),
        )


def _lifetime(draft: Draft, categories: dict[tuple[str, str], str]) -> timedelta:
    if draft.expires_in is not None:
        return draft.expires_in
    if isinstance(draft.what, Text):
        return LIFETIME_TEXT
    if _category(draft, categories) == "AUTHENTICATION":
        return LIFETIME_AUTHENTICATION
    return LIFETIME_OTHER


def _lane(draft: Draft, categories: dict[tuple[str, str], str], *, bulk: bool) -> Message.Lane:
    """Choose the queue: as asked for, else by kind (replies and one-time passwords first)."""
    if draft.priority is not None:
        return _LANES[draft.priority]
    if bulk:
        return Message.Lane.BULK
    if isinstance(draft.what, Text) or _category(draft, categories) == "AUTHENTICATION":
        return Message.Lane.REPLY
    return Message.Lane.SINGLE


def _category(draft: Draft, categories: dict[tuple[str, str], str]) -> str | None:
    if isinstance(draft.what, RawTemplate):
        return categories.get((draft.what.name, draft.what.language))
    return None


_LANES = {
    Priority.HIGH: Message.Lane.REPLY,
    Priority.NORMAL: Message.Lane.SINGLE,
    Priority.LOW: Message.Lane.BULK,
}


def cancel(account: Account, message_id: uuid.UUID) -> None:
    """Cancel a message that has not been handed to Meta.

    Raises ``Refusal``: ``not_found``, or ``conflict`` when it was handed over, or ended, before.
    """
    known = Message.objects.filter(account=account, pk=message_id, direction=Message.Direction.OUT).exists()
    if not known:
        raise Refusal("not_found", "No message found with this id.")
    if not record([Change(message_id, Status.CANCELED)]).moved:
        raise Refusal("conflict", "This message was already handed to WhatsApp, or has ended.")
