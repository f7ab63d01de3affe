"""Every named place in the code (core.failpoints), one after the other: kill there, restart, compare."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from bench.chaos.ledgers import Outcome, compare
from bench.chaos.load import ClientLedger, Load
from bench.chaos.plan import Plan
from bench.chaos.settle import settle
from bench.chaos.stack import Stack, running
from core.failpoints import NAMES

#: how likely a passage kills: rare for places passed once per message, more likely for those of a batch.
#: A worker that dies every second takes the same innocent neighbours with it again and again.
PROBABILITY = {"accept": 0.02, "send": 0.012, "hook": 0.05, "inbox": 0.08, "out": 0.02}
LONGEST_SECONDS = 90.0


def kill_at(stack: Stack, name: str, kills: int, load: Load) -> tuple[int, ClientLedger]:
    """Run the load with one place armed until it has killed ``kills`` times; returns the kills."""
    part = PROBABILITY[name.partition(".")[0]]
    stack.start_product(f"{name}=kill@{part}")
    before = stack.children.deaths()
    load.start()
    ends = time.monotonic() + LONGEST_SECONDS
    while stack.children.deaths() - before < kills and time.monotonic() < ends:
        stack.look_after()
        time.sleep(0.05)
    done = stack.children.deaths() - before
    client = load.end()
    stack.children.stop("web", "worker1", "worker2", "beat")
    return done, client


def run(plan: Plan, kills: int, say: Callable[[str], None], names: tuple[str, ...] = NAMES) -> Outcome:
    """Kill ``kills`` times at every place, with the ledgers compared after each; returns the last,
    which spans the whole run."""
    plan = replace(plan, people=60, lease=4.0, timeout=2.0, unknown_wait=20.0)
    everything = ClientLedger()
    outcome = Outcome()
    total = 0
    with running(plan, product=False) as stack:
        for index, name in enumerate(names):
            load = Load(
                plan, base_url=stack.base_url, meta_url=stack.meta.url, tenants=stack.tenants, run=index
            )
            done, client = kill_at(stack, name, kills, load)
            total += done
            everything.acked |= client.acked
            everything.errors += client.errors
            everything.canceled |= client.canceled
            everything.keyed |= client.keyed
            everything.inbound |= client.inbound
            everything.inbound_safe |= client.inbound
            stack.start_product()
            took, left = settle(stack, at_most=plan.settle_at_most)
            stack.children.stop("web", "worker1", "worker2", "beat")
            outcome = compare(stack, everything)
            remains = f", left {left}" if any(left.values()) else ""
            say(f"{name:<24} kills={done} acked={len(client.acked)} settled={took:.0f} s{remains}")
            say(f"    {outcome.line()}")
            if not outcome.holds:
                break
            if done < kills:
                outcome.notes[f"{name} was reached too seldom"] = done
        outcome.notes["kills"] = total
    return outcome
