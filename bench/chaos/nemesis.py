"""The nemesis: a seeded, random, overlapping series of faults, one line printed for each."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.chaos.children import Children
from bench.chaos.meta import Meta
from bench.chaos.plan import WEATHER, Plan
from bench.chaos.servers import Servers
from devstack.launcher.processes import WORKERS

#: how likely each fault is, relative to the others
_WEIGHTS = {
    "kill": 28,
    "web": 9,
    "beat": 4,
    "freeze": 9,
    "rolling": 4,
    "pg": 8,
    "redis": 7,
    "flush": 9,
    "redis-freeze": 5,
    "storm": 3,
    "meta": 3,
}
#: what Meta answers in a storm, in percent
_STORMS = (
    {"error_500_before": 60, "error_500_after": 20},
    {"error_429": 70},
    {"hang_after": 60},
    {"reset_after": 50, "reset_before": 30},
    {"html_503": 90},
)


@dataclass
class Nemesis:
    """Call ``step`` often from the main thread; ``end`` undoes what still lasts."""

    plan: Plan
    servers: Servers
    children: Children
    meta: Meta
    say: Callable[[str], None]
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.plan.seed} nemesis")
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._names = [name for name in _WEIGHTS if name in self.plan.only]
        self._next = time.monotonic() + 2.0
        self._busy: set[str] = set()  # things that last and must not be begun twice
        self._began = time.monotonic()

    def step(self) -> None:
        """Do what is due: ends of faults first, then perhaps a new one."""
        self._end_those_due()
        now = time.monotonic()
        if now < self._next or not self._names:
            return
        # Exponential gaps: sometimes two at once, sometimes a while of peace.
        self._next = now + min(self._random.expovariate(1 / self.plan.every), 4 * self.plan.every)
        name = self._random.choices(self._names, [_WEIGHTS[name] for name in self._names])[0]
        told = getattr(self, "_" + name.replace("-", "_"))()
        if told:
            self.done[name] += 1
            self.say(f"{now - self._began:6.1f} s  {name:<12} {told}")

    def end(self) -> None:
        """Undo every fault that still lasts."""
        while self._later:
            _, _, undo = heapq.heappop(self._later)
            undo()
        self._busy.clear()

    def _end_those_due(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            _, _, undo = heapq.heappop(self._later)
            undo()

    def _after(self, seconds: float, what: str, undo: Callable[[], None]) -> None:
        self._busy.add(what)

        def ended() -> None:
            undo()
            self._busy.discard(what)

        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), ended))

    # --- processes

    def _kill(self) -> str:
        name = self._random.choice(WORKERS)
        if not self.children.is_free(name):
            return ""
        self.children.kill(name)
        return f"kill -9 {name}"

    def _web(self) -> str:
        if not self.children.is_free("web"):
            return ""
        if self._random.random() < 0.8:
            return "kill -9 a web worker" if self.children.kill_one_of("web", self._random.random()) else ""
        self.children.kill("web")
        return "kill -9 the web master"

    def _beat(self) -> str:
        self.children.kill("beat")
        return "kill -9 beat"

    def _freeze(self) -> str:
        name = self._random.choice((*WORKERS, *WORKERS, "web"))
        if name in self._busy or not self.children.is_free(name):
            return ""
        # A frozen web server only keeps its customers waiting; a frozen worker must outlast its lease.
        seconds = (3.0 if name == "web" else self.plan.freeze) * self._random.uniform(0.7, 1.0)
        self.children.freeze(name)
        self._after(seconds, name, lambda: self.children.thaw(name))
        return f"SIGSTOP {name} for {seconds:.1f} s"

    def _rolling(self) -> str:
        names = [name for name in (*WORKERS, "web", "beat") if self.children.is_free(name)]
        for name in names:
            self.children.ask_to_stop(name)
        return f"SIGTERM {', '.join(names)}"

    # --- servers

    def _pg(self) -> str:
        self.servers.crash("postgres")
        return "Postgres: immediate shutdown, start"

    def _redis(self) -> str:
        if "valkey" in self._busy:
            return ""
        self.servers.crash("valkey")
        return "kill -9 Valkey, start"

    def _flush(self) -> str:
        if "valkey" in self._busy:
            return ""
        self.servers.flush()
        return "FLUSHALL"

    def _redis_freeze(self) -> str:
        if "valkey" in self._busy:
            return ""
        seconds = self._random.uniform(2, 10)
        self.servers.freeze("valkey")
        self._after(seconds, "valkey", lambda: self.servers.thaw("valkey"))
        return f"SIGSTOP Valkey for {seconds:.1f} s"

    # --- Meta

    def _storm(self) -> str:
        if "sandbox" in self._busy:
            return ""
        seconds, storm = self._random.uniform(1, 4), self._random.choice(_STORMS)
        self.meta.options(**storm)
        weather = {name: self.plan.weather.get(name, WEATHER.get(name, 0)) for name in storm}
        self._after(seconds, "sandbox", lambda: self.meta.options(**weather))
        shown = ", ".join(f"{name} {part} %" for name, part in storm.items())
        return f"Meta for {seconds:.1f} s: {shown}"

    def _meta(self) -> str:
        if "sandbox" in self._busy:
            return ""
        seconds = self._random.uniform(1, 1.5 * self.plan.timeout)
        self.children.freeze("sandbox")
        self._after(seconds, "sandbox", lambda: self.children.thaw("sandbox"))
        return f"Meta hangs for {seconds:.1f} s"
