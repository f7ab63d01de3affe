"""Load generator's starter: gives it a plan and reads its result."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bench.http_load import Request, Sample
from bench.stack import Stack


def request(method: str, path: str, what: Any = None, **headers: str) -> Request:
    """Return one request of a plan; ``what`` becomes JSON, text goes out as it is."""
    text = what if isinstance(what, str) else "" if what is None else orjson.dumps(what).decode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if text:
        named = {"Content-Type": "application/json"} | named
    return {"method": method, "path": path, "headers": named, "body": text}


def body(to: str, text: str) -> dict[str, Any]:
    """Return a body as Hermod sends it to Meta."""
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": f"+{to}",
        "type": "text",
        "text": {"body": text},
        "biz_opaque_callback_data": "hm:00000000-0000-7000-8000-000000000000",
    }


@dataclass(frozen=True)
class Result:
    """What one run of the load generator saw."""

    began: float  # time of day
    seconds: float
    samples: list[Sample]
    errors: int

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.samples) / self.seconds if self.seconds else 0.0

    @property
    def took(self) -> list[float]:
        """Seconds of each answer."""
        return [sample["took"] for sample in self.samples]

    @property
    def statuses(self) -> set[int]:
        """Every status that was answered; 0 stands for no answer."""
        return {sample["status"] for sample in self.samples} | ({0} if self.errors else set())


class Load:
    """Runs plans in a process of their own, so that our own work costs the measured ones nothing."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def run(self, port: int, requests: Sequence[Request], **plan: Any) -> Result:
        """Ask on ``connections`` for ``seconds`` or ``count`` times, or ``every`` so many seconds."""
        path = self._stack.folder / "plan.json"
        path.write_bytes(orjson.dumps({"port": port, "requests": list(requests), "seconds": 60, **plan}))
        printed = self._stack.run([sys.executable, "-m", "bench.http_load", str(path)])
        found = orjson.loads(printed)
        return Result(found["began"], found["seconds"], found["samples"], found["errors"])
