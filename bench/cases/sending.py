"""P1, P2 and P11: how fast due messages leave, how well a number's own limit is used, memory."""

from __future__ import annotations

import time
from typing import Any

from bench import machine
from bench.context import Bench
from bench.figures import Figure
from bench.stack import Broken
from devstack.launcher.processes import WORKERS

#: least time between the first stored message and the moment at which all of them become due
HEAD_START_SECONDS = 5.0


def send_all(bench: Bench, count: int, *, numbers: int, rate: float, wait: float) -> tuple[float, Any]:
    """Store messages and let the workers send them; returns seconds from due to recorded, and the CPU."""
    rows = bench.rows
    rows.clear()
    rows.numbers(rate=rate)
    rows.contacts(count, numbers=numbers)
    # Written before they are due, all for the same moment, so that only sending is measured.
    due = rows.one("SELECT now() + make_interval(secs => %s)", HEAD_START_SECONDS + count / 4000)
    moment = f"'{due.isoformat()}'::timestamptz"
    rows.messages(count, numbers=numbers, people=True, status="'queued'", due_at=moment)
    rows.settle()
    if rows.one("SELECT now() >= %s", due):
        raise Broken("the messages were stored too late; the machine is too busy")
    while not rows.one("SELECT now() >= %s", due):
        time.sleep(0.01)
    with bench.stack.watch() as watch:
        bench.stack.wait_for(
            lambda: rows.one("SELECT count(*) FROM messaging_message WHERE status = 'sent'") >= count,
            f"{count} messages to be sent",
            wait,
        )
    last = rows.one("SELECT max(recorded_at) FROM messaging_messageevent WHERE status = 'sent'")
    return (last - due).total_seconds(), watch


def throughput(bench: Bench) -> list[Figure]:
    """P1 and P11: 10 numbers, everything due at once, twice; memory after each."""
    count = bench.size(4_000, 20_000)
    rounds = bench.size(1, 2, 5)
    typical, client = bench.baselines.typical_sends, bench.baselines.client
    bench.start_workers()
    bench.start_web()
    bench.reset_meta()
    send_all(bench, 500, numbers=10, rate=1000, wait=60)  # first connections, compiled statements
    runs: list[dict[str, Any]] = []
    others = 0.0
    for _ in range(rounds):
        bench.reset_meta()
        seconds, watch = send_all(bench, count, numbers=10, rate=1000, wait=300)
        stats = bench.stack.meta("/_stats")
        received = sum(one["accepted"] for one in stats["numbers"].values())
        if received != count:
            raise Broken(f"Meta's stand-in received {received} of {count} messages")
        others = max(others, watch.others)
        cpu = watch.per(count)
        cpu["workers"] = round(sum(cpu.pop(name) for name in WORKERS), 3)
        runs.append({"per_second": count / seconds, "cpu_ms": cpu, "rss_mb": _memory(bench)})
    best = max(run["per_second"] for run in runs)
    what = f"sent end to end, 10 numbers, {count:,} messages"
    detail = {"runs": runs, "count": count}
    return [
        Figure(
            "P1", what, best, "/s", "typical", typical, "≥ 12 ×", best >= 12 * typical,
            others=others, detail=detail,
        ),
        Figure(
            "P1", what, best, "/s", "client ceiling", client, "≥ 50 %", best >= 0.5 * client, others=others
        ),
        *_memory_figures(bench, runs, count),
    ]  # fmt: skip


def _memory(bench: Bench) -> dict[str, float]:
    pids = bench.stack.pids()
    return {
        "web": max((machine.rss_mb(pid) for pid in machine.tree(pids["web"])[1:]), default=0.0),
        "worker": max(machine.rss_mb(pid) for name in WORKERS for pid in machine.tree(pids[name])),
    }


def _memory_figures(bench: Bench, runs: list[dict[str, Any]], count: int) -> list[Figure]:
    # The web worker has served P3's requests only when P3 ran before; its own case comes later.
    worker = [run["rss_mb"]["worker"] for run in runs]
    slope = (worker[-1] - worker[0]) / (len(worker) - 1) * 10_000 / count if len(worker) > 1 else None
    note = f"after {count * len(runs):,} messages"
    if slope is not None:
        note += f"; {slope:+.1f} MB for each further 10,000"
    return [
        Figure(
            "P11", "memory of a Celery worker", worker[-1], " MB", goal="≤ 200 MB, flat",
            reached=worker[-1] <= 200 and (slope is None or slope < 2.0), note=note,
            detail={"rss_mb": worker, "slope_mb_per_10000": slope},
        )
    ]  # fmt: skip


def own_limit(bench: Bench) -> list[Figure]:
    """P2: one number, its rate enforced by the stand-in."""
    bench.start_workers()
    return [
        _own_limit(bench, 80, bench.size(8, 25)),
        _own_limit(bench, 1000, bench.size(5, 15)),
    ]


def _own_limit(bench: Bench, rate: int, seconds: int) -> Figure:
    bench.reset_meta(rate=rate)
    _, watch = send_all(bench, rate * seconds, numbers=1, rate=rate, wait=seconds * 6 + 60)
    number = bench.stack.meta("/_stats")["numbers"][bench.rows.senders[0].phone_number_id]
    times = sorted(number["times"])
    first, last = times[0] + 1.0, times[-1] - 0.5
    achieved = sum(first <= moment < last for moment in times) / (last - first)
    refused = number["refused"] / (number["refused"] + number["accepted"])
    return Figure(
        "P2", f"one number at its limit of {rate:,}/s", achieved, "/s", "its limit", float(rate),
        "≥ 95 %, refused ≤ 1 %", achieved >= 0.95 * rate and refused <= 0.01,
        note=f"{refused:.1%} refused with 130429", others=watch.others,
        detail={"refused": number["refused"], "accepted": number["accepted"], "peak_second": _peak(times)},
    )  # fmt: skip


def _peak(times: list[float]) -> int:
    """Return the most messages within any one second."""
    most = start = 0
    for end, moment in enumerate(times):
        while times[start] <= moment - 1.0:
            start += 1
        most = max(most, end - start + 1)
    return most
