"""The templates as Meta stores them: copied in whole, half-hourly, and by name on demand.

A list of Meta's is asked for outside any transaction. What a callback told us meanwhile is newer than it
and stays.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Number
from accounts.vault import CannotOpen
from core.http import ratelimits
from core.jobs import shutdown
from core.json import character_problem
from messaging.message_templates.news import APPROVED, Change, note
from messaging.meta.graph import GraphError, GraphUnreachable
from messaging.meta.template_graph import TemplateGraph
from messaging.models import Template, TemplateSync

log = structlog.get_logger(__name__)

EVERY = timedelta(minutes=30)
AFTER_FAILURE = timedelta(minutes=5)
#: between two single names asked of one WhatsApp account, whoever asks
ASK_EVERY = timedelta(seconds=10)
#: seconds in which the same unknown name is not asked for again
ASK_NAME_SECONDS = 60
#: seconds that a caller who waits for an answer gives Meta
ASK_TIMEOUT = 4.0

DOUBT_AFTER = timedelta(minutes=1)


def graph_for(number: Number, *, timeout: float = 10) -> TemplateGraph:
    """Return the calls about templates as this number's token sees them.

    Raises ``vault.CannotOpen`` or ValueError for credentials that cannot be used.
    """
    return TemplateGraph(
        settings.META_GRAPH_URL,
        settings.META_GRAPH_VERSION,
        number.access_token,
        number.app_secret or None,
        timeout=timeout,
    )


# --- finding


def find(
    account_id: uuid.UUID, waba_id: str, pairs: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Template]:
    """Return the templates of these names and languages; of several alike, one that can be sent."""
    wanted = Q()
    for name, language in set(pairs):
        wanted |= Q(name=name, language=language)
    if not wanted or not waba_id:
        return {}
    mine = Template.objects.filter(wanted, account_id=account_id, waba_id=waba_id)
    rows = mine.exclude(status="DELETED").defer("raw")  # as large again as what is needed of it
    found: dict[tuple[str, str], Template] = {}
    for row in sorted(rows, key=lambda row: (row.status == APPROVED, row.synced_at)):
        found[row.name, row.language] = row
    return found


# --- copying


def sync(number: Number) -> int:
    """Copy all templates of the number's WhatsApp account; returns how many there are.

    A template that Meta no longer lists is deleted here too. Raises ``GraphError``, ``GraphUnreachable``,
    ``vault.CannotOpen`` or ValueError (no account id), and then changes nothing.
    """
    asked_at = timezone.now()
    with closing(graph_for(number)) as graph:
        found = list(graph.templates(number.waba_id))
    kept = store(number, found, asked_at=asked_at)
    mine = Template.objects.filter(account_id=number.account_id, waba_id=number.waba_id)
    gone = mine.exclude(meta_id__in=kept)
    gone.filter(Q(told_at=None) | Q(told_at__lt=asked_at), synced_at__lt=asked_at).delete()
    _ensure_sync_row(number, due_in=EVERY)
    _sync_row(number).update(synced_at=timezone.now(), error="")
    return len(kept)


@transaction.atomic
def store(number: Number, items: Sequence[dict[str, Any]], *, asked_at: datetime) -> list[str]:
    """Store templates as Meta listed them when ``asked_at``; returns their Meta ids."""
    now = timezone.now()
    usable = [
        item for item in items if item.get("id") and item.get("name") and character_problem(str(item)) is None
    ]
    rows = [_row_of(number, item, now) for item in usable]
    mine = Template.objects.filter(account_id=number.account_id, waba_id=number.waba_id)
    known = {
        row.meta_id: row for row in mine.filter(meta_id__in=[row.meta_id for row in rows]).select_for_update()
    }
    changes: list[Change] = []
    for row in rows:
        before = known.get(row.meta_id)
        if before is None:
            continue
        row.pk = before.pk
        row.correct_category = before.correct_category if row.category == before.category else ""
        if before.told_at is not None and before.told_at >= asked_at:
            row.status, row.category, row.quality = before.status, before.category, before.quality
            row.rejected_reason, row.correct_category = before.rejected_reason, before.correct_category
        changes.append(Change(before, row, now))
    Template.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "waba_id", "meta_id"],
        update_fields=[
            *("name", "language", "status", "category", "correct_category", "quality", "rejected_reason"),
            *("parameter_format", "components", "raw", "synced_at"),
        ],
    )
    note(changes)
    return [row.meta_id for row in rows]


def _row_of(number: Number, item: dict[str, Any], now: datetime) -> Template:
    quality = item.get("quality_score")
    reason = str(item.get("rejected_reason") or "")
    return Template(
        account_id=number.account_id,
        waba_id=number.waba_id,
        meta_id=str(item["id"])[:32],
        name=str(item["name"])[:512],
        language=str(item.get("language") or "")[:20],
        status=str(item.get("status") or "")[:30],
        category=str(item.get("category") or "")[:30],
        quality=str(quality.get("score") or "")[:10] if isinstance(quality, dict) else "",
        rejected_reason="" if reason == "NONE" else reason[:60],
        parameter_format=str(item.get("parameter_format") or "POSITIONAL")[:12],
        components=item.get("components") or [],
        raw=item,
        synced_at=now,
    )


# --- one name, while a caller waits


def ask_for(number: Number, name: str) -> bool:
    """Ask Meta for a name that is not known here; tells whether Meta was asked.

    Never raises: the send goes on without the template. The same name is asked for once a minute and one
    WhatsApp account every ten seconds, so that nobody can make us hammer Meta. Not inside a transaction.
    """
    if not number.waba_id or number.status == Number.Status.HELD:
        return False
    if not ratelimits.hit(
        f"template:{number.account_id}:{number.waba_id}:{name}", limit=1, window=ASK_NAME_SECONDS
    ).admitted:
        return False
    now = timezone.now()
    _ensure_sync_row(number)
    turn = _sync_row(number).filter(Q(asked_at=None) | Q(asked_at__lt=now - ASK_EVERY))
    if not turn.update(asked_at=now):
        return False
    try:
        with closing(graph_for(number, timeout=ASK_TIMEOUT)) as graph:
            store(number, graph.templates_named(number.waba_id, name), asked_at=now)
    except (GraphError, GraphUnreachable, CannotOpen, ValueError) as error:
        log.warning("a template could not be asked for", connection=str(number.pk), error=str(error))
    return True


# --- again and again


def want(account_id: uuid.UUID, waba_id: str) -> None:
    """Let the templates of a WhatsApp account be read again soon."""
    if waba_id:
        now = timezone.now()
        row, created = TemplateSync.objects.get_or_create(
            account_id=account_id, waba_id=waba_id, defaults={"due_at": now}
        )
        if not created and row.due_at > now:
            TemplateSync.objects.filter(pk=row.pk).update(due_at=now)


_DOUBT = """
UPDATE messaging_templatesync AS t SET due_at = now() FROM accounts_connection AS c
WHERE c.id = %s AND t.account_id = c.account_id AND t.waba_id = c.waba_id
  AND t.due_at > now() AND (t.synced_at IS NULL OR t.synced_at < now() - make_interval(secs => %s))
