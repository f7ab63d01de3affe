"""Application of Meta's callbacks: statuses move messages, inbound messages join conversations.

Every item counts by itself: one that cannot be applied is reported and the others go on.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Number
from core.json_signed import Unreadable, read_signed, written
from core.storable import storable
from messaging import suppressions
from messaging.inbound import contacts
from messaging.message_templates import news as template_news
from messaging.meta import codes
from messaging.meta.callback_envelope import Envelope
from messaging.meta.callbacks import (
    Broken,
    InboundMessage,
    StatusUpdate,
    TemplateChange,
    UserPreference,
)
from messaging.meta.payloads import read_ref
from messaging.models import Message, MessageEvent, OrphanStatus, Status, Suppression
from messaging.status import webhook_events
from messaging.status.timeline import Change, Failure, record

log = structlog.get_logger(__name__)

STATUSES = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "played": Status.READ,
    "failed": Status.FAILED,
}


#: a callback of 1,000 statuses, the most that Meta sends together, has some 30,000 values
MAX_VALUES = 500_000
#: characters of the longest number and of the longest user id that a contact can have
LONGEST_NUMBER, LONGEST_USER_ID = 20, 160
#: Meta's code for "this person stopped marketing from you"
MARKETING_STOPPED = 131050


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback to apply. ``account_id`` None: signed with the service's own secret, which may speak
    for every number; otherwise only for that account's."""

    id: uuid.UUID
    account_id: uuid.UUID | None
    envelope: Envelope
    #: it was applied before. Statuses and messages know by themselves what is new; what only tells how
    #: things stood then (a template's state, a wish about marketing) must not undo what came later
    again: bool = False


@dataclass(slots=True)
class Applied:
    """What became of the items; ``parked`` holds, per callback, those that could not be applied."""

    parked: dict[uuid.UUID, list[dict[str, Any]]] = field(default_factory=dict)

    def park(self, callback: Callback, reason: str, raw: object, *, number: str | None = None) -> None:
        """Set an item aside with its reason, and with the ``number`` that it waits for."""
        waits_for = {"number": number} if number else {}
        self.parked.setdefault(callback.id, []).append(
            {"reason": storable(reason)[:500], "item": written(raw)[:2000]} | waits_for
        )


def open_envelope(raw: bytes) -> Envelope:
    """Read the bytes of a genuine callback, once in each process that handles it; never raises."""
    try:
        return Envelope.of(read_signed(raw, max_values=MAX_VALUES), raw=raw)
    except Unreadable as error:
        return Envelope.sealed(raw, str(error))


def apply(callbacks: Sequence[Callback]) -> Applied:
    """Apply callbacks; statuses of all of them in as few statements as possible, then what people wrote.

    In this order, and the people in one order, because the claim locks messages before contacts, too: two
    batches, or a batch and a claim, would otherwise wait for each other in a circle sooner or later. What
    one person wrote keeps its order.

    Raises ``OperationalError`` or ``InterfaceError`` when the database is away: nothing is lost, the
    callbacks are still due.
    """
    applied = Applied()
    numbers = _numbers(callbacks)
    statuses: list[tuple[Callback, Number, StatusUpdate]] = []
    heard: list[tuple[Callback, Number, InboundMessage | UserPreference]] = []
    for callback in callbacks:
        for item in callback.envelope.items():
            if isinstance(item, Broken):
                applied.park(callback, item.reason, item.raw)
                continue
            if callback.again and isinstance(item, TemplateChange | UserPreference):
                continue
            if isinstance(item, TemplateChange):
                _guarded(
                    applied, callback, item, lambda i=item, c=callback: template_news.follow(i, c.account_id)
                )
                continue
            number = numbers.of(callback, item.phone_number_id)
            if number is None:
                if isinstance(item, StatusUpdate | InboundMessage):
                    applied.park(
                        callback, "no such number in this account", item.raw, number=item.phone_number_id
                    )
                continue
            if isinstance(item, StatusUpdate):
                statuses.append((callback, number, item))
            elif isinstance(item, UserPreference | InboundMessage):
                heard.append((callback, number, item))
    _apply_statuses(applied, statuses)
    _apply_heard(applied, heard)
    return applied


