"""P7: Meta's callbacks: how fast they are acknowledged, and how fast their statuses are applied."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Any

import orjson

from bench.context import Bench
from bench.figures import Figure, ms, spread
from bench.http_load import Request
from bench.load import Result, request
from bench.stack import APP_SECRET, Broken

CLIENTS = 16
STATUSES_TOGETHER = 1000


def callback(sender_number: str, statuses: list[dict[str, Any]]) -> Request:
    """Return a signed callback with statuses of one number, in Meta's form."""
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550000000", "phone_number_id": sender_number},
        "statuses": statuses,
    }
    change = {"field": "messages", "value": value}
    payload = {
        "object": "whatsapp_business_account",
        "entry": [{"id": f"90000000000{sender_number[-1]}", "changes": [change]}],
    }
    text = orjson.dumps(payload).decode()
    signature = hmac.digest(APP_SECRET.encode(), text.encode(), hashlib.sha256).hex()
    return request("POST", "/webhooks/whatsapp", text, X_Hub_Signature_256=f"sha256={signature}")


def _status(wamid: str, ident: str, recipient: str, now: int) -> dict[str, Any]:
    return {
        "id": wamid,
        "status": "delivered",
        "timestamp": str(now),
        "recipient_id": recipient,
        "biz_opaque_callback_data": f"hm:{ident}",
        "conversation": {"id": f"conversation-{recipient}", "origin": {"type": "utility"}},
        "pricing": {"billable": True, "pricing_model": "PMP", "category": "utility", "type": "regular"},
    }


def _prepare(bench: Bench, messages: int) -> dict[str, list[dict[str, Any]]]:
    """Store messages that were sent, and return a ``delivered`` for each, by number."""
    bench.start_web()
    bench.start_workers()
    rows = bench.rows
    rows.clear()
    rows.contacts(messages)
    rows.messages(
        messages,
        people=True,
        events=2,
        status="'sent'",
        sent_at="now()",
        wamid="'wamid.BENCH' || lpad(g::text, 12, '0')",
    )
    rows.settle()
    now = int(time.time())
    numbers = {one.connection_id: one.phone_number_id for one in rows.senders}
    found: dict[str, list[dict[str, Any]]] = {}
    for ident, connection, wamid, recipient in rows.database.execute(
        "SELECT id::text, connection_id::text, wamid, recipient FROM messaging_message ORDER BY wamid"
    ):
        found.setdefault(numbers[connection], []).append(_status(wamid, ident, recipient, now))
    return found


def _applied(bench: Bench, messages: int, began: float) -> float:
    """Wait for all statuses; returns how many a second were applied from the first POST to the last entry."""
    rows = bench.rows
    delivered = "SELECT count(*) FROM messaging_message WHERE status = 'delivered'"
    bench.stack.wait_for(lambda: rows.one(delivered) >= messages, f"{messages} statuses to be applied", 240)
    last = rows.one("SELECT max(recorded_at) FROM messaging_messageevent WHERE status = 'delivered'")
    return messages / (last.timestamp() - began)


def _acknowledged(result: Result) -> None:
    if result.statuses != {200}:
        raise Broken(f"/webhooks/whatsapp answered {result.statuses}")


def singles(bench: Bench, messages: int) -> list[Request]:
    """Return a callback of its own for each of ``messages`` stored messages, in no order."""
    found = _prepare(bench, messages)
    posts = [callback(number, [status]) for number, statuses in found.items() for status in statuses]
    return sorted(posts, key=lambda one: one["headers"]["X-Hub-Signature-256"])


def callbacks(bench: Bench) -> list[Figure]:
    """Single statuses, as Meta mostly sends them, then a thousand in each POST."""
    count = bench.size(3_000, 10_000)
    posts = singles(bench, count)
    port = bench.stack.web_port
    with bench.stack.watch() as watch:
        result = bench.load.run(port, posts, connections=CLIENTS, seconds=120, count=count)
        _acknowledged(result)
        applied = _applied(bench, count, result.began)
    took = spread(result.took)
    rate = result.per_second
    figures = [
        Figure("P7", "Meta's callbacks acknowledged, one status each, 16 clients", rate, " POST/s",
               goal="≥ 1,000/s", reached=rate >= 1000, others=watch.others,
               detail={"seconds": took, "cpu_ms": watch.per(count), "applied_per_second": applied},
               note=f"applied at {applied:,.0f}/s meanwhile"),
        Figure("P7", "… their p99", ms(took["p99"]), " ms", goal="≤ 100 ms", reached=took["p99"] <= 0.1,
               others=watch.others),
    ]  # fmt: skip
    return [*figures, _batched(bench)]


def _batched(bench: Bench) -> Figure:
    count = bench.size(10_000, 40_000)
    found = _prepare(bench, count)
    posts = [
        callback(number, statuses[first : first + STATUSES_TOGETHER])
        for number, statuses in found.items()
        for first in range(0, len(statuses), STATUSES_TOGETHER)
    ]
    with bench.stack.watch() as watch:
        result = bench.load.run(bench.stack.web_port, posts, connections=2, seconds=120, count=len(posts))
        _acknowledged(result)
        applied = _applied(bench, count, result.began)
    return Figure(
        "P7", f"statuses applied, {STATUSES_TOGETHER:,} in a POST", applied, "/s", goal="≥ 3,000/s",
        reached=applied >= 3000, others=watch.others,
        detail={"seconds": spread(result.took), "cpu_ms": watch.per(count)},
    )  # fmt: skip
