"""Lists of messages: filters, pages by number or by cursor, batches, and rows for an export."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet

from accounts.models import Account
from core.errors import Refusal, invalid
from messaging.compose.written_numbers import looked_for
from messaging.models import Batch, Contact, Message, MessageEvent, Status
from messaging.send import outcomes
from messaging.status.transitions import RANK

#: pages by number read and skip what stands before them; beyond this only the cursor is quick
DEEPEST = 100_000
#: a page by number says how many there are up to this many; counting more would cost more than the page
COUNTED = 10_000
EXPORT_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is narrowed to; None: not at all."""

    statuses: Sequence[Status] | None = None
    batch_id: uuid.UUID | None = None
    to: str | None = None
    search: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``total`` stops counting at ``COUNTED``, and ``capped`` tells whether there are more;
    ``next_cursor`` None: this is the last page."""

    messages: list[Message]
    total: int | None
    next_cursor: str | None
    capped: bool = False


def matching(account: Account, wanted: Wanted) -> QuerySet[Message]:
    """Return an account's outbound messages that match, newest first."""
    rows = Message.objects.filter(account=account, direction=Message.Direction.OUT).order_by("-id")
    if wanted.statuses is not None:
        rows = rows.filter(status__in=wanted.statuses)
    if wanted.batch_id is not None:
        rows = rows.filter(batch=wanted.batch_id)
    if wanted.to is not None:
        # The conversation has an index by message, the number of a message has none.
        people = Contact.objects.filter(account=account).filter(Q(phone=wanted.to) | Q(wa_id=wanted.to))
        known = Q(contact__in=list(people.values_list("pk", flat=True)), recipient=wanted.to)
        rows = rows.filter(known | Q(contact=None, recipient=wanted.to))
    if wanted.search is not None:
        rows = rows.filter(_search(account, wanted.search))
    if wanted.created_from is not None:
        rows = rows.filter(created_at__gte=wanted.created_from)
    if wanted.created_to is not None:
        rows = rows.filter(created_at__lt=wanted.created_to)
    return rows


def _search(account: Account, text: str) -> Q:
    """Look for a message by our id, WhatsApp's id or the recipient; each has an index."""
    found = Q(wamid=text)
    try:
        found |= Q(pk=uuid.UUID(text))
    except ValueError:
        digits = looked_for(text)
        if digits:
            people = Contact.objects.filter(account=account).filter(Q(phone=digits) | Q(wa_id=digits))
            found |= Q(contact__in=list(people.values_list("pk", flat=True)))
            found |= Q(contact=None, recipient=digits)  # a dry run without a number has no contact
    return found


def page(
    account: Account, wanted: Wanted, *, limit: int, number: int = 1, cursor: uuid.UUID | None = None
) -> Page:
    """Return a page by its number, with the total, or the one after ``cursor``, without.

    Raises ``Invalid`` for a page too deep to be reached by number.
    """
    if cursor is not None:
        return newest(account, wanted, limit=limit, cursor=cursor)
    rows = matching(account, wanted)
    first = (number - 1) * limit
    if first + limit > DEEPEST:
        raise invalid("page", f"Only the first {DEEPEST} messages have pages; use cursor beyond.")
    return _page(list(rows[first : first + limit + 1]), limit, rows.order_by()[: COUNTED + 1].count())


def newest(account: Account, wanted: Wanted, *, limit: int, cursor: uuid.UUID | None = None) -> Page:
    """Return the newest messages, or those after ``cursor``, without counting the others."""
    rows = matching(account, wanted)
    if cursor is not None:
        rows = rows.filter(pk__lt=cursor)
    return _page(list(rows[: limit + 1]), limit, None)


def _page(found: list[Message], limit: int, total: int | None) -> Page:
    more = len(found) > limit
    found = found[:limit]
    cursor = str(found[-1].pk) if more and found else None
    if total is None:
        return Page(found, None, cursor)
    return Page(found, min(total, COUNTED), cursor, capped=total > COUNTED)


def sent_with_v1(account: Account, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Message]:
    """Return those of these messages that were sent through ``/v1``, which shows no others (contract 2.3)."""
    rows = Message.objects.filter(account=account, pk__in=ids, source=Message.Source.V1)
    return {message.pk: message for message in rows}


#: failures of messages that never left: nothing was handed over
_NEVER_LEFT = frozenset({outcomes.META_UNREACHABLE.slug})


def handed_over_at(message: Message) -> datetime | None:
    """Return when Meta was given the message, also if it refused it at once; None until it answered (J2)."""
    if message.sent_at is not None or message.status != Status.FAILED:
        return message.sent_at
    return None if message.failure in _NEVER_LEFT else message.submitted_at


def ended_at(message: Message) -> datetime | None:
    """Return when a message failed, or was cancelled, which keeps no column of its own."""
    if message.status != Status.CANCELED:
        return message.failed_at
    entry = message.events.filter(status=Status.CANCELED).order_by("-sequence").first()
    return entry.at if entry else None


#: the order in which a round's statuses belong, whenever they were learnt


def timeline(message: Message) -> list[tuple[str, datetime]]:
    """Return a message's statuses with their times, in the order in which they happened."""
    return [(event.status, event.at) for event in history(message)]


def history(message: Message) -> list[MessageEvent]:
    """Return a message's timeline in the order in which things happened.

    The entries are written in the order in which we learnt them. One that came late is put before what
    follows from it; its time alone would not do, since Meta counts whole seconds and we do not.
    """
    ordered: list[MessageEvent] = []
    for event in message.events.order_by("sequence"):
        place = RANK.get(Status(event.status), 0)
        position = len(ordered)
        while place and position and RANK.get(Status(ordered[position - 1].status), 0) > place:
            position -= 1
        ordered.insert(position, event)
    return ordered


def find(account: Account, message_id: uuid.UUID) -> Message:
    """Find one of an account's messages, out or in, with what it hangs on. Raises ``Refusal``."""
    rows = Message.objects.select_related("connection", "contact", "api_key", "batch")
    message = rows.filter(account=account, pk=message_id).first()
    if message is None:
        raise Refusal("not_found", "No message found with this id.")
    return message


def batch(account: Account, batch_id: uuid.UUID) -> tuple[Batch, dict[str, int]]:
    """Return a batch with its messages counted by status. Raises ``Refusal`` (``not_found``)."""
    found = Batch.objects.filter(account=account, pk=batch_id).first()
    if found is None:
        raise Refusal("not_found", "No batch found with this id.")
    counts = Message.objects.filter(batch=found).order_by().values_list("status").annotate(count=Count("id"))
    return found, dict(counts)


def export(account: Account, wanted: Wanted) -> Iterator[Message]:
    """Yield all matching messages, oldest last, in chunks of a thousand; memory stays flat."""
    last: uuid.UUID | None = None
    while True:
        rows = matching(account, wanted)
        chunk = list((rows.filter(pk__lt=last) if last else rows)[:EXPORT_CHUNK])
        yield from chunk
        if len(chunk) < EXPORT_CHUNK:
            return
        last = chunk[-1].pk
