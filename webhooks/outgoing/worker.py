"""Delivery worker: claim, post, record; a stream of webhooks through one event loop.

Like the engine that sends messages, no stage waits for a whole batch of another, and each endpoint has a
window of its own: whoever hangs holds up only himself. What an endpoint's owner changes counts within a
second, also for what was leased before.

             woken, or four times a second
    Postgres ──▶ claim ──▶ a window for each endpoint ──▶ post ──▶ record ──▶ Postgres
                   ▲       (what waits, how many at once)   │ customer
                   └── given back: endpoints that were changed, what waits behind a failure

    claim   one thread; at most 1,024 leased, of these a share for each account
    post    a task for each delivery, at most 256 at once; its end widens or narrows its endpoint's window
    record  one thread; what comes within 5 ms, at most 200 in one transaction
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import orjson
import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts import vault
from core.failpoints import failpoint
from core.jobs.drains import Lifetime, Wakeup, awake
from core.jobs.threads import DATABASE_RETRY_SECONDS, DatabaseThread
from core.jobs.wakeup import channel
from core.secret import Secret
from webhooks.outgoing import claims, egress, signing
from webhooks.outgoing.claims import Claim, Claimed, Outcome, Target
from webhooks.outgoing.schedule import judge
from webhooks.outgoing.windows import EndpointWindow, EndpointWindows, share

log = structlog.get_logger(__name__)

#: requests under way at once, of all endpoints together
CAPACITY = 256
#: deliveries leased at once: those under way and those that wait for their turn
LEASED_AT_MOST = 1_024
#: outcomes recorded in one transaction at most
RECORD_AT_MOST = 200
#: shortest time from one look to the next
CLAIM_AT_MOST_EVERY_SECONDS = 0.01
#: how soon a changed or removed endpoint is noticed by what was already leased for it
LOOK_FOR_CHANGES_EVERY_SECONDS = 0.5
#: outcomes of so many seconds are recorded together
RECORD_TOGETHER_SECONDS = 0.005
#: how long the body of an answer may take beyond the time limit of the answer itself
BODY_SECONDS = 2.0
MASK = "(hidden)"


class _Opened:
    """An endpoint with its secrets opened, for the length of one drain."""

    def __init__(self, target: Target) -> None:
        def opened(sealed: str, column: str) -> str:
            context = f"endpoint:{target.account_id}:{target.id}:{column}"
            return vault.unseal(sealed, context=context).reveal()

        current = Secret(opened(target.secret_sealed, "secret"))
        previous = Secret(opened(target.previous_secret_sealed, "previous_secret"))
        self.keys = [signing.key_of(secret) for secret in (current, previous) if secret]
        headers = opened(target.headers_sealed, "headers")
        self.headers: dict[str, str] = orjson.loads(headers) if headers else {}


class Deliverer:
    """One run of the drain. ``seconds`` None: as long as the settings say."""

    def __init__(self, *, seconds: float | None = None, linger: float | None = None) -> None:
        self._seconds = seconds
        self._linger = linger
        self._windows = EndpointWindows()
        self._leased = 0  # claimed and not yet recorded
        self._under_way = 0
        self._by_account: Counter[uuid.UUID] = Counter()  # of those under way; no zeros
        self._posts: set[asyncio.Task[None]] = set()
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._opened: dict[tuple[str, str, str], _Opened] = {}
        self._returns: list[Claim] = []  # leased, and not to be tried now
        self._looked = time.monotonic()
        self.delivered = 0
        self.failed = 0
        #: the drain ended because its time was up, so there may be more to do
        self.cut_short = False

    async def run(self) -> None:
        """Work until there is nothing left to do, the time is up or the process is asked to stop."""
        self._lifetime = Lifetime(seconds=self._seconds, linger=self._linger)
        self._claimer, recorder = DatabaseThread("deliver-claim"), DatabaseThread("deliver-record")
        async with egress.session() as self._session:
            recording = asyncio.create_task(self._record(recorder))
            recording.add_done_callback(self._stage_ended)
            try:
                async with awake(channel("deliveries")) as wakeup:
                    if wakeup is None:
                        return
                    self._wakeup = wakeup
                    await self._claim(wakeup)
                # No longer the process's drain: the next one may start while slow requests end here.
                await self._finish()
            finally:
                recording.cancel()
                await asyncio.gather(recording, return_exceptions=True)
                await self._claimer.close()
                await recorder.close()

    def _stage_ended(self, stage: asyncio.Task[None]) -> None:
        """A stage that ends by itself is a bug: say so and let the drain end; the leases do the rest."""
        if not stage.cancelled():
            log.error("a stage of the deliveries ended", exc_info=stage.exception())
            self._lifetime.end()

    # --- claim

    async def _claim(self, wakeup: Wakeup) -> None:
        while self._lifetime.goes_on():
            found, looked = Claimed(), time.monotonic()
            await self._look_for_changes()
            await self._give_back()
            if self._leased < LEASED_AT_MOST:
                try:
                    found = await self._claimer.run(self._claim_work())
                except (OperationalError, InterfaceError) as error:
                    log.warning("claim failed; the database is asked again", error=repr(error))
                    await asyncio.sleep(DATABASE_RETRY_SECONDS)
            if found.claims:
                self._lifetime.worked()
                failpoint("out.after_claim")
                await self._accept(found)
            elif self._leased:
                self._lifetime.worked()
            self._windows.forget_idle()
            for window in self._windows.by_endpoint.values():
                if window.waiting:
                    self._pump(window)
            # An endpoint that runs dry wakes this drain, and is not asked for more often than this.
            await asyncio.sleep(looked + CLAIM_AT_MOST_EVERY_SECONDS - time.monotonic())
            await wakeup.wait(self._lifetime.poll_seconds)
        self.cut_short = self._lifetime.time_is_up()

    def _claim_work(self) -> Callable[[], Claimed]:
        leased = self._windows.leased()
        room_of = partial(share, LEASED_AT_MOST, leased)
        return partial(
            claims.claim,
            LEASED_AT_MOST - self._leased,
            slots_for=self._windows.room_for,
            room_of=room_of,
            without=self._windows.full(),
            without_accounts=[account_id for account_id in leased if room_of(account_id) <= 0],
        )

    async def _look_for_changes(self) -> None:
        """Let go what was leased for an endpoint that its owner has changed or removed meanwhile."""
        now = time.monotonic()
        waiting = {ident: window for ident, window in self._windows.by_endpoint.items() if window.waiting}
        if not waiting or now - self._looked < LOOK_FOR_CHANGES_EVERY_SECONDS:
            return
        self._looked = now
        targets = [window.target for window in waiting.values()]
        try:
            for ident in await self._claimer.run(partial(claims.changed, targets)):
                self._let_go(waiting[ident])
        except (OperationalError, InterfaceError) as error:
            log.warning("changes of endpoints were not seen", error=repr(error))

    async def _accept(self, found: Claimed) -> None:
        until = time.monotonic() + settings.WEBHOOK_LEASE_SECONDS - self._longest_request()
        touched: dict[uuid.UUID, EndpointWindow] = {}
        for target in found.targets.values():
            try:
                self._open(target)
            except (vault.CannotOpen, ValueError) as error:
                # Never unsigned. An operator has to bring the key back; the lease is the pause.
                log.error("an endpoint's secret cannot be opened", endpoint=str(target.id), error=str(error))
            else:
                touched[target.id] = self._windows.of(target)
        for claim in found.claims:
            window = touched.get(claim.endpoint_id)
            if window is not None:
                window.add(claim, until)
                self._leased += 1
        for window in touched.values():
            self._pump(window)

    @staticmethod
    def _longest_request() -> float:
        return float(settings.WEBHOOK_TIMEOUT_SECONDS) + BODY_SECONDS + 1.0

    def _open(self, target: Target) -> _Opened:
        key = (target.secret_sealed, target.previous_secret_sealed, target.headers_sealed)
        opened = self._opened.get(key)
        if opened is None:
            opened = self._opened[key] = _Opened(target)
        return opened

    # --- post

    def _pump(self, window: EndpointWindow) -> None:
        """Start what may start now."""
        before = len(window.waiting)
        started = 0
        account_id = window.target.account_id
        while self._under_way < CAPACITY and share(CAPACITY, self._by_account, account_id) > 0:
            claim = window.next()
            if claim is None:
                break
            started += 1
            self._under_way += 1
            self._by_account[account_id] += 1
            task = asyncio.create_task(self._post(window, claim))
            self._posts.add(task)
            task.add_done_callback(self._posts.discard)
        # What was dropped because its lease is over is not ours any more.
        self._leased -= before - len(window.waiting) - started
        pause = window.pause(time.monotonic())
        if window.waiting and pause > 0:
            asyncio.get_running_loop().call_later(pause, self._pump, window)

    async def _post(self, window: EndpointWindow, claim: Claim) -> None:
        target = window.target
        began = time.monotonic()
        arrived = False
        try:
            outcome = await self._attempt(target, claim)
            arrived = outcome.verdict.arrived
            window.unrecorded += not arrived
            self._outcomes.put_nowait(outcome)
        except Exception:
            # A bug: the lease runs out and the delivery is tried again.
            log.exception("a delivery ended without an outcome", delivery=str(claim.id))
            self._leased -= 1
        finally:
            # Other endpoints of a crowded account wait for this place.
            crowded = share(CAPACITY, self._by_account, target.account_id) <= 0
            self._under_way -= 1
            self._by_account[target.account_id] -= 1
            if not self._by_account[target.account_id]:
                del self._by_account[target.account_id]
            window.ended(claim, arrived=arrived, seconds=time.monotonic() - began)
        if arrived:
            self.delivered += 1
        else:
            self.failed += 1
            # Its others wait in the database, where a pause or an open breaker will hold them.
            self._let_go(window)
        self._pump(window)
        if crowded or len(window.waiting) < window.width:
            self._wakeup.notify()

    def _let_go(self, window: EndpointWindow) -> None:
        left = window.clear()
        self._leased -= len(left)
        self._returns += left

    async def _attempt(self, target: Target, claim: Claim) -> Outcome:
        opened = self._open(target)
        body = claim.body
        event_id = f"evt_{claim.event_id.hex}"
        now = datetime.now(UTC)
        signed = signing.headers(opened.keys, event_id=event_id, timestamp=int(now.timestamp()), body=body)
        headers = {**opened.headers, **signed}
        failpoint("out.before_post")
        answer = await egress.post(
            self._session, target.url, body, headers, timeout=settings.WEBHOOK_TIMEOUT_SECONDS
        )
        failpoint("out.after_post")
        verdict = judge(
            answer.status, tried=claim.tried + 1, retry_after=answer.headers.get("retry-after", ""), now=now
        )
        return Outcome(
            claim=claim,
            verdict=verdict,
            at=now,
            milliseconds=answer.milliseconds,
            status=answer.status,
            error=answer.error or "",
            url=target.url,
            headers={"content-type": "application/json", **dict.fromkeys(opened.headers, MASK), **signed},
            response=answer.body,
        )

    # --- record

    async def _record(self, worker: DatabaseThread) -> None:
        while True:
            batch = [await self._outcomes.get()]
            await asyncio.sleep(RECORD_TOGETHER_SECONDS)
            while len(batch) < RECORD_AT_MOST and not self._outcomes.empty():
                batch.append(self._outcomes.get_nowait())
            await worker.keep(claims.record, batch, place="out")
            self._leased -= len(batch)
            self._lifetime.worked()  # what failed may be due again
            for outcome in batch:
                if not outcome.verdict.arrived:
                    self._windows.by_endpoint[outcome.claim.endpoint_id].unrecorded -= 1
                    self._wakeup.notify()
            for _ in batch:
                self._outcomes.task_done()

    async def _finish(self) -> None:
        """Let what was started end; what only waited is given back."""
        for window in self._windows.by_endpoint.values():
            self._let_go(window)
        await self._give_back()
        while self._posts:
            await asyncio.wait(set(self._posts))
        await self._outcomes.join()

    async def _give_back(self) -> None:
        left, self._returns = self._returns, []
        if not left:
            return
        try:
            await self._claimer.run(partial(claims.give_back, left))
        except (OperationalError, InterfaceError) as error:
            log.warning("deliveries were not given back; their leases will run out", error=repr(error))


def drain(*, seconds: float | None = None, linger: float | None = None) -> Deliverer:
    """Deliver what is due. Called by the task, which lingers for more work, and by tests, which do not."""
    deliverer = Deliverer(seconds=seconds, linger=linger)
    asyncio.run(deliverer.run())
    return deliverer
