"""News of a template: kept, told to the customer, and learnt from Meta's callbacks about it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts.models import Number
from messaging.meta.items import TemplateChange
from messaging.models import HeaderSample, Template, TemplateEvent, TemplateSync
from messaging.status import webhook_events
from webhooks.outgoing.outbox import Announcement, publish

APPROVED = "APPROVED"
FOLLOWED = ("status", "category", "quality", "rejected_reason")
#: words of Meta's news for which its lists have another
_STATUS_OF = {"REINSTATED": APPROVED, "UNPAUSE": APPROVED}


@dataclass(frozen=True, slots=True)
class Change:
    """A template before and after; ``note`` is what Meta adds to it."""

    before: Template
    after: Template
    at: datetime
    note: str = ""

    def fields(self) -> list[str]:
        """Return what differs of that which is followed."""
        return [name for name in FOLLOWED if getattr(self.before, name) != getattr(self.after, name)]

    def announcement(self) -> Announcement:
        """Write it as the customer's webhook hears it."""
        before, after = self.before, self.after
        data = {
            "templateId": after.meta_id,
            "name": after.name,
            "language": after.language,
            "status": after.status,
            "category": after.category or None,
            "previousCategory": before.category if before.category != after.category else None,
            "reason": after.rejected_reason or self.note or None,
        }
        return Announcement(
            after.account_id, "template.status_updated", data, subject=after.meta_id, at=self.at
        )


def note(changes: Sequence[Change]) -> None:
    """Keep what changed, tell the customer, and forget samples that another review may have replaced."""
    differing = [(change, change.fields()) for change in changes]
    TemplateEvent.objects.bulk_create(
        TemplateEvent(
            template_id=change.before.pk,
            field=name,
            before=getattr(change.before, name),
            after=getattr(change.after, name),
            note=change.note[:200],
            at=change.at,
        )
        for change, names in differing
        for name in names
    )
    publish([change.announcement() for change, names in differing if {"status", "category"} & set(names)])
    reviewed = [
        change.before.pk
        for change, names in differing
        if "status" in names and change.after.status == APPROVED
    ]
    HeaderSample.objects.filter(template_id__in=reviewed).delete()


# --- Meta's news


@transaction.atomic
def follow(item: TemplateChange, account_id: uuid.UUID | None) -> None:
    """Apply what a callback says of a template; ``account_id`` None: the signer speaks for every account."""
    # Only who has shown that the WhatsApp account is theirs hears of it.
    numbers = Number.objects.filter(
        proven_waba_id=item.waba_id or "", proven_at__isnull=False, removed_at=None
    ).exclude(proven_waba_id="")
    if account_id is not None:
        numbers = numbers.filter(account_id=account_id)
    accounts = list(numbers.values_list("account_id", flat=True).distinct())
    mine = Template.objects.filter(
        account_id__in=accounts, waba_id=item.waba_id or "", meta_id=item.template_id
    )
    rows = list(mine.select_for_update())
    for row in rows:
        _apply(row, item)
    if not rows:
        webhook_events.unknown_template_changed(item, accounts)
    if not rows or item.field == "message_template_components_update":
        _want_all(item.waba_id, accounts)


def _apply(row: Template, item: TemplateChange) -> None:
    now = timezone.now()
    at = min(item.at or now, now)  # nothing has happened in the future
    if row.news_at is not None and at < row.news_at:
        return  # later news came first
    before = Template(pk=row.pk, **{name: getattr(row, name) for name in FOLLOWED})
    if item.event and item.field == "message_template_status_update":
        row.status = _STATUS_OF.get(item.event, item.event)[:30]
        row.rejected_reason = (item.reason or "")[:60] if row.status == "REJECTED" else ""
    if item.quality:
        row.quality = item.quality[:10]
    if item.category and item.field == "template_category_update":
        # A notice in advance carries the category that is still in force beside the coming one.
        row.category = item.category[:30]
        row.correct_category = (item.correct_category or "")[:30]
    row.told_at, row.news_at = now, at
    row.save(update_fields=[*FOLLOWED, "correct_category", "told_at", "news_at"])
    note([Change(before, row, at, item.title or item.reason or "")])


def _want_all(waba_id: str | None, accounts: Sequence[uuid.UUID]) -> None:
    due = TemplateSync.objects.filter(
        account_id__in=accounts, waba_id=waba_id or "", due_at__gt=timezone.now()
    )
    due.update(due_at=timezone.now())