"""


def doubt(connection_id: uuid.UUID) -> None:
    """Let a number's templates be read again, because Meta refused a send for its template.

    What was read within the last minute is not doubted: a campaign's thousand refusals cost one reading.
    """
    with database.cursor() as cursor:
        cursor.execute(_DOUBT, [connection_id, DOUBT_AFTER.total_seconds()])


def _sync_row(number: Number) -> Any:
    return TemplateSync.objects.filter(account_id=number.account_id, waba_id=number.waba_id)


def _ensure_sync_row(number: Number, *, due_in: timedelta = timedelta(0)) -> None:
    row = TemplateSync(account_id=number.account_id, waba_id=number.waba_id, due_at=timezone.now() + due_in)
    TemplateSync.objects.bulk_create([row], ignore_conflicts=True)


_NEW_ACCOUNTS = """
INSERT INTO messaging_templatesync (account_id, waba_id, due_at, error)
SELECT DISTINCT account_id, waba_id, now(), '' FROM accounts_connection
WHERE removed_at IS NULL AND waba_id <> ''
ON CONFLICT (account_id, waba_id) DO NOTHING
"""
_CLAIM = """
UPDATE messaging_templatesync SET due_at = now() + make_interval(secs => %s)
WHERE id = (
    SELECT id FROM messaging_templatesync WHERE due_at <= now() ORDER BY due_at
    LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, account_id, waba_id
"""


#: held while this process reads: a Meta that hangs must not take more than one of its threads
_reading = threading.Lock()


def sync_due(*, seconds: float = 20.0) -> int:
    """Read the templates of every WhatsApp account whose time has come; returns how many were tried.

    An account is new when a number was just connected, due every 30 minutes and after news of Meta's.
    After ``seconds``, or when the process is asked to stop, no further one is begun.
    """
    if not _reading.acquire(blocking=False):
        return 0
    tried = 0
    try:
        until = time.monotonic() + seconds
        with database.cursor() as cursor:
            cursor.execute(_NEW_ACCOUNTS)
        while time.monotonic() < until and not shutdown.asked.is_set():
            with database.cursor() as cursor:
                cursor.execute(_CLAIM, [EVERY.total_seconds()])
                row = cursor.fetchone()
            if row is None:
                break
            _sync_one(*row)
            tried += 1
    finally:
        _reading.release()
    return tried


def _sync_one(row_id: int, account_id: uuid.UUID, waba_id: str) -> None:
    mine = TemplateSync.objects.filter(pk=row_id)
    live = Number.objects.filter(account_id=account_id, waba_id=waba_id, removed_at=None)
    numbers = sorted(live.select_related("account"), key=lambda number: number.status != Number.Status.ACTIVE)
    if not numbers:
        # No number can send them any more; if one comes back, they are read again.
        Template.objects.filter(account_id=account_id, waba_id=waba_id).delete()
        mine.delete()
        return
    if not numbers[0].account.is_active:
        return
    number = next((one for one in numbers if one.status != Number.Status.HELD), None)
    if number is None:
        mine.update(error="Meta refuses the saved credentials. Save new ones.")
        return
    try:
        sync(number)
    except (GraphError, GraphUnreachable, CannotOpen, ValueError) as error:
        told = error.meta.tells if isinstance(error, GraphError) else str(error)
        log.warning("templates could not be read", connection=str(number.pk), error=str(error))
        mine.update(error=told, due_at=timezone.now() + AFTER_FAILURE)
