"""The product's processes, and what runs a few side by side: output, restarts, an ordered stop, no orphans.

Whoever starts web, workers or scheduler takes the command from here; the ``Procfile`` and the README have
the same words.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from devstack.launcher.binaries import die_with_parent

LONGEST_DELAY = 30.0
SETTLED_SECONDS = 60.0  # a child that lived this long starts again at the shortest delay
GIVE_UP_AFTER = 5  # deaths during start-up

#: one worker for each of two cores: a drain is one event loop
WORKERS = ("worker1", "worker2")
QUEUES = "messages,inbox,deliveries,maintenance"


def worker(name: str = "", *, quiet: bool = False) -> list[str]:
    """Return the words that start a worker; several on one machine need names."""
    named = ["-n", f"{name}@%h"] if name else []
    words = ["worker", "-P", "threads", "-c", "8", "-Q", QUEUES, *named]
    return [*_celery(quiet), *words, "--without-gossip", "--without-mingle", "--loglevel", "warning"]


def beat(schedule: str, *, quiet: bool = False) -> list[str]:
    """Return the words that start the scheduler; ``schedule`` is its own file."""
    return [*_celery(quiet), "beat", "--schedule", schedule, "--pidfile=", "--loglevel", "warning"]


def _celery(quiet: bool) -> list[str]:
    return ["-m", "celery", *(["--quiet"] if quiet else []), "-A", "config"]


def launch(
    command: Sequence[str],
    env: Mapping[str, str],
    *,
    output: int | IO[bytes],
    cwd: Path | None = None,
    dies_by: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a process that gets ``dies_by`` when the thread that made it ends.

    It has a session of its own: the terminal's Ctrl-C reaches only us, and the whole group can be ended.
    """
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=die_with_parent(dies_by),
    )


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a session: the process itself if it did not listen, and its own children."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class ChildFailed(Exception):
    """A child process did not do its work; the text says which one and what it printed last."""


class Stopped(Exception):
    """Somebody asked to stop (Ctrl-C, SIGTERM) while something was still being waited for."""


