"""P3 and P4: how fast requests to send are accepted, one by one and in bulk."""

from __future__ import annotations

from bench import machine
from bench.baselines.measure import CONNECTIONS
from bench.context import Bench
from bench.figures import Figure, ms, spread
from bench.http_load import Request
from bench.load import request
from bench.stack import Broken

#: people that requests go to; half of them are known before
PEOPLE = 20_000


def prepare(bench: Bench, *, held: bool) -> None:
    """Start what accepts and let it know half of the people; a held number accepts and sends nothing."""
    bench.start_web()
    bench.start_workers()
    bench.reset_meta()
    bench.rows.clear()
    bench.rows.numbers(rate=1000, held=held)
    bench.rows.contacts(PEOPLE // 2, numbers=1)
    bench.rows.history()
    bench.rows.settle()


def single(bench: Bench) -> list[Figure]:
    """P3: ``POST /send-message`` from 16 clients; first accepting alone, then with the engine sending."""
    figures = []
    # A held number accepts and sends nothing: the drains are awake and hear each wake-up, as in real life.
    prepare(bench, held=True)
    requests = bench.send_requests(PEOPLE)
    requests.sort(key=lambda one: hash(one["body"]) % 1_000_003)
    bench.load.run(bench.stack.web_port, requests[:500], connections=CONNECTIONS, seconds=60, count=500)
    with bench.stack.watch() as watch:
        result = bench.load.run(
            bench.stack.web_port, requests, connections=CONNECTIONS, seconds=bench.size(3, 10)
        )
    if result.statuses != {202}:
        raise Broken(f"/send-message answered {result.statuses}")
    took = spread(result.took)
    base = bench.baselines
    detail = {"seconds": took, "cpu_ms": watch.per(len(result.samples))}
    what, rate = "POST /send-message, 16 clients", result.per_second
    figures += [
        Figure("P3", what, rate, "/s", "typical", base.typical_accepts, "≥ 3 ×",
               rate >= 3 * base.typical_accepts, others=watch.others, detail=detail),
        Figure("P3", what, rate, "/s", "hello ceiling", base.hello, "≥ 30 %", rate >= 0.3 * base.hello,
               others=watch.others),
    ]  # fmt: skip
    if base.database:
        figures.append(Figure("P3", what, rate, "/s", "database ceiling", base.database, others=watch.others))
    figures.append(
        Figure("P3", "… its p99", ms(took["p99"]), " ms", "its p50", ms(took["p50"]), "≤ 10 ×",
               took["p99"] <= 10 * took["p50"], others=watch.others)
    )  # fmt: skip
    figures.append(_while_sending(bench))
    return figures


def _while_sending(bench: Bench) -> Figure:
    prepare(bench, held=False)
    requests = bench.send_requests(PEOPLE)
    with bench.stack.watch() as watch:
        result = bench.load.run(
            bench.stack.web_port, requests, connections=CONNECTIONS, seconds=bench.size(3, 10)
        )
    sent = bench.rows.one("SELECT count(*) FROM messaging_message WHERE status = 'sent'")
    bench.rows.numbers(held=True)
    rate = result.per_second
    return Figure(
        "P3", "… while the engine sends what was accepted", rate, "/s", "typical, the same",
        bench.baselines.typical_accepts_while_sending,
        note=f"{sent / result.seconds:,.0f}/s sent meanwhile", others=watch.others,
        detail={"seconds": spread(result.took)},
    )  # fmt: skip


def bulk_requests(bench: Bench) -> list[Request]:
    """Return twenty requests of 1,000 texts each."""
    key = bench.rows.senders[0].key
    return [
        request(
            "POST",
            "/messages/bulk",
            {
                "messages": [
                    {"to": f"1415{(part * 1000 + n) % PEOPLE:07d}", "message": "Hello, World!"}
                    for n in range(1000)
                ]
            },
            Authorization=f"Bearer {key}",
        )
        for part in range(20)
    ]


def bulk(bench: Bench) -> list[Figure]:
    """P4: ``POST /messages/bulk`` of 1,000 from two clients."""
    prepare(bench, held=True)
    requests = bulk_requests(bench)
    bench.load.run(bench.stack.web_port, requests[:2], connections=2, seconds=60, count=2)
    with bench.stack.watch() as watch:
        result = bench.load.run(
            bench.stack.web_port, requests, connections=2, seconds=120, count=bench.size(10, 60)
        )
    if result.statuses == {404}:
        return [Figure("P4", "POST /messages/bulk of 1,000", note="not there yet")]
    if result.statuses != {202}:
        raise Broken(f"/messages/bulk answered {result.statuses}")
    rate = result.per_second * 1000
    took = spread(result.took)
    detail = {"seconds": took, "cpu_ms": watch.per(1000 * len(result.samples))}
    return [
        Figure("P4", "POST /messages/bulk of 1,000, 2 clients", rate, " messages/s", goal="≥ 8,000/s",
               reached=rate >= 8000, others=watch.others, detail=detail),
        Figure("P4", "… its p95", ms(took["p95"]), " ms", goal="≤ 400 ms", reached=took["p95"] <= 0.4,
               others=watch.others),
    ]  # fmt: skip


def memory_of_web(bench: Bench) -> list[Figure]:
    """P11's other half, after everything that was asked of the web server."""
    pids = bench.stack.pids()
    if "web" not in pids:
        return []
    largest = max((machine.rss_mb(pid) for pid in machine.tree(pids["web"])[1:]), default=0.0)
    return [
        Figure("P11", "memory of a web worker", largest, " MB", goal="≤ 150 MB", reached=largest <= 150,
               note="after all cases of this run")
    ]  # fmt: skip
