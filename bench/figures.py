"""One measured figure beside its baseline and goal, and the arithmetic the cases share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Figure:
    """One line of the table. ``reached`` None: nothing to compare with, or not there yet."""

    key: str
    what: str
    value: float | None = None
    unit: str = ""
    baseline: str = ""
    baseline_value: float | None = None
    goal: str = ""
    reached: bool | None = None
    note: str = ""
    others: float = 0.0
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Hermod divided by the baseline."""
        if self.value is None or not self.baseline_value:
            return None
        return self.value / self.baseline_value

    def as_dict(self) -> dict[str, Any]:
        """Return what is written to the results."""
        return asdict(self) | {"ratio": self.ratio}


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value that ``part`` (0 to 1) of the values do not exceed (nearest rank)."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered) - 1e-9) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return count, p50, p95, p99 and the largest."""
    if not values:
        return {"count": 0}
    found = {name: percentile(values, part) for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))}
    return {"count": len(values), **{name: round(value, 5) for name, value in found.items()}} | {
        "max": round(max(values), 5)
    }


def ms(seconds: float) -> float:
    """Return milliseconds with one decimal."""
    return round(seconds * 1000, 1)