@dataclass
class Child:
    """One process and what is known about it."""

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    stage: int = 0
    stop_seconds: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    partial: bytes = b""
    last: deque[str] = field(default_factory=lambda: deque(maxlen=30))
    deaths: int = 0
    delay: float = 1.0
    started_at: float = 0.0
    restart_at: float | None = None

    @property
    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self.process is not None and self.process.poll() is None


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Processes:
    """The children of one supervisor. Single-threaded: whoever waits for something calls ``pump``."""

    def __init__(self, write: Callable[[str], None] = _print, *, first_delay: float = 1.0) -> None:
        self._write = write
        self._first_delay = first_delay
        self._selector = selectors.DefaultSelector()
        self._children: list[Child] = []
        self.starting = True  # deaths count towards giving up
        self.stop_asked = 0
        self._first_asked = 0.0

    # --- asking to stop

    def catch_signals(self) -> None:
        """Let Ctrl-C, SIGTERM and a closed terminal ask for an orderly stop; asking twice hurries it."""

        def ask(_signum: int, _frame: object) -> None:
            # `make` passes SIGTERM on to us after the group already got it: that is one request.
            if not self.stop_asked or time.monotonic() - self._first_asked > 1.0:
                self.stop_asked += 1
            if self.stop_asked == 1:
                self._first_asked = time.monotonic()

        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, ask)

    def say(self, text: str, name: str = "hermod") -> None:
        """Print a line; a reader that went away (``… | head``) counts as a request to stop."""
        try:
            self._write(f"{name:<8}| {text}")
        except BrokenPipeError:
            self.stop_asked += 1
            self._write = lambda _line: None

    # --- starting

    def start(
        self,
        name: str,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        stage: int = 0,
        stop_seconds: float = 10.0,
    ) -> Child:
        """Start a child that has to stay alive; later ``stage``s are stopped first."""
        child = Child(name, command, env, stage, stop_seconds, delay=self._first_delay)
        self._children.append(child)
        self._launch(child)
        return child

    def run(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> str:
        """Run a command to its end and return what it printed on standard output."""
        with subprocess.Popen(
            command,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        ) as process:
            while True:
                try:
                    output, errors = process.communicate(timeout=0.05)
                    break
                except subprocess.TimeoutExpired:
                    self.pump(0)
                    if self.stop_asked:
                        process.terminate()
                        try:
                            process.wait(10)
                        except subprocess.TimeoutExpired:
                            process.kill()
                        raise Stopped from None
        if process.returncode != 0:
            said = [line for line in (errors or output).splitlines() if line.strip()]
            raise ChildFailed(f"{name} failed: {said[-1] if said else f'exit code {process.returncode}'}")
        return output

    def _launch(self, child: Child) -> None:
        child.restart_at = None
        child.started_at = time.monotonic()
        child.partial = b""
        child.process = launch(child.command, child.env, output=subprocess.PIPE)
        assert child.process.stdout is not None
        os.set_blocking(child.process.stdout.fileno(), False)
        self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def running(self) -> dict[str, int]:
        """Return the process id of every child that is alive."""
        return {child.name: child.process.pid for child in self._children if child.process and child.alive}

    # --- while they run

    def pump(self, seconds: float = 0.2) -> None:
        """Pass on output, notice deaths and restart; returns after ``seconds`` or earlier."""
        if self._selector.get_map():
            for key, _ in self._selector.select(seconds):
                self._read(key.data)
        elif seconds:
            time.sleep(seconds)
        for child in self._children:
            self._look_after(child)

    def wait_for(self, ready: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Pump until ``ready()`` is true; raises ``Stopped`` or ``ChildFailed``."""
        deadline = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > deadline:
                raise ChildFailed(f"{what} did not answer within {seconds:.0f} seconds")
            self.pump(0.1)
            if self.stop_asked:
                raise Stopped

    def _read(self, child: Child) -> bool:
        """Print the whole lines that have arrived; return whether more may come."""
        assert child.process is not None and child.process.stdout is not None
        stream = child.process.stdout
        try:
            chunk = os.read(stream.fileno(), 65536)
        except BlockingIOError:
            return False
        if not chunk:
            self._selector.unregister(stream)
            stream.close()
            if child.partial:
                self._line(child, child.partial)
            child.partial = b""
            return False
        *lines, child.partial = (child.partial + chunk).split(b"\n")
        for line in lines:
            self._line(child, line)
        return True

    def _line(self, child: Child, raw: bytes) -> None:
        text = raw.decode(errors="replace").rstrip()
        child.last.append(text)
        self.say(text, child.name)

    def _forget_output(self, child: Child) -> None:
        """Print what is left and close the pipe, which a grandchild may still hold open."""
        assert child.process is not None and child.process.stdout is not None
        stream = child.process.stdout
        while not stream.closed and self._read(child):
            pass
        if not stream.closed:
            self._selector.unregister(stream)
            stream.close()

    def _look_after(self, child: Child) -> None:
        if child.alive or child.process is None:
            return
        now = time.monotonic()
        if child.restart_at is None:
            code = child.process.returncode
            self._forget_output(child)
            end_group(child.process)
            if self.stop_asked:
                return
            if now - child.started_at > SETTLED_SECONDS:
                child.delay = self._first_delay
            child.deaths += 1
            if self.starting and child.deaths >= GIVE_UP_AFTER:
                said = "\n".join(child.last)
                raise ChildFailed(f"{child.name} ended {child.deaths} times, last with code {code}:\n{said}")
            self.say(f"{child.name} ended with code {code}; starting it again in {child.delay:g} s")
            child.restart_at = now + child.delay
            child.delay = min(child.delay * 2, LONGEST_DELAY)
        elif now >= child.restart_at and not self.stop_asked:
            self._launch(child)

    # --- stopping

    def stop(self) -> None:
        """End every child, the last stage first, each stage together; nothing is left afterwards."""
        self.stop_asked = max(self.stop_asked, 1)
        for stage in sorted({child.stage for child in self._children}, reverse=True):
            group = [child for child in self._children if child.stage == stage]
            for child in group:
                if child.alive and child.process is not None:
                    child.process.terminate()
            deadline = time.monotonic() + max(child.stop_seconds for child in group)
            while any(child.alive for child in group):
                if time.monotonic() > deadline or self.stop_asked > 1:
                    break
                self.pump(0.05)
            for child in group:
                if child.process is not None:
                    end_group(child.process)
                    child.process.wait()
                    self._forget_output(child)
        self._children.clear()
