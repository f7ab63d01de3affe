"""The command line: ``python -m bench.chaos --seed 1 --minutes 3``; exit 1 unless every count is zero."""

from __future__ import annotations

import argparse
import signal
import sys
import time

from bench.chaos import killpoints
from bench.chaos.ledgers import Outcome
from bench.chaos.plan import FAULTS, Plan
from bench.chaos.run import run
from core.failpoints import NAMES


def say(line: str) -> None:
    """Print one line now."""
    print(line, flush=True)


#: the lists of an outcome that must be empty
FAULTY = ("lost", "doubled", "unexpected", "stuck", "regressed", "poisoned", "inbound_missing",
          "webhooks_missing", "webhooks_doubled")  # fmt: skip


def show(outcome: Outcome) -> None:
    """Print the notes, every fault found, and the count line last."""
    for name, value in outcome.notes.items():
        say(f"  {name}: {value}")
    for word in FAULTY:
        for told in getattr(outcome, word)[:20]:
            say(f"  {word.upper()} {told}")
    for promise, count in outcome.broken.items():
        say(f"  BROKEN {promise}: {count} rows")
    say(outcome.line())


def _plan(given: argparse.Namespace) -> Plan:
    only = tuple(part.strip() for part in given.only.split(",")) if given.only else FAULTS
    unknown = set(only) - set(FAULTS)
    if unknown:
        raise SystemExit(f"--only: no fault {sorted(unknown)}; there are {', '.join(FAULTS)}")
    return Plan(
        seed=given.seed,
        seconds=given.minutes * 60,
        rate=given.rate,
        every=given.every,
        only=only,
        failpoints=given.failpoints,
        lease=given.lease,
        timeout=given.lease / 2,
        unknown_wait=given.unknown_wait,
    )


def _stop(*_: object) -> None:
    """End with everything that was started; a second signal must not cut the cleaning up short."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_IGN)
    sys.exit(143)


def main() -> int:
    """Read the arguments, run, print."""
    parser = argparse.ArgumentParser(prog="bench.chaos", description=sys.modules[__name__].__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--rate", type=float, default=60.0, help="sends a second")
    parser.add_argument("--every", type=float, default=1.3, help="mean seconds between two faults")
    parser.add_argument("--only", default="", help=f"some of {','.join(FAULTS)}")
    parser.add_argument("--failpoints", default="", help="FAILPOINTS of web and workers during the load")
    parser.add_argument("--lease", type=float, default=6.0, help="SEND_LEASE_SECONDS; the timeout is half")
    parser.add_argument("--unknown-wait", type=float, default=40.0, help="UNKNOWN_WAIT_SECONDS")
    parser.add_argument("--kill-points", action="store_true", help="every named place instead of a nemesis")
    parser.add_argument("--points", default="", help="only these named places, separated by commas")
    parser.add_argument("--kills", type=int, default=5, help="kills at each place")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    plan = _plan(given)
    began = time.monotonic()
    if given.kill_points or given.points:
        names = tuple(part for part in given.points.split(",") if part) or NAMES
        outcome = killpoints.run(plan, given.kills, say, names)
    else:
        outcome = run(plan, say)
    say(f"seed {plan.seed}, {time.monotonic() - began:.0f} s in all")
    show(outcome)
    return 0 if outcome.holds else 1


if __name__ == "__main__":
    sys.exit(main())