def _apply_heard(
    applied: Applied, heard: list[tuple[Callback, Number, InboundMessage | UserPreference]]
) -> None:
    def who(entry: tuple[Callback, Number, InboundMessage | UserPreference]) -> tuple[str, str, str]:
        wa_id, bsuid = _person(entry[2])
        return str(entry[1].pk), wa_id or "", bsuid or ""

    contacts.hold((number.pk, *_person(item)) for _, number, item in heard)
    for callback, number, item in sorted(heard, key=who):
        work = receive if isinstance(item, InboundMessage) else _preference
        _guarded(applied, callback, item, lambda w=work, n=number, i=item: w(n, i))


def _person(item: InboundMessage | UserPreference) -> tuple[str | None, str | None]:
    """Return the WhatsApp number and the BSUID of whom an item comes from."""
    if isinstance(item, InboundMessage):
        return _fitting(item.sender, LONGEST_NUMBER), _fitting(item.sender_user_id, LONGEST_USER_ID)
    return item.wa_id, None


def _fitting(text: str | None, longest: int) -> str | None:
    """Return a name of somebody, or None if it is too long to be one: a part of it would be another's."""
    return text if text and len(text) <= longest else None


def _guarded(applied: Applied, callback: Callback, item: Any, work: Any) -> None:
    """Apply one item under a savepoint, so that whatever is wrong with it harms only itself."""
    try:
        with transaction.atomic():
            work()
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("a callback's item could not be applied", callback=str(callback.id))
        applied.park(callback, repr(error), item.raw)


class _Numbers:
    """The connections that the callbacks' numbers may mean."""

    def __init__(self, rows: Iterable[Number]) -> None:
        self._by_number: dict[str, list[Number]] = {}
        for row in rows:  # live ones first, then the one removed last
            self._by_number.setdefault(row.phone_number_id, []).append(row)

    def of(self, callback: Callback, phone_number_id: str | None) -> Number | None:
        """Return the number, only if the signer may speak for it."""
        for row in self._by_number.get(phone_number_id or "", []):
            if callback.account_id is None or row.account_id == callback.account_id:
                return row
        return None


def _numbers(callbacks: Sequence[Callback]) -> _Numbers:
    wanted: set[str] = set()
    for callback in callbacks:
        wanted |= callback.envelope.phone_number_ids
    # Who only names a number hears nothing of it.
    rows = Number.objects.filter(phone_number_id__in=wanted, proven_at__isnull=False)
    return _Numbers(sorted(rows, key=lambda row: (row.removed_at is not None, -_epoch(row.removed_at))))


