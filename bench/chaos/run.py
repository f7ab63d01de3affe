"""One random run: start everything, load and faults together, settle, compare."""

from __future__ import annotations

import time
from collections.abc import Callable

from bench.chaos.ledgers import Outcome, compare
from bench.chaos.load import Load
from bench.chaos.nemesis import Nemesis
from bench.chaos.plan import Plan
from bench.chaos.settle import settle
from bench.chaos.stack import running


def run(plan: Plan, say: Callable[[str], None]) -> Outcome:
    """Run the plan and return what the ledgers say."""
    with running(plan) as stack:
        load = Load(plan, base_url=stack.base_url, meta_url=stack.meta.url, tenants=stack.tenants)
        nemesis = Nemesis(plan, stack.servers, stack.children, stack.meta, say)
        load.start()
        ends = time.monotonic() + plan.seconds
        weather = False
        while time.monotonic() < ends:
            if not weather and load.windows_open.is_set() and stack.children.is_free("sandbox"):
                stack.meta.options(**plan.weather)
                weather = True
            nemesis.step()
            stack.look_after()
            time.sleep(0.05)
        nemesis.end()
        stack.look_after()
        client = load.end()
        if plan.failpoints:
            stack.children.stop("web", "worker1", "worker2", "beat")
            stack.start_product()
        took, left = settle(stack, at_most=plan.settle_at_most)
        outcome = compare(stack, client)
        accepts = sorted(client.latencies) or [0.0]
        outcome.notes |= {
            "faults": sum(nemesis.done.values()),
            "by kind": dict(nemesis.done),
            "processes killed": stack.children.deaths(),
            "settled after": f"{took:.0f} s",
            "left": {name: count for name, count in left.items() if count},
            "accept p50, p99": f"{accepts[len(accepts) // 2] * 1000:.0f} ms, "
            f"{accepts[int(len(accepts) * 0.99)] * 1000:.0f} ms",
        }
        return outcome
