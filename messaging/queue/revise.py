"""Revision of a message that was accepted before: to go out again, or not at all."""

from __future__ import annotations

import uuid
from datetime import timedelta

from accounts.connections import default_number
from accounts.models import Account
from billing import quota
from core.errors import FieldError, Invalid, Refusal, invalid
from messaging import suppressions
from messaging.models import Message, Status, Template
from messaging.queue.accept import LIFETIME_OTHER, LIFETIME_TEXT, NO_CREDENTIALS, refuse_while_paused
from messaging.status.timeline import Change, record, requeue
from messaging.status.words import shown
from messaging.suppressions import OPTED_OUT


def retry(account: Account, message_id: uuid.UUID, *, as_test: bool = False) -> None:
    """Queue a failed message again, in the caller's transaction; the same id, a new attempt (W20).

    Raises ``Refusal``: ``conflict`` when it is not ``failed`` or a test key would send for real,
    ``upstream_unavailable`` while the number is paused, ``quota_exceeded``; ``Invalid`` without
    credentials or when the recipient has opted out.
    """
    message = Message.objects.select_for_update(no_key=True).get(account=account, pk=message_id)
    if message.status != Status.FAILED:
        raise Refusal(
            "conflict", f"Only failed messages can be retried; this one is {shown(message.status)}."
        )
    if not message.dry_run:
        if as_test:
            raise Refusal("conflict", "A test key cannot send a real message again. Use a live one.")
        number = message.connection  # which it goes out from again; a removed one's place is taken (W49)
        if number is None or number.removed_at is not None:
            number = default_number(account)
        if number is None:
            raise Invalid([FieldError("credentials", NO_CREDENTIALS)], NO_CREDENTIALS)
        refuse_while_paused(number)
        listed = suppressions.among(account, [message.recipient])
        if message.recipient in listed and (not listed[message.recipient] or _is_marketing(message)):
            raise invalid("to", OPTED_OUT.message, code="recipient_opted_out")
        if message.failure == OPTED_OUT.slug and _never_queued(message):
            quota.charge(account.pk, 1)
    requeue(message.pk, lifetime=_lifetime_of(message))


def _never_queued(message: Message) -> bool:
    """Tell whether a bulk request refused the message at once, and so did not pay for it."""
    first = message.events.order_by("sequence").first()
    return not message.round and first is not None and first.status == Status.FAILED


def _is_marketing(message: Message) -> bool:
    template = message.content.get("template") or {}
    return Template.objects.filter(
        account_id=message.account_id,
        name=template.get("name", ""),
        language=template.get("language", ""),
        category="MARKETING",
    ).exists()


def _lifetime_of(message: Message) -> timedelta:
    """Return how long a message was worth sending when it was last queued."""
    if message.expires_at is None:
        return LIFETIME_OTHER if message.type == "template" else LIFETIME_TEXT
    queued = message.events.filter(status=Status.QUEUED).order_by("-sequence").first()
    if message.round and queued is not None:
        return message.expires_at - queued.recorded_at
    return message.expires_at - (message.scheduled_for or message.created_at)


def cancel(account: Account, message_id: uuid.UUID, *, as_test: bool = False) -> None:
    """Cancel a message that has not been handed to Meta.

    Raises ``Refusal``: ``not_found``, or ``conflict`` when it was handed over, or ended, before, or a test
    key would take back a real message.
    """
    found = Message.objects.filter(account=account, pk=message_id, direction=Message.Direction.OUT)
    rehearsal = found.values_list("dry_run", flat=True).first()
    if rehearsal is None:
        raise Refusal("not_found", "No message found with this id.")
    if as_test and not rehearsal:
        raise Refusal("conflict", "A test key cannot cancel a real message. Use a live one.")
    if not record([Change(message_id, Status.CANCELED)]).moved:
        raise Refusal("conflict", "This message was already handed to WhatsApp, or has ended.")
