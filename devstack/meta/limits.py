"""Meta's limits: throughput of a number, of a pair, and calls of the management API."""

RATE_OF_LEVEL = {"STANDARD": 80.0, "HIGH": 1000.0}
RATE_ON_BIZ_APP = 20.0


class Limiter:
    """Many token buckets, each kept as one float: the time at which it would be full again.

    A bucket of `burst` tokens of which one comes back every `interval` seconds is drained when that time lies
    more than `burst` intervals ahead. Buckets that are full need no memory and are swept out.
    """

    def __init__(self) -> None:
        self._full_at: dict[object, float] = {}
        self._sweep_at = 50_000

    def take(self, key: object, now: float, interval: float, burst: float) -> bool:
        """Take one token; False, and nothing taken, if there is none."""
        full_at = self._full_at.get(key, now)
        if full_at < now:
            full_at = now
        full_at += interval
        # The small allowance forgives rounding: clock values near 2e9 carry about 2e-7 of noise.
        if full_at - now > burst * interval + 1e-6:
            return False
        self._full_at[key] = full_at
        if len(self._full_at) > self._sweep_at:
            self._sweep(now)
        return True

    def wait(self, key: object, now: float, interval: float, burst: float) -> float:
        """Seconds until a token is there."""
        return max(0.0, self._full_at.get(key, now) + interval - now - burst * interval)

    def __len__(self) -> int:
        """How many buckets are kept in memory."""
        return len(self._full_at)

    def clear(self) -> None:
        """Fill every bucket."""
        self._full_at.clear()

    def _sweep(self, now: float) -> None:
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
        self._sweep_at = max(50_000, 2 * len(self._full_at))
