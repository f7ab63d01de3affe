"""P8: webhooks out: how many a second, how soon after the event, and beside receivers that hang."""

from __future__ import annotations

import sys
import time
import uuid

from bench.context import Bench
from bench.figures import Figure, ms, spread
from bench.stack import HOST, ROOT, Broken, Stack, free_port, get
from devstack.launcher.processes import WORKERS

ENDPOINTS = 10
HANGING = 20
PER_SECOND = 50
PATIENCE_SECONDS = 120.0


def webhooks_out(bench: Bench) -> list[Figure]:
    """Deliver a heap of events, then a steady trickle in peace, then the same beside hanging receivers."""
    from django.test import override_settings

    bench.stack.stop_one("beat", *WORKERS)  # those of other cases may not call private addresses
    # A receiver on loopback is refused outside of development, so this case's workers are in it.
    bench.stack.start_workers(DEBUG="1", WEBHOOK_ALLOW_PRIVATE="1")
    try:
        with override_settings(WEBHOOK_ALLOW_PRIVATE=True):
            return _measure(bench, _start_receiver(bench.stack))
    finally:
        bench.stack.stop_one("beat", *WORKERS, "receiver")
        _clear(bench)


def _start_receiver(stack: Stack) -> int:
    port = free_port()
    command = [sys.executable, "-m", "bench.webhook_receiver", "--port", str(port)]
    env = {name: stack.env[name] for name in ("PATH", "PYTHONPATH")} | {"PYTHONPATH": str(ROOT)}
    stack.start("receiver", command, env, lambda: bool(get(port, "/", wait=2)))
    return port


def _clear(bench: Bench) -> None:
    bench.rows.database.execute(
        "TRUNCATE webhooks_endpoint, webhooks_event, webhooks_delivery, webhooks_attempt CASCADE"
    )


def _listen(bench: Bench, url: str, *, sender: int, count: int = 1) -> None:
    """Give the account of a sender endpoints."""
    from accounts.models import Account
    from webhooks.outgoing import endpoints

    account = Account.objects.get(pk=bench.rows.senders[sender].account_id)
    for _ in range(count):
        endpoints.create(account, endpoints.Given(url=url))


def _publish(bench: Bench, senders: list[int], count: int) -> None:
    """Publish events of the size that statuses have, in batches as the engine does."""
    from webhooks.outgoing import outbox
    from webhooks.outgoing.outbox import Announcement

    accounts = [uuid.UUID(bench.rows.senders[one].account_id) for one in senders]
    batch = [
        Announcement(
            accounts[n % len(accounts)],
            "message.status_updated",
            {"messageId": str(uuid.uuid4()), "status": "sent", "to": "14155550000", "metadata": {"n": n}},
            str(uuid.uuid4()),
            2,
        )
        for n in range(count)
    ]
    for first in range(0, count, 500):
        outbox.publish(batch[first : first + 500])


def _measure(bench: Bench, port: int) -> list[Figure]:
    fast, hang = f"http://{HOST}:{port}/fast", f"http://{HOST}:{port}/hang"
    count = bench.size(3_000, 20_000)
    _clear(bench)
    for sender in range(ENDPOINTS):
        _listen(bench, fast, sender=sender)
    with bench.stack.watch() as watch:
        _publish(bench, list(range(ENDPOINTS)), count)
        rate = _rate(bench, count)
    heap = Figure(
        "P8", f"webhooks delivered, {ENDPOINTS} endpoints, {count:,} events", rate, "/s", goal="≥ 500/s",
        reached=rate >= 500, others=watch.others, detail={"cpu_ms": watch.per(count)},
    )  # fmt: skip
    seconds = bench.size(5, 20)
    _clear(bench)
    _listen(bench, fast, sender=0)
    with bench.stack.watch() as watch:
        peace = _trickle(bench, seconds)
    _clear(bench)
    _listen(bench, fast, sender=0)
    _listen(bench, hang, sender=1, count=HANGING)
    _publish(bench, [1], 100)
    time.sleep(1)
    beside = _trickle(bench, seconds)
    change = beside["p95"] / peace["p95"] - 1
    return [
        heap,
        Figure("P8", f"event → answered, {PER_SECOND}/s, p95", ms(peace["p95"]), " ms", goal="≤ 1,000 ms",
               reached=peace["p95"] <= 1, others=watch.others, detail={"seconds": peace}),
        Figure("P8", f"… beside {HANGING} receivers that hang, p95", ms(beside["p95"]), " ms",
               baseline=f"{ms(peace['p95'])} ms in peace", baseline_value=ms(peace["p95"]), goal="≤ 1.2 ×",
               reached=change <= 0.2, detail={"seconds": beside}),
    ]  # fmt: skip


def _rate(bench: Bench, count: int) -> float:
    """Wait for all; returns deliveries a second from the first event to the last answer."""
    done = "SELECT count(*) FROM webhooks_delivery WHERE status = 'delivered'"
    bench.stack.wait_for(lambda: bench.rows.one(done) >= count, f"{count} deliveries", PATIENCE_SECONDS)
    took = bench.rows.one(
        "SELECT extract(epoch FROM (SELECT max(delivered_at) FROM webhooks_delivery) "
        "- (SELECT min(created_at) FROM webhooks_event))"
    )
    return count / float(took)


def _trickle(bench: Bench, seconds: int) -> dict[str, float]:
    """Publish one event at a time at a steady pace; returns how long each took to be answered."""
    account = bench.rows.senders[0].account_id
    count = seconds * PER_SECOND
    began = time.monotonic()
    for n in range(count):
        _publish(bench, [0], 1)
        time.sleep(max(0.0, began + (n + 1) / PER_SECOND - time.monotonic()))
    mine = "FROM webhooks_delivery d JOIN webhooks_event e ON e.id = d.event_id WHERE e.account_id = %s"
    bench.stack.wait_for(
        lambda: bench.rows.one(f"SELECT count(*) {mine} AND d.status = 'delivered'", account) >= count,
        f"{count} deliveries",
        PATIENCE_SECONDS,
    )
    rows = bench.rows.database.execute(
        "SELECT extract(epoch FROM a.at - e.created_at)::float + a.milliseconds / 1000.0 "
        "FROM webhooks_attempt a JOIN webhooks_delivery d ON d.id = a.delivery_id "
        "JOIN webhooks_event e ON e.id = d.event_id WHERE e.account_id = %s AND a.number = 1",
        [account],
    ).fetchall()
    if len(rows) != count:
        raise Broken(f"{len(rows)} first attempts of {count} events")
    return spread([float(took) for (took,) in rows])
