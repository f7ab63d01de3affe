"""P9 and P10: the same questions with a small and a large table, and a million messages for later."""

from __future__ import annotations

import random
import time
from typing import Any

from bench.context import Bench
from bench.figures import Figure, ms, percentile, spread
from bench.load import request
from bench.stack import Broken
from devstack.launcher.processes import WORKERS

SMALL = 10_000
#: messages due while the claim is timed
DUE = 2_000
CLAIMS = 20


def growth(bench: Bench) -> list[Figure]:
    """P9: claim and reading with few and with many messages in the table."""
    large = bench.size(200_000, 1_000_000, 10_000_000)
    bench.start_web()
    bench.stack.stop_one("beat", *WORKERS)
    bench.rows.clear()
    few = _measure(bench, SMALL)
    _finished(bench, large - SMALL)
    with bench.stack.watch() as watch:
        many = _measure(bench, large)
    figures = []
    for name in many:
        seconds, before = many[name], few.get(name)
        figures.append(
            Figure("P9", f"{name}: {large:,} messages", ms(seconds), " ms", f"{SMALL:,} messages",
                   ms(before) if before else None, "≤ 2 ×", seconds <= 2 * before if before else None,
                   others=watch.others)
        )  # fmt: skip
    return figures


def _finished(bench: Bench, count: int) -> None:
    bench.rows.messages(
        count,
        events=2,
        status="CASE WHEN g %% 10 = 0 THEN 'delivered' ELSE 'sent' END",
        sent_at="now()",
        wamid="'wamid.GROWTH' || md5(g::text)",
        created_at="now() - make_interval(secs => g)",
    )


def _measure(bench: Bench, total: int) -> dict[str, float]:
    if total == SMALL:
        _finished(bench, SMALL)
    bench.rows.settle()
    found = {"claim of 256": _claim_seconds(bench)}
    sender = bench.rows.senders[0]
    header = {"Authorization": f"Bearer {sender.key}"}
    # A part of the table's pages, so that finding them does not read all of ten million rows.
    part = min(100.0, 100.0 * 10_000 / total)
    ids = [
        ident
        for (ident,) in bench.rows.database.execute(
            f"SELECT id::text FROM messaging_message TABLESAMPLE SYSTEM ({part}) "
            "WHERE account_id = %s LIMIT 300",
            [sender.account_id],
        )
    ]
    random.Random(1).shuffle(ids)
    found["GET /messages/{id}"] = _get_seconds(bench, [f"/messages/{ident}" for ident in ids], header)
    for name, path in _lists(bench, header).items():
        found[name] = _get_seconds(bench, [path] * 100, header)
    return found


def _claim_seconds(bench: Bench) -> float:
    """Time the engine's own claim of 256; each is undone, so that the next one finds the same."""
    from django.db import transaction

    from messaging.send.claims import claim

    bench.rows.messages(DUE, status="'queued'", due_at="now()")
    bench.rows.database.execute("ANALYZE messaging_message")
    took = []
    for _ in range(CLAIMS):
        with transaction.atomic():
            began = time.perf_counter()
            claimed = claim(256)
            took.append(time.perf_counter() - began)
            transaction.set_rollback(True)
        if len(claimed) < 200:
            raise Broken(f"a claim of 256 took only {len(claimed)}")
    bench.rows.database.execute(
        "DELETE FROM messaging_messageevent WHERE message_id IN "
        "(SELECT id FROM messaging_message WHERE due_at IS NOT NULL)"
    )
    bench.rows.database.execute("DELETE FROM messaging_message WHERE due_at IS NOT NULL")
    bench.rows.database.execute("VACUUM messaging_message")
    return percentile(took[3:], 0.5)


def _lists(bench: Bench, header: dict[str, str]) -> dict[str, str]:
    """Return the addresses of lists, with a cursor that stands deep inside them when there is one."""
    from bench.stack import get

    paths = {
        "GET /messages, first page with its total": "/messages?limit=20",
        "GET /analytics/summary": "/analytics/summary",
    }
    answer: Any = get(bench.stack.web_port, "/messages?limit=200", header)
    for _ in range(3):
        cursor = _cursor_in(answer)
        if cursor is None:
            return paths
        answer = get(bench.stack.web_port, f"/messages?limit=200&cursor={cursor}", header)
    if cursor := _cursor_in(answer):
        paths["GET /messages, a later page by cursor"] = f"/messages?limit=20&cursor={cursor}"
    return paths


def _cursor_in(answer: Any) -> str | None:
    if isinstance(answer, dict):
        for name, value in answer.items():
            if "cursor" in name.lower() and isinstance(value, str):
                return value
            if (found := _cursor_in(value)) is not None:
                return found
    return None


def _get_seconds(bench: Bench, paths: list[str], header: dict[str, str]) -> float:
    gets = [request("GET", path, **header) for path in paths]
    result = bench.load.run(bench.stack.web_port, gets, connections=1, seconds=30, count=len(gets))
    if result.statuses != {200}:
        raise Broken(f"{paths[0].partition('?')[0]} answered {result.statuses}")
    return percentile(result.took, 0.5)


def scheduled(bench: Bench) -> list[Figure]:
    """P10: how late scheduled messages leave while very many wait for another day."""
    pending = bench.size(100_000, 1_000_000)
    due, over = bench.size(200, 500), 20.0
    bench.stack.stop_one("beat", *WORKERS)
    rows = bench.rows
    rows.clear()
    rows.numbers(rate=80)
    rows.messages(
        pending,
        status="'scheduled'",
        due_at="now() + interval '30 days'",
        scheduled_for="now() + interval '30 days'",
    )
    rows.settle()
    bench.start_workers()
    bench.reset_meta(times=True, rate=80)
    moment = f"now() + make_interval(secs => 4 + {over} * g / {due})"
    rows.messages(
        due, status="'scheduled'", due_at=moment, scheduled_for=moment, recipient="'1416' || (1000000 + g)"
    )
    rows.database.execute("ANALYZE messaging_message")
    with bench.stack.watch() as watch:
        bench.stack.wait_for(
            lambda: rows.one("SELECT count(*) FROM messaging_message WHERE status = 'sent'") >= due,
            "the scheduled messages",
            120,
        )
    times = bench.stack.meta("/_times")
    late = [
        times[f"hm:{ident}"] - moment.timestamp()
        for ident, moment in rows.database.execute(
            "SELECT id::text, scheduled_for FROM messaging_message WHERE status = 'sent'"
        )
    ]
    if min(late) < 0:
        raise Broken(f"a scheduled message left {-min(late):.3f} s early")
    took = spread(late)
    return [
        Figure(
            "P10", f"lateness of scheduled messages, {pending:,} pending, p99", ms(took["p99"]), " ms",
            goal="≤ 1,000 ms", reached=took["p99"] <= 1.0, others=watch.others,
            note=f"p50 {ms(took['p50']):g} ms, at Meta's receipt", detail={"seconds": took, "cpu": watch.cpu},
        )
    ]  # fmt: skip
