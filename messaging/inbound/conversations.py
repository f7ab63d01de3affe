"""Conversations: one thread per customer and number, whoever wrote and by whichever way.

A ``Contact`` is the conversation. A send by either API, a send from the dashboard and what the customer
writes all join it (contract J60), because each of them finds the same contact; here they are read again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from accounts.models import Account, Number
from core.errors import Refusal, invalid
from messaging import suppressions
from messaging.compose.drafts import Draft, Text
from messaging.compose.written_numbers import looked_for
from messaging.models import Contact, Message
from messaging.queue import accept

#: Meta lets free text through for this long after the customer last wrote
WINDOW = timedelta(hours=24)
#: rows that one page of the list may walk through while it looks for conversations
WALKED = 3_000

# A message is its conversation's last one when no newer one hangs on the same contact; both the walk and
# the look-up are index scans (message_of_account, message_by_contact), so a page costs the same however
# many messages there are. A thread with thousands of new messages ends the walk early, not the page late.
_LATEST = """
WITH walked AS MATERIALIZED (
    SELECT id, contact_id FROM messaging_message
    WHERE account_id = %s AND id < %s ORDER BY id DESC LIMIT %s
), latest AS MATERIALIZED (
    SELECT w.id FROM walked w
    WHERE w.contact_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM messaging_message n WHERE n.contact_id = w.contact_id AND n.id > w.id)
    ORDER BY w.id DESC LIMIT %s
)
SELECT (SELECT array_agg(id ORDER BY id DESC) FROM latest),
       (SELECT min(id::text)::uuid FROM walked), (SELECT count(*) FROM walked)
"""
_NEWEST = uuid.UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Window:
    """The customer service window: whether free text gets through, and until when. ``closes_at`` None:
    the customer has never written."""

    closes_at: datetime | None
    is_open: bool

    def left(self, at: datetime) -> float:
        """Return for how many seconds after ``at`` it stays open."""
        return max(0.0, (self.closes_at - at).total_seconds()) if self.closes_at else 0.0


@dataclass(frozen=True, slots=True)
class Conversation:
    """One line of the list: with whom, through which number, and the last message."""

    contact: Contact
    last: Message | None
    window: Window
    #: seconds for which free text still gets through
    left: float


@dataclass(frozen=True, slots=True)
class Threads:
    """A page of conversations; ``next_cursor`` None: there are no older ones."""

    conversations: list[Conversation]
    next_cursor: str | None


def window_of(contact: Contact, at: datetime) -> Window:
    """Tell whether the contact's customer service window is open at ``at``."""
    if contact.last_inbound_at is None:
        return Window(None, is_open=False)
    closes_at = contact.last_inbound_at + WINDOW
    return Window(closes_at, is_open=at < closes_at)


def _line(contact: Contact, last: Message | None, at: datetime) -> Conversation:
    window = window_of(contact, at)
    return Conversation(contact, last, window, window.left(at))


def latest(account: Account, *, at: datetime, limit: int, cursor: uuid.UUID | None = None) -> Threads:
    """Return conversations by their last message, newest first; ``cursor`` is a message's id.

    Two statements. A page may be shorter than ``limit`` when one thread fills it; the next cursor then
    goes on behind what was walked.
    """
    with connection.cursor() as sql:
        sql.execute(_LATEST, [account.pk, cursor or _NEWEST, WALKED, limit + 1])
        ids, walked_to, walked = sql.fetchone()
    ids = list(ids or [])
    following = str(ids[limit - 1]) if len(ids) > limit else str(walked_to) if walked == WALKED else None
    rows = (
        Message.objects.filter(pk__in=ids[:limit]).select_related("contact__connection").order_by("-id")
        if ids
        else []
    )
    found = [_line(row.contact, row, at) for row in rows if row.contact]
    return Threads(found, following)


