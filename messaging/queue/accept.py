"""Accepting: a draft becomes a row that will be sent; touches only the database.

Once the transaction around ``queue`` has committed, the message happens: the row is the queue.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from accounts.connections import sending_number
from accounts.models import Account, ApiKey, Number
from billing import quota
from core.correlation import correlation_id
from core.errors import FieldError, Invalid, Refusal, invalid
from core.ids import uuid7
from core.sql import rows
from messaging.compose import recipients
from messaging.compose.content import body_of, compose, with_text
from messaging.compose.drafts import Draft, Priority, RawTemplate
from messaging.compose.recipients import Recipient
from messaging.models import Batch, Message, Status
from messaging.status import daily_totals, webhook_events
from messaging.status.timeline import Failure
from messaging.suppressions import OPTED_OUT

# How long a message is worth sending (docs/reliability.md, Constants): a one-time password that arrives after
# its screen is gone only confuses; free text has Meta's 24-hour window anyway.
LIFETIME_TEXT = timedelta(hours=24)
LIFETIME_AUTHENTICATION = timedelta(minutes=10)
LIFETIME_OTHER = timedelta(hours=72)


NO_CREDENTIALS = (
    "No WhatsApp credentials are saved. Save them with PUT /auth/me/credentials, "
    "or set dry_run to true to simulate the send."
)


@dataclass(frozen=True, slots=True)
class Queued:
    """What the caller is told of an accepted message."""

    id: uuid.UUID
    status: Status
    scheduled_for: datetime | None
    to: str
    created_at: datetime
    failure: Failure | None = None  # refused by policy, stored as failed (bulk only)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where messages come from: through which API, whose, with which key, from which number, in which batch.

    Without a ``number`` they go out from the account's default one.
    """

    source: Message.Source
    account: Account
    key: ApiKey | None = None
    number: Number | None = None
    batch: Batch | None = None

    @property
    def is_test(self) -> bool:
        """Tell whether a test key asks, which sends nothing for real."""
        return self.key is not None and self.key.is_test


_KNOWN = (
    "SELECT name, language, category, (SELECT c->>'text' FROM jsonb_array_elements("
    "CASE jsonb_typeof(components) WHEN 'array' THEN components ELSE '[]' END) c "
    "WHERE upper(c->>'type') = 'BODY' LIMIT 1) FROM messaging_template "
    "WHERE account_id = %s AND waba_id = %s "
    "AND (name, language) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"
)


def queue(origin: Origin, draft: Draft) -> Queued:
    """Store one message; raises what ``queue_many`` raises."""
    return queue_many(origin, [draft])[0]


# No savepoint: whoever calls this inside a transaction lets it end with what is raised here.
@transaction.atomic(savepoint=False)
def queue_many(origin: Origin, drafts: Sequence[Draft]) -> list[Queued]:
    """Store several messages in one transaction and one insert; all or none.

    Templates with friendly values were filled before (``named_values.fill_all``). Raises what ``sender_of``
    raises (W11), ``Invalid`` when a recipient has opted out (in a batch, their message is stored as failed),
    ``Refusal`` (``quota_exceeded``) when the plan has fewer messages left.
    """
    account, bulk = origin.account, origin.batch is not None
    if origin.is_test:
        drafts = [as_test(draft) for draft in drafts]
    number = sender_of(origin, drafts)
    people = recipients.meet(
        account_id=account.pk,
        connection_id=number.pk if number else None,
        phones=[draft.to for draft in drafts],
    )
    categories, texts = _known(account, number, drafts)
    drafts = [replace(draft, what=with_text(draft.what, texts)) for draft in drafts]
    refused = _suppressed(people, drafts, categories)
    if refused and not bulk:
        raise invalid("to", OPTED_OUT.message, code="recipient_opted_out")
    failures = [refused.get(index) for index in range(len(drafts))]
    statuses = [
        Status.FAILED if failure else Status.SCHEDULED if draft.send_at else Status.QUEUED
        for draft, failure in zip(drafts, failures, strict=True)
    ]
    ids = [uuid7() for _ in drafts]
    # Simulations and what is refused at once cost nothing; a retry was paid for when it was first accepted.
    cost = sum(1 for draft, no in zip(drafts, failures, strict=True) if not draft.dry_run and no is None)
    columns = [
        _columns(draft, ident, status, failure, people[draft.to].contact_id, categories, bulk=bulk)
        for draft, ident, status, failure in zip(drafts, ids, statuses, failures, strict=True)
    ]
    created_at = _store(replace(origin, number=number), columns, cost=cost)
    if refused:
        counted = [_template_name(drafts[i]) for i in refused if not drafts[i].dry_run]
        with database.cursor() as cursor:
            daily_totals.count_refused(cursor, account.pk, counted, at=created_at)
    webhook_events.accepted(
        account.pk,
        list(map(webhook_events.AcceptedMessage, ids, statuses, drafts, failures)),
        batch_id=origin.batch.pk if origin.batch else None,
        at=created_at,
    )
    return [
        Queued(ident, status, draft.send_at, draft.to, created_at, failure)
        for ident, status, draft, failure in zip(ids, statuses, drafts, failures, strict=True)
    ]


