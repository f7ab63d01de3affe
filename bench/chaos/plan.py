"""Plan of a run: its length, its seed, the product's times in it, and what Meta does all along."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

#: Meta's ordinary misbehaviour during the load, in percent of the sends (devstack.meta.options)
WEATHER: dict[str, Any] = {
    "latency_ms": 30,
    "error_429": 2,
    "error_500_before": 1,
    "error_500_after": 2,
    "hang_after": 1,
    "reset_after": 2,
    "reset_before": 1,
    "html_503": 1,
    "callback_before_answer": 5,
    "callback_duplicate": 10,
    "callback_loss": 2,
    "skip_delivered": 5,
    "shuffle": True,
}
#: every fault of WEATHER off again; the ledger stays
CALM: dict[str, Any] = {name: False if value is True else 0 for name, value in WEATHER.items()}
#: the same in calm and storm: short lives, quick redeliveries, so that a run fits into minutes
ALWAYS: dict[str, Any] = {
    "sent_delay": 0.15,
    "delivered_delay": 0.5,
    "read_delay": 1.2,
    "hang_seconds": 8,
    "callback_timeout": 5,
    "redelivery_start": 0.5,
    "redelivery_cap": 4,
    "batch_size": 50,
}
#: everything the nemesis can do, by the word that ``--only`` takes
FAULTS = ("kill", "web", "beat", "freeze", "rolling", "pg", "redis", "flush", "redis-freeze", "storm", "meta")


@dataclass(frozen=True)
class Plan:
    """One run. The times are short, in the product's own proportions, so that minutes mean something."""

    seed: int = 1
    seconds: float = 180.0
    rate: float = 60.0
    #: mean seconds between two faults
    every: float = 1.3
    only: tuple[str, ...] = FAULTS
    failpoints: str = ""
    lease: float = 6.0
    timeout: float = 3.0
    #: longer than any freeze below, or a frozen call and its repetition could both be made
    unknown_wait: float = 40.0
    #: a webhook that failed twice is tried a third time after five and a half minutes at most
    settle_at_most: float = 400.0
    tenants: int = 9
    people: int = 70
    weather: dict[str, Any] = field(default_factory=lambda: dict(WEATHER))

    @property
    def freeze(self) -> float:
        """How long a worker is frozen: well beyond its lease."""
        return 2 * self.lease

    def settings(self) -> dict[str, str]:
        """Return the product's settings of this run."""
        return {
            "SEND_LEASE_SECONDS": str(self.lease),
            "SEND_TIMEOUT_SECONDS": str(self.timeout),
            "UNKNOWN_WAIT_SECONDS": str(self.unknown_wait),
            # What a killed worker had leased of deliveries is back soon, so that a run fits into minutes.
            "WEBHOOK_LEASE_SECONDS": "12",
            "WEBHOOK_TIMEOUT_SECONDS": "5",
        }
