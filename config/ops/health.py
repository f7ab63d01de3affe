"""Health: whether the process is alive, and whether requests can be served."""

from __future__ import annotations

import time
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from config.ops.backlog import OLDEST_CALLBACK, OLDEST_DELIVERY, OLDEST_MESSAGE, STUCK_SECONDS
from core.http.plain_views import only_read
from core.redis import client

log = structlog.get_logger(__name__)

#: a worker looks for work several times a second and notes it every two
WORKER_SEEN_SECONDS = 6
#: Postgres settings that the promise "202 means durable" stands on
_DURABLE = ["fsync", "full_page_writes", "synchronous_commit"]

_OLDEST = f"SELECT {OLDEST_MESSAGE}, {OLDEST_CALLBACK}, {OLDEST_DELIVERY}"


@only_read
def healthz(request: HttpRequest) -> JsonResponse:
    """Say that the process is alive; asks nobody."""
    return JsonResponse({"status": "ok", "version": settings.VERSION})


@only_read
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether requests can be served: database, broker, age of the oldest waiting row."""
    checks: dict[str, Any] = {"database": _database(), "broker": _broker(), "queue": _queue()}
    ready = all(check["ok"] for check in checks.values())
    # Told, not counted: without a worker messages are still accepted, and taking the web server out of
    # its load balancer would only lose them. A queue that stands still does count, above.
    checks["worker"] = _worker()
    return JsonResponse(
        {"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503
    )


def _database() -> dict[str, Any]:
    try:
        started = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [_DURABLE])
            found = dict(cursor.fetchall())
    except DatabaseError:
        connection.close()
        return {"ok": False, "error": "the database does not answer"}
    for name, value in found.items():
        if value == "off" and not settings.DURABILITY_NOT_NEEDED:
            return {"ok": False, "error": f"{name} is off: accepted messages could be lost"}
    return {"ok": True, "ms": round((time.perf_counter() - started) * 1000, 1)}


def _broker() -> dict[str, Any]:
    try:
        started = time.perf_counter()
        client().ping()
        return {"ok": True, "ms": round((time.perf_counter() - started) * 1000, 1)}
    except Exception:
        return {"ok": False, "error": "Redis does not answer; messages are accepted and go out later"}


def _queue() -> dict[str, Any]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(_OLDEST)
            waited = cursor.fetchone()
    except DatabaseError:
        connection.close()
        return {"ok": False, "error": "the database does not answer"}
    names = ("messages", "inbox", "deliveries")
    oldest = {
        name: max(0.0, round(float(seconds or 0), 1)) for name, seconds in zip(names, waited, strict=True)
    }
    return {"ok": max(oldest.values()) < STUCK_SECONDS, "oldest_seconds": oldest}


def _worker() -> dict[str, Any]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT (SELECT extract(epoch FROM now() - last_ok_at) FROM messaging_heartbeat "
                "WHERE name = 'worker'), (SELECT h.cluster = s.system_identifier "
                "FROM messaging_home h CROSS JOIN pg_control_system() s WHERE h.id = 1)"
            )
            row = cursor.fetchone()
    except DatabaseError:
        connection.close()
        return {"ok": False, "error": "the database does not answer"}
    if row and row[1] is False:
        return {
            "ok": False,
            "error": "nothing is sent: the database was restored or moved (release_sending)",
        }
    seen = round(float(row[0]), 1) if row and row[0] is not None else None
    return {"ok": seen is not None and seen < WORKER_SEEN_SECONDS, "last_claim_seconds": seen}