def answered(account: Account, *, at: datetime, limit: int, cursor: str | None = None) -> Threads:
    """Return the conversations of customers who wrote, the latest writer first, with their last message.

    ``cursor`` comes from an earlier page; one that does not parse begins from the start. Three statements.
    """
    people = Contact.objects.filter(account=account, last_inbound_at__isnull=False)
    before = _read_cursor(cursor)
    if before is not None:
        moment, ident = before
        # Meta counts whole seconds, so two may have written at the same moment: the id decides.
        people = people.filter(last_inbound_at__lte=moment).exclude(last_inbound_at=moment, pk__gte=ident)
    contacts = list(people.select_related("connection").order_by("-last_inbound_at", "-pk")[: limit + 1])
    found = _with_last(contacts[:limit], at=at)
    last = contacts[limit - 1] if len(contacts) > limit else None
    following = f"{last.last_inbound_at.isoformat()}~{last.pk}" if last and last.last_inbound_at else None
    return Threads(found, following)


def _read_cursor(text: str | None) -> tuple[datetime, uuid.UUID] | None:
    moment, _, ident = (text or "").partition("~")
    try:
        at = datetime.fromisoformat(moment)
        return (at, uuid.UUID(ident)) if at.tzinfo else None
    except ValueError:
        return None


def search(account: Account, text: str, *, at: datetime, limit: int) -> Threads:
    """Return the conversations with a number (any spelling of it) or whose profile name begins so."""
    digits = looked_for(text)
    rows = Contact.objects.filter(account=account)
    if digits:
        # Both indexes begin with our number, so it is named.
        numbers = list(Number.objects.filter(account=account).values_list("pk", flat=True))
        rows = rows.filter(Q(connection__in=numbers, phone=digits) | Q(connection__in=numbers, wa_id=digits))
    else:
        rows = rows.filter(profile_name__istartswith=text.strip())
    contacts = list(rows.select_related("connection").order_by("-pk")[:limit])
    return Threads(_with_last(contacts, at=at), None)


def _with_last(contacts: Sequence[Contact], *, at: datetime) -> list[Conversation]:
    with connection.cursor() as sql:
        sql.execute(
            "SELECT c.id, (SELECT m.id FROM messaging_message m WHERE m.contact_id = c.id "
            "ORDER BY m.id DESC LIMIT 1) FROM unnest(%s::uuid[]) AS c(id)",
            [[contact.pk for contact in contacts]],
        )
        last_of = dict(sql.fetchall())
    last = Message.objects.in_bulk([ident for ident in last_of.values() if ident])
    return [_line(contact, last.get(last_of.get(contact.pk)), at) for contact in contacts]


def find(account: Account, contact_id: uuid.UUID) -> Contact:
    """Find one of an account's conversations. Raises ``Refusal`` (``not_found``)."""
    contact = (
        Contact.objects.filter(account=account, pk=contact_id).select_related("connection__agent").first()
    )
    if contact is None:
        raise Refusal("not_found", "No conversation found with this id.")
    return contact


def thread(
    contact: Contact, *, limit: int, before: uuid.UUID | None = None, after: uuid.UUID | None = None
) -> list[Message]:
    """Return a conversation's messages, oldest first: the newest ``limit``, those ``before`` an id, or
    all that came ``after`` one. One statement."""
    rows = Message.objects.filter(contact=contact)
    if after is not None:
        return list(rows.filter(pk__gt=after).order_by("id")[:limit])
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(reversed(rows.order_by("-id")[:limit]))


def reply(account: Account, contact: Contact, body: str, *, at: datetime) -> accept.Queued:
    """Queue a text to the customer from the number that the conversation is with.

    Raises ``Invalid`` when the window is closed (Meta would refuse the text) or the customer has opted
    out, ``Refusal`` (``conflict``) when WhatsApp hides the customer's number or ours was removed.
    """
    to = contact.phone or contact.wa_id
    if not to:
        raise Refusal("conflict", "WhatsApp hides this person's number, so Hermod cannot write to them yet.")
    if contact.connection.removed_at is not None:
        raise Refusal(
            "conflict", "The number of this conversation was removed, so nothing can be sent from it."
        )
    if not window_of(contact, at).is_open:
        raise invalid("body", "The 24-hour window is closed. Send an approved template instead.")
    draft = Draft(to=to, what=Text(body))
    origin = accept.Origin(Message.Source.DASHBOARD, account, number=contact.connection)
    return accept.queue(origin, draft)


def is_suppressed(account: Account, contact: Contact) -> bool:
    """Tell whether the customer is on the suppression list for everything."""
    phones = [form for form in (contact.phone, contact.wa_id) if form]
    return not all(suppressions.among(account, phones).values())
