"""P5 and P6: how long from our 202 to Meta's receipt, in peace and behind 100,000 bulk messages."""

from __future__ import annotations

import time

import orjson

from bench.context import Bench
from bench.figures import Figure, ms, spread
from bench.load import Result
from bench.stack import Broken

#: how long the last message may take after the load has ended
PATIENCE_SECONDS = 20.0


def to_meta(bench: Bench, result: Result) -> list[float]:
    """Return, for each accepted message, the seconds from its 202 to Meta's receipt."""
    if result.statuses != {202}:
        raise Broken(f"/send-message answered {result.statuses}")
    accepted = {"hm:" + orjson.loads(sample["body"])["data"]["id"]: sample["at"] for sample in result.samples}
    ends = time.monotonic() + PATIENCE_SECONDS
    while True:
        times = bench.stack.meta("/_times")
        if all(ref in times for ref in accepted) or time.monotonic() > ends:
            break
        time.sleep(0.2)
    missing = sum(ref not in times for ref in accepted)
    if missing:
        raise Broken(f"{missing} of {len(accepted)} messages did not reach Meta")
    # The client may read our 202 after Meta has the message: that is no wait at all.
    return [max(0.0, times[ref] - at) for ref, at in accepted.items()]


def receipt(bench: Bench) -> list[Figure]:
    """P5: 50 messages a second."""
    bench.start_web()
    bench.start_workers()
    bench.reset_meta(times=True)
    bench.rows.clear()
    bench.rows.contacts(2000, numbers=1)
    bench.rows.history()
    bench.rows.settle()
    count = bench.size(250, 1500)
    port = bench.stack.web_port
    bench.load.run(port, bench.send_requests(50, offset=5000), connections=4, seconds=5, count=50)
    time.sleep(1)
    with bench.stack.watch() as watch:
        result = bench.load.run(
            port, bench.send_requests(count), connections=16, every=0.02, count=count, bodies=True
        )
    took = spread(to_meta(bench, result))
    detail = {"seconds": took, "accept_seconds": spread(result.took)}
    return [
        Figure("P5", "202 → Meta's receipt at 50/s, p50", ms(took["p50"]), " ms", goal="≤ 60 ms",
               reached=took["p50"] <= 0.06, others=watch.others, detail=detail),
        Figure("P5", "… p95", ms(took["p95"]), " ms", goal="≤ 250 ms", reached=took["p95"] <= 0.25,
               others=watch.others),
    ]  # fmt: skip


def behind_bulk(bench: Bench) -> list[Figure]:
    """P6: a text (the lane of one-time passwords) every 500 ms on a number with a full bulk queue."""
    bench.start_web()
    bench.start_workers()
    bench.reset_meta(times=True, rate=80)
    rows = bench.rows
    rows.clear()
    rows.numbers(rate=80, held=True)
    waiting = bench.size(20_000, 100_000)
    rows.contacts(waiting, numbers=1)
    rows.messages(waiting, numbers=1, people=True, status="'queued'", due_at="now()", lane="2")
    rows.settle()
    rows.numbers(rate=80)
    time.sleep(3)
    count = bench.size(20, 120)
    with bench.stack.watch() as watch:
        result = bench.load.run(
            bench.stack.web_port,
            bench.send_requests(count, offset=5_000_000),
            connections=4,
            every=0.5,
            count=count,
            bodies=True,
        )
    took = spread(to_meta(bench, result))
    stats = bench.stack.meta("/_stats")["numbers"][rows.senders[0].phone_number_id]
    bulk = (stats["accepted"] - count) / (stats["last"] - stats["first"])
    rows.numbers(held=True)
    return [
        Figure(
            "P6", f"one-time password while {waiting:,} bulk wait, p99", ms(took["p99"]), " ms",
            goal="≤ 500 ms", reached=took["p99"] <= 0.5, others=watch.others,
            note=f"p50 {ms(took['p50']):g} ms; {bulk:.0f} bulk/s went on beside it",
            detail={"seconds": took, "refused": stats["refused"]},
        )
    ]  # fmt: skip
