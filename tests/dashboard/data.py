"""What the pages of messages show, made for tests: hostile words in every place that a stranger fills."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.models import Account, Number
from messaging.models import Batch, Contact, Message, Status, Suppression, Template
from tests import factories

#: shows as text or not at all; each place gets one of its own so that a test can say where
ATTACK = '<script>window.pwned="{0}"</script><img src=x onerror=pwned()>\'"{{{{7*7}}}}'
#: the places that were given a stored script since the process began
SAID: set[str] = set()


def attack(place: str) -> str:
    """Return a stored script that names the place it was put into."""
    SAID.add(place)
    return ATTACK.format(place)


def make_contact(number: Number, *, name: str = "", phone: str = "14155550100", **more: Any) -> Contact:
    """Store a customer as our number sees them."""
    return Contact.objects.create(
        account=number.account, connection=number, phone=phone, wa_id=phone, profile_name=name, **more
    )


def make_talk(
    number: Number, contact: Contact, *, wrote: str = "Hi", ago: timedelta | None = None
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


def fill(number: Number, say: Callable[[str], str] = attack) -> dict[str, Any]:
    """Give an account some messages and what belongs to them; ``say`` gives the words of every place."""
    account = number.account
    Number.objects.filter(pk=number.pk).update(
        verified_name=say("verified"), status_reason=say("reason"), status="held"
    )
    contact = make_contact(number, name=say("profile"))
    inbound = make_talk(number, contact, wrote=say("inbound"))
    batch = Batch.objects.create(account=account, total=1, created_at=timezone.now())
    failed = factories.make_message(
        account,
        status=Status.FAILED,
        connection=number,
        contact=contact,
        batch=batch,
        body=say("body"),
        metadata={say("metadata"): say("metadata value")},
        error_message=say("error"),
        error_code=131026,
        failure="recipient_unreachable",
        error_detail={"title": say("title"), "details": say("details"), say("name"): "x"},
        wamid=say("wamid"),
        correlation_id="req_" + say("correlation")[:100],
        failed_at=timezone.now(),
    )
    template = Template.objects.create(
        account=account,
        waba_id=number.waba_id or "102290129340398",
        meta_id="77",
        name=say("template")[:200],
        language="en_US",
        status="APPROVED",
        category="UTILITY",
        components=[
            {"type": "HEADER", "format": "TEXT", "text": say("header")},
            {"type": "BODY", "text": say("template body") + " {{1}}"},
            {"type": "FOOTER", "text": say("footer")},
            {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": say("button")}]},
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
        content={"type": "template", "template": {"name": say("sent name"), "language": "en_US"}},
    )
    Suppression.objects.create(account=account, phone="14155550199", reason="manual", note=say("note"))
    return {
        "contact": contact,
        "inbound": inbound,
        "failed": failed,
        "sent": sent,
        "batch": batch,
        "template": template,
    }


def make_many(account: Account, number: Number, count: int, *, status: Status = Status.DELIVERED) -> None:
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
                source=Message.Source.CLASSIC,
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
