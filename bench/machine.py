"""The machine a run took place on: facts without names, CPU and memory of our processes, others' noise."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

_TICK = os.sysconf("SC_CLK_TCK")
#: a figure is marked when other programs used more than this part of the machine meanwhile
NOISY_FROM = 0.15
_LIBRARIES = ("django", "djangorestframework", "celery", "psycopg", "gunicorn", "aiohttp", "redis")


def facts() -> dict[str, Any]:
    """Return what a reader needs in order to compare figures; no host name, no path."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
    }


def load_average() -> list[float]:
    """Return the load averages of 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        with suppress(OSError):
            for task in Path(f"/proc/{one}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time of processes and of those of their children that have ended."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(int(value) for value in fields[11:15])
    return total / _TICK


def rss_mb(pid: int) -> float:
    """Return the resident memory of one process."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _busy() -> float:
    fields = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / _TICK


@dataclass
class Watch:
    """CPU used between ``__enter__`` and ``__exit__``: by groups of our processes, and by others."""

    groups: dict[str, int]  # a name and the process at the root of its tree
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    others: float = 0.0  # as a part of the whole machine

    def _ours(self) -> dict[str, float]:
        return {name: cpu_seconds(tree(pid)) for name, pid in self.groups.items()}

    def __enter__(self) -> Watch:
        self._began, self._busy, self._before = time.monotonic(), _busy(), self._ours()
        self._own = self._self()
        return self

    @staticmethod
    def _self() -> float:
        used = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            used += usage.ru_utime + usage.ru_stime
        return used

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        after = self._ours()
        self.cpu = {name: max(0.0, after[name] - self._before[name]) for name in after}
        ours = sum(self.cpu.values()) + self._self() - self._own
        capacity = self.seconds * (os.cpu_count() or 1)
        self.others = max(0.0, (_busy() - self._busy - ours) / capacity) if capacity else 0.0

    def per(self, count: int) -> dict[str, float]:
        """Return each group's CPU in milliseconds for each of ``count`` things."""
        return {name: round(used * 1000 / count, 3) for name, used in self.cpu.items()} if count else {}
