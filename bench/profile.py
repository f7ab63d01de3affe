"""Profiles: py-spy on web and worker under load, and EXPLAIN of the engine's statements.

``python -m bench.profile FOLDER`` writes folded stacks and plans there; it is no part of ``make bench``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import machine
from bench.stack import Stack

RATE = 200  # samples a second


def spy(pid: int, path: Path, seconds: float) -> subprocess.Popen[bytes]:
    """Sample a process; only what holds the interpreter counts, so waiting does not."""
    program = shutil.which("py-spy") or str(Path(sys.executable).parent / "py-spy")
    command = [
        program,
        "record",
        "-p",
        str(pid),
        "-d",
        str(int(seconds)),
        "-r",
        str(RATE),
        "-f",
        "raw",
        "--gil",
    ]
    return subprocess.Popen([*command, "-o", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def summary(path: Path, most: int = 45) -> str:
    """Return the functions with the largest share, with everything they call, each stack counted once."""
    within: Counter[str] = Counter()
    itself: Counter[str] = Counter()
    total = 0
    for line in path.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame.rsplit(":", 1)[0] for frame in stack.split(";")]
        total += int(count)
        itself[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    lines = [f"{total} samples", "  all   self  function"]
    for frame, count in within.most_common(most):
        lines.append(f"{count / total:6.1%} {itself[frame] / total:6.1%}  {frame}")
    return "\n".join(lines) + "\n"


def during(bench: Any, folder: Path, name: str, role: str, work: Callable[[], Any], seconds: float) -> None:
    """Run ``work`` while a process of ``role`` is sampled."""
    root = bench.stack.pids()[role]
    pid = machine.tree(root)[-1] if role == "web" else root
    raw = folder / f"{name}.raw"
    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.5)
    spy(pid, raw, seconds).wait()
    thread.join()
    (folder / f"{name}.txt").write_text(summary(raw))


def explain(bench: Any, pending: int) -> str:
    """EXPLAIN the claim and the record with many rows for later and 10,000 due over ten numbers."""
    from django.conf import settings

    from messaging.send import claims_sql
    from messaging.status import timeline

    rows = bench.rows
    rows.clear()
    later = "now() + interval '30 days'"
    rows.messages(pending, status="'scheduled'", due_at=later, scheduled_for=later)
    rows.contacts(10_000)
    rows.messages(10_000, people=True, status="'queued'", due_at="now()")
    rows.settle()
    numbers = [row[0] for row in rows.database.execute("SELECT connection_id FROM bench.sender")]
    share = [26] * len(numbers)
    found: list[str] = []

    def plan(name: str, statement: str, values: list[Any]) -> None:
        found.append(f"--- {name}")
        with rows.database.transaction(force_rollback=True):
            for _ in range(2):  # the second one finds its pages in memory
                lines = rows.database.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", values).fetchall()
        found.extend(line for (line,) in lines)

    plan("numbers with work", claims_sql.NUMBERS, [0.03, 0.25, 100])
    plan("claim of 256", claims_sql.CLAIM, [numbers, share, [2] * 10, True, settings.SEND_LEASE_SECONDS])
    plan("reserve", claims_sql.RESERVE, [numbers, [0.1] * 10])
    chosen = [
        row[0]
        for row in rows.database.execute(
            "SELECT id FROM messaging_message WHERE status = 'queued' ORDER BY md5(id::text) LIMIT 200"
        )
    ]
    waiting = ["scheduled", "queued", "retrying"]
    plan("mark of 200", timeline._MARK, [chosen, [0] * 200, waiting, -60.0])
    plan("lock of 200", timeline._LOCK, [chosen])
    values: list[Any] = [chosen]
    for name, _ in timeline._COLUMNS:
        values.append([_written(name)] * len(chosen))
    plan("record UPDATE of 200", timeline._UPDATE, values)
    return "\n".join(found) + "\n"


def _written(column: str) -> Any:
    zero = {"sequence": 2, "attempts": 1, "crashes": 0, "failure": "", "status": "sent", "wamid": "wamid.X"}
    return zero.get(column)


def main() -> None:
    """Start a stack, load it, sample it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--only", default="sending,accepting,bulk,callbacks,explain")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    wanted = set(options.only.split(","))
    stack = Stack()
    try:
        stack.start_servers()
        os.environ.update(stack.env)
        import django

        django.setup()
        _profile(stack, options.folder, wanted, options.pending)
    finally:
        stack.stop()


def _profile(stack: Stack, folder: Path, wanted: set[str], pending: int) -> None:
    from bench.baselines.measure import Baselines
    from bench.cases import accepting, callbacks, sending
    from bench.context import Bench
    from bench.load import Load
    from bench.rows import Rows

    rows, load = Rows(stack), Load(stack)
    rows.make_senders()
    bench = Bench(stack, load, rows, Baselines(stack, load, rows, quick=True))
    bench.start_web()
    bench.start_workers()
    if "sending" in wanted:
        bench.reset_meta()
        during(
            bench,
            folder,
            "worker-sending",
            "worker1",
            lambda: sending.send_all(bench, 20_000, numbers=10, rate=1000, wait=300),
            25,
        )
    if "accepting" in wanted:
        accepting.prepare(bench, held=True)
        posts = bench.send_requests(5000)
        run = lambda: load.run(stack.web_port, posts, connections=16, seconds=12)  # noqa: E731
        during(bench, folder, "web-accepting", "web", run, 10)
    if "bulk" in wanted:
        accepting.prepare(bench, held=True)
        posts = accepting.bulk_requests(bench)
        run = lambda: load.run(stack.web_port, posts, connections=2, seconds=12)  # noqa: E731
        during(bench, folder, "web-bulk", "web", run, 10)
    for role in ("web", "worker1"):
        if "callbacks" in wanted:
            posts = callbacks.singles(bench, 5000)
            run = lambda: load.run(stack.web_port, posts, connections=16, seconds=12, count=5000)  # noqa: B023, E731
            during(bench, folder, f"{role}-callbacks", role, run, 10)
    if "explain" in wanted:
        stack.stop_one("beat", "worker1", "worker2")
        (folder / "explain.txt").write_text(explain(bench, pending))
    rows.close()


if __name__ == "__main__":
    main()