def sender_of(origin: Origin, drafts: Sequence[Draft]) -> Number | None:
    """Return the number that drafts go out from, None when the account has none.

    Raises, if any of them goes out for real, ``Invalid`` when there is none and ``Refusal``
    (``upstream_unavailable``) while it is paused and the caller was not promised that a message waits.
    """
    number = origin.number or sending_number(origin.account)
    if not origin.is_test and not all(draft.dry_run for draft in drafts):
        if number is None:
            raise Invalid([FieldError("credentials", NO_CREDENTIALS)], NO_CREDENTIALS)
        if origin.source != Message.Source.V1:  # J52: its document promises 202, so the message waits
            refuse_while_paused(number)
    return number


def _columns(
    draft: Draft,
    ident: uuid.UUID,
    status: Status,
    failure: Failure | None,
    contact_id: uuid.UUID | None,
    categories: dict[tuple[str, str], str],
    *,
    bulk: bool,
) -> dict[str, Any]:
    """Return a message's own columns, as ``_store`` takes them."""
    content = compose(draft)
    return {
        "id": ident,
        "contact_id": contact_id,
        "recipient": draft.to,
        "type": content["type"],
        "body": body_of(draft.what),
        "content": content,
        "metadata": draft.metadata,
        "dry_run": draft.dry_run,
        "send_at": draft.send_at,
        "lifetime": _lifetime(draft, categories).total_seconds(),
        "lane": _lane(draft, categories, bulk=bulk),
        "status": status,
        "failure": failure.slug if failure else "",
        "why": failure.message if failure else None,
    }


# The rows travel as one JSON text: cheaper to write and to read than an array for each column. What they
# cost is taken from the quota in the same breath; nothing is stored when the quota does not have it.
_STORE = f"""
WITH paid AS MATERIALIZED (SELECT {quota.TAKEN} AS enough), fresh AS (
    INSERT INTO messaging_message (
        id, account_id, connection_id, agent_id, api_key_id, batch_id, contact_id, direction, source,
        recipient, type, body, content, metadata, dry_run, correlation_id, status, sequence, lane, due_at,
        lease_token, attempts, crashes, expires_at, scheduled_for, failed_at, failure, error_message,
        created_at)
    SELECT u.id, %s::uuid, CASE WHEN NOT u.dry_run THEN %s::uuid END, %s::uuid, %s::uuid, %s::uuid,
           u.contact_id, 'out', %s, u.recipient,
           u.type, u.body, u.content, u.metadata, u.dry_run, %s, u.status, 1, u.lane,
           CASE WHEN u.failure = '' THEN coalesce(u.send_at, now()) END,
           0, 0, 0, coalesce(u.send_at, now()) + make_interval(secs => u.lifetime), u.send_at,
           CASE WHEN u.failure <> '' THEN now() END, u.failure, u.why, now()
    FROM paid CROSS JOIN jsonb_to_recordset(%s::jsonb)
        AS u(id uuid, contact_id uuid, recipient text, type text, body text, content jsonb, metadata jsonb,
             dry_run boolean, send_at timestamptz, lifetime float, lane smallint, status text, failure text,
             why text)
    WHERE paid.enough
    RETURNING id, status
)
INSERT INTO messaging_messageevent (message_id, sequence, status, at, recorded_at)
SELECT id, 1, status, now(), now() FROM fresh
RETURNING recorded_at
"""


