"""``make bench``: starts what it needs, measures the baselines and Hermod, prints and keeps the figures.

Ends with 0 however slow it was, and with 1 when something did not work.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import machine, plot, report
from bench.figures import Figure
from bench.stack import ROOT, Stack

RESULTS = ROOT / "bench" / "results"
KEYS = ("P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "UI")


def _cases() -> list[tuple[set[str], Callable[[Any], list[Figure]]]]:
    """Return the cases in the order of the table; imported late, because they need a database."""
    from bench.cases import accepting, callbacks, growth, latency, pages, sending, webhooks_out

    return [
        ({"P1", "P11"}, sending.throughput),
        ({"P2"}, sending.own_limit),
        ({"P3"}, accepting.single),
        ({"P4"}, accepting.bulk),
        ({"P5"}, latency.receipt),
        ({"P6"}, latency.behind_bulk),
        ({"P7"}, callbacks.callbacks),
        ({"P8"}, webhooks_out.webhooks_out),
        ({"P9"}, growth.growth),
        ({"P10"}, growth.scheduled),
        ({"UI"}, pages.pages),
        ({"P11"}, accepting.memory_of_web),
    ]


def _wanted(text: str) -> set[str]:
    wanted = {part.strip().upper() for part in text.split(",") if part.strip()} or set(KEYS)
    if unknown := wanted - set(KEYS):
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(sorted(unknown))}")
    return wanted


def measure(stack: Stack, options: argparse.Namespace) -> tuple[list[Figure], dict[str, Any], bool]:
    """Run the cases that are wanted; returns figures, what the baselines gave, and whether all worked."""
    stack.start_servers()
    os.environ.update(stack.env)
    import django

    django.setup()
    from bench.baselines.measure import Baselines
    from bench.context import Bench
    from bench.load import Load
    from bench.rows import Rows

    rows = Rows(stack)
    figures: list[Figure] = []
    sound = True
    try:
        rows.make_senders()
        load = Load(stack)
        baselines = Baselines(stack, load, rows, quick=options.quick)
        bench = Bench(stack, load, rows, baselines, quick=options.quick, full=options.full)
        print(f"the stand-in for Meta can answer {baselines.standin:,.0f}/s", flush=True)
        for keys, case in _cases():
            if not keys & options.only:
                continue
            name = ", ".join(sorted(keys & options.only))
            began = time.monotonic()
            try:
                stack.revive_meta()
                found = case(bench)
            except Exception as error:
                sound = False
                traceback.print_exc()
                found = [Figure(name.split(",")[0], f"broken: {str(error)[:60]}", note="broken")]
            figures += [figure for figure in found if figure.key in options.only]
            load_now = machine.load_average()[0]
            print(f"{name} measured in {time.monotonic() - began:.0f} s, load {load_now}", flush=True)
    finally:
        rows.close()
    return sorted(figures, key=lambda one: KEYS.index(one.key.split(",")[0])), baselines.detail, sound


def options_of(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", type=_wanted, default=set(KEYS), help="for example P1,P3")
    parser.add_argument("--quick", action="store_true", help="about two minutes, rough figures")
    parser.add_argument("--full", action="store_true", help="10,000,000 rows, 100,000 messages; takes long")
    parser.add_argument("--keep", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown, too")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, keep."""
    options = options_of(arguments)
    # Ctrl-C and SIGTERM both end in the ``finally`` that stops every process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began, load_before = datetime.now(UTC), machine.load_average()
    print(f"load average before: {load_before}", flush=True)
    stack = Stack()
    try:
        figures, baselines, sound = measure(stack, options)
    finally:
        stack.stop()
    facts = machine.facts() | {
        "began": began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - began).total_seconds()),
        "load_average_before": load_before,
        "load_average_after": machine.load_average(),
        "thorough": "quick" if options.quick else "full" if options.full else "usual",
        "baselines": baselines,
    }
    print("\n" + report.table(figures))
    if options.markdown:
        print("\n" + report.markdown(figures))
    options.keep.mkdir(parents=True, exist_ok=True)
    name = began.strftime("%Y-%m-%dT%H%M%S")
    report.write(options.keep / f"{name}.json", figures, facts)
    day = began.strftime("%d %B %Y")
    subtitle = f"Hermod, {day}: {facts['cores']} cores, everything on one machine, fsync on"
    plot.write(options.keep / f"{name}.svg", figures, subtitle)
    print(f"\nload average after: {facts['load_average_after']}; kept as {name}.json and .svg")
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
