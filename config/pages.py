"""The house's own pages and answers: alive, ready, the OpenAPI document, the explorer, not found."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views.decorators.csrf import csrf_exempt

from billing.plans import LIMITS
from config.dialects import mojeeb
from config.dialects.whatsapi import STATUS, error_body
from config.errors import Refusal
from config.redis import client
from messaging.backlog import OLDEST_CALLBACK, OLDEST_DELIVERY, OLDEST_MESSAGE, STUCK_SECONDS

log = structlog.get_logger(__name__)

#: a worker looks for work several times a second and notes it every two
WORKER_SEEN_SECONDS = 6
#: Postgres settings that the promise "202 means durable" stands on
_DURABLE = ["fsync", "full_page_writes", "synchronous_commit"]

_OLDEST = f"SELECT {OLDEST_MESSAGE}, {OLDEST_CALLBACK}, {OLDEST_DELIVERY}"


def only_read(page: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let a page be read and nothing else, and say so in the API's envelope."""

    @csrf_exempt
    @wraps(page)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            response = _refuse(request, Refusal("method_not_allowed", "This method is not allowed here."))
            response["Allow"] = "GET, HEAD"
            return response
        return page(request, *args, **kwargs)

    return answer


def markdown(text: str) -> HttpResponse:
    """Answer with Markdown, as the twin of a page does."""
    return HttpResponse(text.strip() + "\n", content_type="text/markdown; charset=utf-8")


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


@csrf_exempt
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an unknown path in the envelope of the API that it belongs to."""
    return _refuse(request, Refusal("not_found", "This address does not exist. See /docs."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a crash outside of the API views; nothing of it is told."""
    return _refuse(
        request, Refusal("internal_error", "Something went wrong on our side. Try again in a moment.")
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what Django itself refuses (a wrong Host header, a body too large for it)."""
    return _refuse(request, Refusal("invalid_request", "The request could not be read."))


def _refuse(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    if request.path == mojeeb.ROOT or request.path.startswith(f"{mojeeb.ROOT}/"):
        body, status, headers = mojeeb.refused(refusal)
        return JsonResponse(body, status=status, headers=headers)
    return JsonResponse(error_body(refusal), status=STATUS[refusal.code])


@only_read
def home(request: HttpRequest) -> HttpResponse:
    """Show the front page."""
    return render(request, "home.html", _front())


@only_read
def home_markdown(request: HttpRequest) -> HttpResponse:
    """Give the front page as Markdown."""
    return markdown(render_to_string("home.md", _front()))


def _front() -> dict[str, Any]:
    """Return what the front page says about this server."""
    return {"public_url": settings.PUBLIC_URL, "plans": plans()}


def plans() -> list[dict[str, Any]]:
    """Return what each plan allows, written for people; empty where there is no limit or nothing."""
    return [
        {
            "label": plan.label,
            "monthly": f"{settings.MONTHLY_MESSAGES[plan]:,}" if settings.MONTHLY_MESSAGES[plan] else "",
            "requests": f"{its.requests_per_minute:,}",
            "bulk": f"{its.bulk_messages:,}" if its.bulk_messages else "",
            "endpoints": its.endpoints,
            "agents": its.agents,
            "v1": its.v1_keys,
        }
        for plan, its in LIMITS.items()
    ]
