"""The product's processes as the supervisor starts them: watched, killed on purpose, started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.server import command as web
from devstack.launcher import processes

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Child:
    """One process and how often it died by a signal."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    killed: int = 0
    failed: int = 0
    frozen: bool = False
    restart_at: float = field(default=0.0)

    @property
    def alive(self) -> bool:
        """Tell whether the process runs (or is frozen)."""
        return self.process is not None and self.process.poll() is None


class Children:
    """Everything that runs besides the two servers. Only the main thread may start processes: a child
    dies with the *thread* that made it."""

    def __init__(self, env: Mapping[str, str], folder: Path) -> None:
        self.env = dict(env)
        self.folder = folder
        self._children: dict[str, Child] = {}

    # --- starting

    def start(self, name: str, *arguments: str, **more: str) -> None:
        """Start a Python program that ``look`` keeps alive; ``more`` is added to its environment."""
        command = [sys.executable, *arguments]
        child = Child(name, command, {**self.env, **more}, self.folder / f"{name}.log")
        self._children[name] = child
        self._launch(child)

    def start_product(self, port: int, **more: str) -> None:
        """Start web, two workers and beat."""
        self.start("web", *web.command("127.0.0.1", port)[1:], **more)
        for name in processes.WORKERS:
            self.start(name, *processes.worker(name, quiet=True), **more)
        schedule = str(self.folder / "celerybeat-schedule")
        self.start("beat", *processes.beat(schedule, quiet=True), **more)

    def run(self, *arguments: str) -> str:
        """Run a Python program to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{arguments} failed: {done.stderr[-2000:] or done.stdout[-2000:]}")
        return done.stdout

    def _launch(self, child: Child) -> None:
        with child.log.open("ab") as log:
            child.process = processes.launch(
                child.command, child.env, output=log, cwd=ROOT, dies_by=signal.SIGKILL
            )

    # --- while they run

    def look(self) -> None:
        """Start again what has died, half a second later, as a supervisor would."""
        now = time.monotonic()
        for child in self._children.values():
            if child.alive or child.process is None:
                continue
            if not child.restart_at:
                if child.process.returncode == -signal.SIGKILL:
                    child.killed += 1
                elif child.process.returncode not in (0, -signal.SIGTERM):
                    child.failed += 1
                child.frozen = False
                processes.end_group(child.process)
                child.restart_at = now + 0.5
            elif now >= child.restart_at:
                child.restart_at = 0.0
                self._launch(child)

    def is_free(self, name: str) -> bool:
        """Tell whether nothing is being done to a child just now."""
        child = self._children[name]
        return child.alive and not child.frozen

    def kill(self, name: str) -> None:
        """``kill -9``."""
        self._signal(name, signal.SIGKILL)

    def ask_to_stop(self, name: str) -> None:
        """SIGTERM, as a deploy does; ``look`` starts it again."""
        self._signal(name, signal.SIGTERM)

    def freeze(self, name: str) -> None:
        """SIGSTOP for the process and its own children."""
        self._children[name].frozen = True
        self._signal_group(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self._signal_group(name, signal.SIGCONT)
        self._children[name].frozen = False

    def kill_one_of(self, name: str, choice: float) -> bool:
        """Kill one of a process's own children (a gunicorn worker); False when it has none."""
        child = self._children[name]
        if not child.alive or child.process is None:
            return False
        try:
            text = Path(f"/proc/{child.process.pid}/task/{child.process.pid}/children").read_text()
        except OSError:
            return False
        pids = [int(part) for part in text.split()]
        if not pids:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pids[int(choice * len(pids))], signal.SIGKILL)
        return True

    def deaths(self) -> int:
        """Return how many processes killed themselves or were killed so far, gunicorn's workers included."""
        web = self._children["web"].log.read_text(errors="replace") if "web" in self._children else ""
        return sum(child.killed for child in self._children.values()) + web.count("was sent SIGKILL")

    def failures(self) -> dict[str, int]:
        """Return how often each process ended by itself with an error."""
        return {child.name: child.failed for child in self._children.values() if child.failed}

    def count_in_logs(self, text: str) -> int:
        """Return how many log lines of the run have ``text``."""
        logs = self.folder.glob("*.log")
        return sum(path.read_text(errors="replace").count(text) for path in logs)

    def _signal(self, name: str, signum: signal.Signals) -> None:
        child = self._children[name]
        if child.alive and child.process is not None:
            child.process.send_signal(signum)

    def _signal_group(self, name: str, signum: signal.Signals) -> None:
        process = self._children[name].process
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signum)

    # --- stopping

    def stop(self, *names: str) -> None:
        """End these children (none named: all), politely, then surely."""
        group = [child for child in self._children.values() if not names or child.name in names]
        for child in group:
            if child.alive and child.process is not None:
                self._signal_group(child.name, signal.SIGCONT)
                child.process.terminate()
        ends = time.monotonic() + 20
        for child in group:
            if child.process is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(max(0.1, ends - time.monotonic()))
                processes.end_group(child.process)
                child.process.wait()
            del self._children[child.name]
