"""Endpoint windows: what waits for each endpoint, how much of it may be under way at once.

A window begins with a few requests at a time. Quick successes widen it, a failure or a slow answer narrows it
to one, so that a receiver that hangs holds one request and a fast one gets as many as it takes. Events of
one subject go one after the other, in their order. All windows of one account together keep to its share.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter, deque

from webhooks.outgoing.claims import Claim, Target

#: requests under way for an endpoint nothing is known of yet
FIRST_WIDTH = 4
WIDEST = 32
#: an answer that takes longer narrows the window, in seconds
SLOW_SECONDS = 3.0
#: deliveries leased ahead for each one that may be under way
AHEAD = 4
#: after an outage: deliveries a second, doubling every so many seconds, for so long
RAMP_FROM_PER_SECOND = 5.0
RAMP_DOUBLES_EVERY = 10.0
RAMP_SECONDS = 80.0


class EndpointWindow:
    """The deliveries of one endpoint that this process has leased."""

    def __init__(self, target: Target) -> None:
        self.waiting: deque[tuple[Claim, float]] = deque()
        self.under_way = 0
        #: failures that are not recorded yet: until they are, nobody knows whether more may be sent
        self.unrecorded = 0
        self.idle_since = time.monotonic()
        self._subjects: set[str] = set()
        self._width = float(FIRST_WIDTH)
        self._next_start = 0.0
        self.meet(target)

    def meet(self, target: Target) -> None:
        """Take the endpoint as the newest claim has found it."""
        self.target = target
        if target.failing or target.probing:
            self._width = 1.0
        recovering = target.recovering_for
        self._recovered_at = (
            time.monotonic() + RAMP_SECONDS - recovering
            if recovering is not None and recovering < RAMP_SECONDS
            else 0.0
        )

    @property
    def width(self) -> int:
        """How many may be under way at once."""
        return 0 if self.unrecorded else int(self._width)

    def room(self) -> int:
        """How many more to lease: enough that the endpoint does not run dry until the next claim."""
        if self.unrecorded:
            return 0
        ahead = 1 if self._width < FIRST_WIDTH else AHEAD
        return self.width * ahead - len(self.waiting) - self.under_way

    def add(self, claim: Claim, until: float) -> None:
        """Let a leased delivery wait; it must have been started by ``until`` (monotonic)."""
        self.waiting.append((claim, until))

    def next(self) -> Claim | None:
        """Take the next delivery that may start now; those whose lease is nearly over are dropped."""
        now = time.monotonic()
        while self.waiting and now > self.waiting[0][1]:
            self.waiting.popleft()  # it is due again for everybody
        if self.under_way >= self.width or self.pause(now) > 0:
            return None
        for position, (claim, until) in enumerate(self.waiting):
            if now <= until and not (claim.subject and claim.subject in self._subjects):
                del self.waiting[position]
                self._started(claim, now)
                return claim
        return None

    def pause(self, now: float) -> float:
        """Return the seconds until the next may start, while the endpoint recovers from an outage."""
        return max(0.0, self._next_start - now) if now < self._recovered_at else 0.0

    def _started(self, claim: Claim, now: float) -> None:
        self.under_way += 1
        if claim.subject:
            self._subjects.add(claim.subject)
        if now < self._recovered_at:
            age = RAMP_SECONDS - (self._recovered_at - now)
            rate = RAMP_FROM_PER_SECOND * 2 ** (age / RAMP_DOUBLES_EVERY)
            self._next_start = max(self._next_start, now) + 1 / rate

    def ended(self, claim: Claim, *, arrived: bool, seconds: float) -> None:
        """Note how a request went."""
        self.under_way -= 1
        self._subjects.discard(claim.subject)
        self.idle_since = time.monotonic()
        if not arrived or seconds > SLOW_SECONDS:
            self._width = 1.0
        else:
            self._width = min(float(WIDEST), self._width + 1 / self._width)

    def clear(self) -> list[Claim]:
        """Give up what waits, so that it can be given back."""
        left = [claim for claim, _ in self.waiting]
        self.waiting.clear()
        return left


def share(whole: int, held: Counter[uuid.UUID], account_id: uuid.UUID) -> int:
    """Return how many more an account may take of ``whole``; ``held`` counts those who have some.

    Nobody gets more than an even part, and a part is kept for whoever comes next: an account with many slow
    endpoints takes half of the places when it is alone and never the last one.
    """
    others = len(held) - (account_id in held)
    return max(FIRST_WIDTH, whole // (others + 2)) - held[account_id]


class EndpointWindows:
    """The windows of all endpoints, forgotten when they have been idle for a while."""

    IDLE_SECONDS = 30.0

    def __init__(self) -> None:
        self.by_endpoint: dict[uuid.UUID, EndpointWindow] = {}

    def room_for(self, target: Target) -> int:
        """Return how many deliveries to lease for an endpoint."""
        window = self.by_endpoint.get(target.id)
        if window is None:
            return 1 if target.failing else FIRST_WIDTH * AHEAD
        return window.room()

    def full(self) -> list[uuid.UUID]:
        """Return the endpoints that need no more now."""
        return [ident for ident, window in self.by_endpoint.items() if window.room() <= 0]

    def of(self, target: Target) -> EndpointWindow:
        """Return the endpoint's window, brought up to date."""
        window = self.by_endpoint.get(target.id)
        if window is None:
            window = self.by_endpoint[target.id] = EndpointWindow(target)
        else:
            window.meet(target)
        return window

    def leased(self) -> Counter[uuid.UUID]:
        """Return how many deliveries each account has here, waiting or under way."""
        found: Counter[uuid.UUID] = Counter()
        for window in self.by_endpoint.values():
            found[window.target.account_id] += len(window.waiting) + window.under_way
        return +found

    def forget_idle(self) -> None:
        """Drop windows that nothing has happened in for a while."""
        now = time.monotonic()
        for ident, window in list(self.by_endpoint.items()):
            busy = window.waiting or window.under_way or window.unrecorded
            if not busy and now - window.idle_since > self.IDLE_SECONDS:
                del self.by_endpoint[ident]
