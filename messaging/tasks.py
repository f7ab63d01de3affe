"""Celery's face of messaging: knocks become drains. No task takes an argument."""

from __future__ import annotations

import structlog

from config import stopping
from config.celery import app, wake
from messaging import dispatch, heartbeat, housekeeping, notices, restored, retention, tally, templates

log = structlog.get_logger(__name__)


@app.task(name="messaging.tasks.drain", queue="messages")
def drain() -> None:
    """Send what is due; when the time was up before the work was, knock again."""
    if not restored.may_send():
        log.error("nothing is sent: this database was restored or moved; see manage.py release_sending")
        return
    if dispatch.drain().cut_short and not stopping.asked():
        wake("messages")


@app.task(name="messaging.tasks.adopt_orphans", queue="maintenance")
def adopt_orphans() -> None:
    """Every minute: match early statuses, let what expired fail, add the counts together."""
    housekeeping.adopt_orphans()
    housekeeping.expire()
    tally.compact()


@app.task(name="messaging.tasks.beat_heart", queue="maintenance")
def beat_heart() -> None:
    """Note whether Meta can reach us."""
    heartbeat.beat()


@app.task(name="messaging.tasks.tell_owners", queue="maintenance")
def tell_owners() -> None:
    """Write to the owners of numbers that were held."""
    notices.tell_owners()


@app.task(name="messaging.tasks.sweep", queue="maintenance")
def sweep() -> None:
    """Delete what has been kept long enough."""
    housekeeping.sweep()
    retention.sweep()


@app.task(name="messaging.tasks.sync_templates", queue="maintenance")
def sync_templates() -> None:
    """Read the templates of the WhatsApp accounts whose time has come."""
    templates.sync_due()
