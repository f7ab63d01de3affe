"""A minute of chaos with the real processes: the long runs are by hand (docs/reliability.md)."""

from __future__ import annotations

import pytest

from bench.chaos.plan import Plan
from bench.chaos.run import run

PLAN = Plan(seed=7, seconds=25, rate=15, every=2.5, unknown_wait=15, lease=4, timeout=2, people=10, tenants=3)


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_nothing_is_lost_doubled_or_stuck():
    told: list[str] = []
    outcome = run(PLAN, told.append)
    faults = [*outcome.lost, *outcome.doubled, *outcome.unexpected, *outcome.stuck, *outcome.regressed]
    assert outcome.holds, "\n".join(
        [
            *told,
            *faults,
            *outcome.poisoned,
            *outcome.inbound_missing,
            *outcome.webhooks_missing,
            str(outcome.broken),
            outcome.line(),
        ]
    )
    assert outcome.acked > 50, (outcome.line(), outcome.notes)
    assert outcome.notes["faults"] >= 3, outcome.notes