def _store(origin: Origin, columns: Sequence[dict[str, Any]], *, cost: int) -> datetime:
    """Store messages, each given by its own columns, and charge for ``cost`` of them; returns the time.

    Raises ``Refusal`` (``quota_exceeded``) when the plan has fewer left. Comes after all other locks of the
    transaction.
    """
    account_id, number = origin.account.pk, origin.number
    values = [
        account_id,
        number.pk if number else None,
        number.agent_id if number else None,
        origin.key.pk if origin.key else None,
        origin.batch.pk if origin.batch else None,
        origin.source,
        correlation_id(),
        orjson.dumps(columns).decode(),
    ]
    written = rows(_STORE, [*quota.to_take(account_id, cost), *values])
    if not written:
        quota.charge(account_id, cost)
        written = rows(_STORE, [*quota.to_take(account_id, 0), *values])
    created_at: datetime = written[0][0]
    return created_at


def _suppressed(
    people: dict[str, Recipient], drafts: Sequence[Draft], categories: dict[tuple[str, str], str]
) -> dict[int, Failure]:
    """Return the positions of drafts whose recipient must not be written to."""
    return {
        index: OPTED_OUT
        for index, draft in enumerate(drafts)
        if people[draft.to].opted_out
        or (people[draft.to].opted_out_of_marketing and _category(draft, categories) == "MARKETING")
    }


def _template_name(draft: Draft) -> str:
    return draft.what.name if isinstance(draft.what, RawTemplate) else ""


def _known(
    account: Account, number: Number | None, drafts: Sequence[Draft]
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], str]]:
    """Return the categories and the texts of the drafts' templates, as far as they are stored."""
    wanted = {(d.what.name, d.what.language) for d in drafts if isinstance(d.what, RawTemplate)}
    if number is None or not wanted:
        return {}, {}
    found = rows(
        _KNOWN,
        [account.pk, number.waba_id, [name for name, _ in wanted], [language for _, language in wanted]],
    )
    categories = {(name, language): category for name, language, category, _ in found}
    # A one-time code is nobody's to read again: not in a list, a thread, an export or an event.
    texts = {
        (name, language): text
        for name, language, category, text in found
        if text and category != "AUTHENTICATION"
    }
    return categories, texts


def refuse_while_paused(number: Number) -> None:
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
    if not isinstance(draft.what, RawTemplate):
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
    if not isinstance(draft.what, RawTemplate) or _category(draft, categories) == "AUTHENTICATION":
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


#: what a test key's recipients do, by their last four digits; everybody else receives
MAGIC_RECIPIENTS = {
    "0001": 131026,
    "0002": 131047,
    "0003": 131049,
    "0004": 131050,
    "0005": 131053,
    "0006": 130472,
    "0007": 131042,
}


def as_test(draft: Draft) -> Draft:
    """Turn a draft into what a test key sends: nothing reaches Meta, magic recipients fail as listed."""
    return replace(draft, dry_run=True, simulate=MAGIC_RECIPIENTS.get(draft.to[-4:]))


def queue_batch(origin: Origin, drafts: Sequence[Draft]) -> tuple[Batch, list[Queued]]:
    """Store a bulk request's messages with their batch, all in the caller's transaction.

    Items that are valid but refused by policy are stored as failed and counted in the batch.
    """
    batch = Batch.objects.create(account=origin.account, total=len(drafts), created_at=timezone.now())
    queued = queue_many(replace(origin, batch=batch), drafts)
    batch.refused = sum(1 for one in queued if one.failure)
    if batch.refused:
        batch.save(update_fields=["refused"])
    return batch, queued
