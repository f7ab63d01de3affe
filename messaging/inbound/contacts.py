"""Contacts: one per customer and number, found by BSUID, wa_id or phone."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.db.models.functions import Greatest

from accounts.models import Number
from core.sql import rows
from messaging.models import Contact, Message

# Each number's people have indexes by phone and by wa_id; there is none without the number.
_ANYWHERE = (
    "SELECT c.id FROM accounts_connection n CROSS JOIN LATERAL ("
    "SELECT id FROM messaging_contact WHERE connection_id = n.id AND phone = %s "
    "UNION SELECT id FROM messaging_contact WHERE connection_id = n.id AND wa_id = %s) c"
)


def find(number: Number, phone: str) -> Contact | None:
    """Return the contact that a dialled number belongs to, without adding it."""
    mine = Contact.objects.filter(connection=number)
    return mine.filter(phone=phone).first() or mine.filter(wa_id=phone).first()


def learn_wa_id(*, contact_id: uuid.UUID, wa_id: str) -> None:
    """Note that Meta calls the dialled number ``wa_id``.

    When a contact of that ``wa_id`` exists already (the customer wrote first), the two become one: the
    older conversation keeps its id and takes over the messages.
    """
    try:
        with transaction.atomic():
            Contact.objects.filter(pk=contact_id, wa_id=None).update(wa_id=wa_id)
            return
    except IntegrityError:
        pass
    with transaction.atomic():
        ours = Contact.objects.select_for_update().filter(pk=contact_id).first()
        if ours is None:
            return
        other = Contact.objects.select_for_update().get(connection=ours.connection_id, wa_id=wa_id)
        Message.objects.filter(contact=ours).update(contact=other)
        phone = ours.phone
        ours.delete()
        if other.phone is None:
            Contact.objects.filter(pk=other.pk).update(phone=phone)


_HOLD = """
SELECT c.id FROM messaging_contact c
JOIN unnest(%s::uuid[], %s::text[], %s::text[]) AS u(connection_id, wa_id, bsuid)
    ON c.connection_id = u.connection_id AND (c.wa_id = u.wa_id OR c.phone = u.wa_id OR c.bsuid = u.bsuid)
ORDER BY c.id FOR NO KEY UPDATE OF c
"""


def hold(people: Iterable[tuple[uuid.UUID, str | None, str | None]]) -> None:
    """Lock the known ones of these people (number, wa_id, BSUID) until the transaction ends.

    In the order of their ids, as everybody does who needs several: so nobody waits for another in a circle.
    """
    wanted = set(people)
    if len(wanted) > 1:
        rows(_HOLD, [list(column) for column in zip(*wanted, strict=True)])


def of_sender(
    number: Number, *, wa_id: str | None, bsuid: str | None, profile_name: str | None
) -> Contact | None:
    """Find or add the contact that wrote to ``number``; None when Meta named nobody."""
    if not wa_id and not bsuid:
        return None
    with transaction.atomic():
        contact = _known(number, wa_id=wa_id, bsuid=bsuid)
        if contact is None:
            try:
                with transaction.atomic():
                    return Contact.objects.create(
                        account_id=number.account_id,
                        connection=number,
                        phone=wa_id,
                        wa_id=wa_id,
                        bsuid=bsuid,
                        profile_name=profile_name or "",
                    )
            except IntegrityError:  # somebody added it between our look and our insert
                contact = _known(number, wa_id=wa_id, bsuid=bsuid)
                if contact is None:
                    raise
        learnt = []
        for name, value in (("wa_id", wa_id), ("bsuid", bsuid)):
            taken = value and Contact.objects.filter(connection=number, **{name: value}).exists()
            if value and getattr(contact, name) is None and not taken:
                setattr(contact, name, value)
                learnt.append(name)
        if profile_name and contact.profile_name != profile_name:
            contact.profile_name = profile_name
            learnt.append("profile_name")
        if learnt:
            contact.save(update_fields=learnt)
        return contact


def _known(number: Number, *, wa_id: str | None, bsuid: str | None) -> Contact | None:
    # Not the key: messages to this person are accepted meanwhile.
    mine = Contact.objects.select_for_update(no_key=True).filter(connection=number)
    for condition in (Q(bsuid=bsuid) if bsuid else None, Q(wa_id=wa_id) if wa_id else None, Q(phone=wa_id)):
        if condition is not None and (contact := mine.filter(condition).first()) is not None:
            return contact
    return None


def numbers_of(number: Number, wa_id: str) -> set[str]:
    """Return every form of a person's number: WhatsApp's own, and the one our side dials."""
    mine = Contact.objects.filter(connection=number).filter(Q(wa_id=wa_id) | Q(phone=wa_id))
    found = {wa_id}
    for phone, known in mine.values_list("phone", "wa_id"):
        found |= {form for form in (phone, known) if form}
    return found


def anywhere(digits: str) -> list[uuid.UUID]:
    """Find the people with a number, whoever's they are; for operators alone. None for no digits."""
    if not digits:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_ANYWHERE, [digits, digits])
        return [ident for (ident,) in cursor.fetchall()]


def heard_from(contact: Contact, at: datetime) -> None:
    """Open the customer service window: the customer wrote at ``at``."""
    Contact.objects.filter(pk=contact.pk, last_inbound_at=None).update(last_inbound_at=at)
    Contact.objects.filter(pk=contact.pk).update(last_inbound_at=Greatest("last_inbound_at", at))