def _epoch(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


# --- statuses


def _apply_statuses(applied: Applied, statuses: Sequence[tuple[Callback, Number, StatusUpdate]]) -> None:
    """Record all statuses in one go; if that fails, one by one, so that a bad one harms only itself."""
    if not statuses:
        return
    try:
        _record_statuses([(number, item) for _, number, item in statuses])
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("statuses could not be applied together; each is tried by itself")
        for callback, number, item in statuses:
            _guarded(applied, callback, item, lambda n=number, i=item: _record_statuses([(n, i)]))


@transaction.atomic
def _record_statuses(statuses: Sequence[tuple[Number, StatusUpdate]]) -> None:
    known = _match(statuses)
    changes: list[Change] = []
    stops: list[tuple[uuid.UUID, Number, str]] = []
    for number, item in statuses:
        status = STATUSES.get(item.status)
        if status is None:
            continue  # `deleted`, `warning` and whatever comes next say nothing about delivery
        message_id = known.get((number.pk, item.wamid))
        if message_id is None:
            keep_orphan(number, item)
        else:
            changes.append(change_of(message_id, status, item))
            recipient = _fitting(item.recipient_id, LONGEST_NUMBER)
            if recipient and any(error.code == MARKETING_STOPPED for error in item.errors):
                stops.append((message_id, number, recipient))
    moved = {message_id for message_id, _ in record(changes).moved}
    for message_id, number, recipient in stops:
        # Only news: a report that comes again must not undo what the customer decided since.
        if message_id in moved:
            _stop_marketing(number, recipient)


def _match(
    statuses: Sequence[tuple[Number, StatusUpdate]],
) -> dict[tuple[uuid.UUID, str], uuid.UUID]:
    """Find each status's message: by our own id in it first, then by Meta's.

    A message is found only through the number it was sent from; a signer cannot move another's.
    """
    refs = {ref[0] for _, item in statuses if (ref := read_ref(item.ref))}
    wamids = {item.wamid for _, item in statuses}
    numbers = {number.pk for number, _ in statuses}
    rows = list(
        Message.objects.filter(Q(pk__in=refs) | Q(wamid__in=wamids), direction=Message.Direction.OUT)
        .filter(connection__in=numbers)
        .values_list("id", "connection_id", "wamid", "round")
    )
    by_id = {(connection_id, (ident, number)) for ident, connection_id, _, number in rows}
    by_wamid = {(connection_id, wamid): ident for ident, connection_id, wamid, _ in rows if wamid}
    found: dict[tuple[uuid.UUID, str], uuid.UUID] = {}
    for number, item in statuses:
        ref = read_ref(item.ref)
        ident = ref[0] if ref and (number.pk, ref) in by_id else by_wamid.get((number.pk, item.wamid))
        if ident is not None:
            found[(number.pk, item.wamid)] = ident
    return found


def change_of(message_id: uuid.UUID, status: Status, item: StatusUpdate) -> Change:
    """Translate a status callback into what the timeline understands."""
    failure = None
    if status == Status.FAILED:
        first = item.errors[0] if item.errors else None
        told = codes.failure(
            first.code if first else None,
            first.title if first else None,
            first.details if first else None,
        )
        failure = Failure(
            slug=told.meta.slug,
            message=told.meta.ended,
            code=told.code,
            detail={"title": told.title, "details": told.details, "source": "callback"},
        )
    # Our clock may be behind Meta's; nothing has happened in the future.
    at = min(item.at, datetime.now(UTC))
    return Change(message_id, status, at=at, wamid=item.wamid, failure=failure, pricing=item.pricing)


def keep_orphan(number: Number, item: StatusUpdate) -> None:
    """Keep a status whose message is not known; ``housekeeping`` tries again."""
    digest = hashlib.sha256(orjson.dumps([str(number.pk), item.raw])).digest()
    OrphanStatus.objects.bulk_create(
        [
            OrphanStatus(
                connection=number,
                wamid=item.wamid,
                item=item.raw,
                received_at=timezone.now(),
                digest=digest,
            )
        ],
        ignore_conflicts=True,
    )


# --- inbound messages


def receive(number: Number, item: InboundMessage) -> Message | None:
    """Store an inbound message once; None when it was there already."""
    wa_id, bsuid = _person(item)
    contact = contacts.of_sender(
        number, wa_id=wa_id, bsuid=bsuid, profile_name=(item.profile_name or "")[:300] or None
    )
    now = timezone.now()
    if Message.objects.filter(connection=number, wamid=item.wamid, direction=Message.Direction.IN).exists():
        return None
    message = Message(
        account_id=number.account_id,
        connection=number,
        contact=contact,
        direction=Message.Direction.IN,
        source=Message.Source.META,
        recipient=wa_id or "",
        type=item.type[:40],
        body=item.text,
        content=item.raw,
        status=Status.RECEIVED,
        sequence=1,
        wamid=item.wamid,
        created_at=now,
    )
    inserted = Message.objects.bulk_create([message], ignore_conflicts=True)
    if not Message.objects.filter(pk=inserted[0].pk).exists():
        return None
    MessageEvent.objects.create(
        message=message, sequence=1, status=Status.RECEIVED, at=min(item.at, now), recorded_at=now
    )
    if message.recipient and suppressions.is_command(message.body):
        for phone in contacts.numbers_of(number, message.recipient):
            suppressions.listen(number.account_id, phone, message.body)
    if contact is not None and item.opens_window:
        contacts.heard_from(contact, min(item.at, now))
    webhook_events.received(number, message, item, min(item.at, now))
    return message


def _preference(number: Number, item: UserPreference) -> None:
    """Follow what a customer told WhatsApp about our marketing."""
    if not item.wa_id:
        return
    if item.value == "stop":
        _stop_marketing(number, item.wa_id)
    elif item.value in ("resume", "signup"):
        for phone in contacts.numbers_of(number, item.wa_id):
            suppressions.lift(number.account_id, phone, marketing_only=True)


def _stop_marketing(number: Number, wa_id: str) -> None:
    for phone in contacts.numbers_of(number, wa_id):
        suppressions.suppress(number.account_id, phone, reason=Suppression.Reason.META, marketing_only=True)
