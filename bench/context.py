"""Context of every case: the running stack, rows, load and baselines, and how much to measure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.baselines.measure import Baselines
from bench.http_load import Request
from bench.load import Load, request
from bench.rows import Rows
from bench.stack import Stack


@dataclass
class Bench:
    """One run."""

    stack: Stack
    load: Load
    rows: Rows
    baselines: Baselines
    quick: bool = False
    full: bool = False

    def size(self, quick: int, usual: int, full: int | None = None) -> int:
        """Choose a count by how thorough the run is."""
        return quick if self.quick else full if self.full and full is not None else usual

    def start_workers(self) -> None:
        """Make sure that the engine runs."""
        if "worker1" not in self.stack.pids():
            self.stack.start_workers()

    def start_web(self) -> None:
        """Make sure that the web server runs."""
        if "web" not in self.stack.pids():
            self.stack.start_web()

    def send_requests(self, count: int, *, sender: int = 0, offset: int = 0) -> list[Request]:
        """Return requests that send a text from one number, each to another person."""
        key = self.rows.senders[sender].key
        return [
            request(
                "POST",
                "/send-message",
                {"to": f"1415{offset + n:07d}", "message": "Hello, World!"},
                Authorization=f"Bearer {key}",
            )
            for n in range(count)
        ]

    def reset_meta(self, *, rate: float = 0, times: bool = False, latency: float = 0.1) -> None:
        """Make the stand-in forget, and set it."""
        self.stack.meta(f"/_reset?latency={latency}&rate={rate}&times={int(times)}")
