"""What the pages of messages show, made for tests: hostile words in every place that a stranger fills."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Account, Connection
from messaging.models import Batch, Contact, Message, Status, Suppression, Template
from tests import factories

#: shows as text or not at all; each place gets one of its own so that a test can say where
ATTACK = '<script>window.pwned="{0}"</script><img src=x onerror=pwned()>\'"{{{{7*7}}}}'


def attack(place: str) -> str:
    """Return a stored script that names the place it was put into."""
    return ATTACK.format(place)


def make_contact(number: Connection, *, name: str = "", phone: str = "14155550100", **more: Any) -> Contact:
    """Store a customer as our number sees them."""
    return Contact.objects.create(
        account=number.account, connection=number, phone=phone, wa_id=phone, profile_name=name, **more
    )


def make_talk(
    number: Connection, contact: Contact, *, wrote: str = "Hi", ago: timedelta | None = None
) -> Message:
    """Let the customer have written, ``ago`` (None: just now)."""
    at = timezone.now() - (ago or timedelta())
    Contact.objects.filter(pk=contact.pk).update(last_inbound_at=at)
    return factories.make_message(
        number.account,
        status=Status.RECEIVED,
        recipient=contact.phone or "",
        connection=number,
        contact=contact,
        direction=Message.Direction.IN,
        source=Message.Source.META,
        wamid=f"wamid.{contact.pk}{at.timestamp()}",
        body=wrote,
        content={"type": "text", "text": {"body": wrote}},
    )


def fill(number: Connection) -> dict[str, Any]:
    """Give an account one of everything, with a stored script in every stranger's field."""
    account = number.account
    Connection.objects.filter(pk=number.pk).update(
        verified_name=attack("verified"), status_reason=attack("reason"), status="held"
    )
    contact = make_contact(number, name=attack("profile"))
    inbound = make_talk(number, contact, wrote=attack("inbound"))
    batch = Batch.objects.create(account=account, total=1, created_at=timezone.now())
    failed = factories.make_message(
        account,
        status=Status.FAILED,
        connection=number,
        contact=contact,
        batch=batch,
        body=attack("body"),
        metadata={attack("metadata"): attack("metadata value")},
        error_message=attack("error"),
        error_code=131026,
        failure="recipient_unreachable",
        error_detail={"title": attack("title"), "details": attack("details"), attack("name"): "x"},
        wamid=attack("wamid"),
        correlation_id="req_" + attack("correlation")[:100],
        failed_at=timezone.now(),
    )
    template = Template.objects.create(
        account=account,
        waba_id=number.waba_id or "102290129340398",
        meta_id="77",
        name=attack("template")[:200],
        language="en_US",
        status="APPROVED",
        category="UTILITY",
        components=[
            {"type": "HEADER", "format": "TEXT", "text": attack("header")},
            {"type": "BODY", "text": attack("template body") + " {{1}}"},
            {"type": "FOOTER", "text": attack("footer")},
            {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": attack("button")}]},
        ],
        synced_at=timezone.now(),
    )
    sent = factories.make_message(
        account,
        status=Status.SENT,
        connection=number,
        contact=contact,
        type="template",
        body=None,
        content={"type": "template", "template": {"name": attack("sent name"), "language": "en_US"}},
    )
    Suppression.objects.create(account=account, phone="14155550199", reason="manual", note=attack("note"))
    return {
        "contact": contact,
        "inbound": inbound,
        "failed": failed,
        "sent": sent,
        "batch": batch,
        "template": template,
    }


def make_many(account: Account, number: Connection, count: int, *, status: Status = Status.DELIVERED) -> None:
    """Store many messages to as many people, quickly."""
    now = timezone.now()
    people = Contact.objects.bulk_create(
        [
            Contact(account=account, connection=number, phone=str(14160000000 + index), last_inbound_at=now)
            for index in range(count)
        ]
    )
    Message.objects.bulk_create(
        [
            Message(
                account=account,
                connection=number,
                contact=one,
                source=Message.Source.WHATSAPI,
                recipient=one.phone or "",
                type="text",
                body="Hello",
                content={"type": "text", "text": {"body": "Hello"}},
                status=status,
                sequence=1,
                created_at=now,
            )
            for one in people
        ],
        batch_size=2_000,
    )
