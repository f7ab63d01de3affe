"""The engine: claim, mark, call Meta, record; a stream of messages through one event loop.

``claim`` leases a batch of due rows with their slots; ``mark`` notes, micro-batched and in a commit of
its own, that calls are about to be made; many calls run at once on kept-alive connections; outcomes are
recorded in micro-batches. No stage waits for a whole batch of another: one slow answer holds up nobody.

             woken, or four times a second
    Postgres ──▶ 1 claim ──▶ heap of slots ──▶ 2 mark ──▶ 3 call ──▶ 4 record ──▶ Postgres
                    │      (when each may go)  (committed)   │ Meta      ▲
                    ├── settled without a call: expired, dry run, answer lost ──┤
                    └── given back: its credentials do not open, or no mark ────┘

    1  one thread; at most SEND_CONCURRENCY rows, less those that are under way
    2  one thread; those whose slots are within 10 ms together; without its mark no call is made
    3  a task for each message; the answer also moves its number: breaker, pause, proof (one thread, "pace")
    4  one thread; whatever has gathered, at most 500 in one transaction
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
import uuid
from functools import partial

import aiohttp
import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from accounts import vault
from core.failpoints import ACTIVE as FAILPOINTS_ACTIVE
from core.failpoints import failpoint
from core.jobs.drains import Lifetime, Wakeup, awake
from core.jobs.threads import DATABASE_RETRY_SECONDS, DatabaseThread
from core.jobs.wakeup import channel
from messaging.inbound import contacts
from messaging.message_templates import store as template_store
from messaging.meta import payloads
from messaging.meta.client import Accepted, Answer, Caller, Refused, Unsent, new_session, send
from messaging.meta.codes import Outcome
from messaging.numbers import proofs
from messaging.send import fallbacks, heartbeat, outcomes, pacing, settle
from messaging.send.claims import Claim, claim
from messaging.status.timeline import Change, mark, record

log = structlog.get_logger(__name__)

#: slots closer than this are marked together
MARK_TOGETHER_SECONDS = 0.01
#: the shortest time from one look to the next: a thousand wake-ups a second need not be a thousand looks,
#: and what comes within a few hundredths of a second is cheaper to send together
LOOK_AT_MOST_EVERY_SECONDS = 0.02
#: outcomes recorded in one transaction at most
RECORD_AT_MOST = 500


def _traces() -> list[aiohttp.TraceConfig]:
    """Let the failpoint between request and answer be reached; nothing is traced otherwise."""
    if not FAILPOINTS_ACTIVE:
        return []

    async def written(*_: object) -> None:
        failpoint("send.after_write")

    trace = aiohttp.TraceConfig()
    trace.on_request_chunk_sent.append(written)
    return [trace]


class Pipeline:
    """One run of the engine. ``seconds`` None: as long as the settings say."""

    def __init__(self, *, seconds: float | None = None, linger: float | None = None) -> None:
        self._seconds = seconds
        self._linger = linger
        self._capacity = settings.SEND_CONCURRENCY
        #: seconds between the mark and the start of a call; a worker frozen for longer must not send
        self._slack = (settings.SEND_LEASE_SECONDS - settings.SEND_TIMEOUT_SECONDS) / 2
        self._under_way = 0  # claimed and not yet recorded
        self._slots: list[tuple[float, int, Claim]] = []  # a heap of claims by the time of their slot
        self._order = itertools.count()
        self._outcomes: asyncio.Queue[tuple[Change, int]] = asyncio.Queue()  # with its share of _under_way
        self._calls: set[asyncio.Task[None]] = set()
        self._callers: dict[tuple[str, str, str], Caller] = {}
        self._proven: set[uuid.UUID] = set()  # said so by this run; what was claimed before does not know
        self._beaten = -heartbeat.WORKER_EVERY_SECONDS
        self._breakers = pacing.Breakers()
        #: the one message under way that may be what killed earlier workers, and how long to wait for it
        self._suspect: uuid.UUID | None = None
        self._suspect_until = 0.0
        self._learnt: set[uuid.UUID] = set()  # contacts whose WhatsApp number was stored in this run
        self.sent = 0
        #: the drain ended because its time was up, so there may be more to do
        self.cut_short = False

    async def run(self) -> None:
        """Work until there is nothing left to do, the time is up or the process is asked to stop."""
        self._lifetime = Lifetime(seconds=self._seconds, linger=self._linger)
        self._slot_added = asyncio.Event()
        self._marked = asyncio.Event()  # clear while a batch is between the heap and its calls
        self._marked.set()
        claimer, marker, recorder = DatabaseThread("claim"), DatabaseThread("mark"), DatabaseThread("record")
        self._pacer = DatabaseThread("pace")
        async with new_session(connections=self._capacity, traces=_traces()) as session:
            stages = [
                asyncio.create_task(self._mark(session, marker)),
                asyncio.create_task(self._record(recorder)),
            ]
            for stage in stages:
                stage.add_done_callback(self._stage_ended)
            try:
                async with awake(channel("messages")) as wakeup:
                    if wakeup is None:
                        return
                    await self._claim(wakeup, claimer)
                # No longer the process's drain: the next one may start while slow calls end here.
                await self._finish()
            finally:
                for stage in stages:
                    stage.cancel()
                await asyncio.gather(*stages, return_exceptions=True)
                for worker in (claimer, marker, recorder, self._pacer):
                    await worker.close()

    def _stage_ended(self, stage: asyncio.Task[None]) -> None:
        """A stage that ends by itself is a bug: say so and let the drain end; the leases do the rest."""
        if not stage.cancelled():
            log.error("a stage of the engine ended", exc_info=stage.exception())
            self._lifetime.end()

    # --- stage 1: claim

    async def _claim(self, wakeup: Wakeup, worker: DatabaseThread) -> None:
        while self._lifetime.goes_on():
            free = self._capacity - self._under_way
            looked = time.monotonic()
            claims: list[Claim] = []
            if free > 0:
                try:
                    await self._beat(worker)
                    alone = self._suspect is None or time.monotonic() > self._suspect_until
                    claims = await worker.run(partial(claim, free, suspect=alone))
                except (OperationalError, InterfaceError) as error:
                    log.warning("claim failed; the database is asked again", error=repr(error))
                    await asyncio.sleep(DATABASE_RETRY_SECONDS)
            if claims:
                self._lifetime.worked()
                await self._accept(claims, worker)
            elif self._under_way:
                self._lifetime.worked()
            await asyncio.sleep(looked + LOOK_AT_MOST_EVERY_SECONDS - time.monotonic())
            # While something is under way a slot may come near, or a call's end may make room.
            await wakeup.wait(0.01 if claims or self._under_way else self._lifetime.poll_seconds)
        self.cut_short = self._lifetime.time_is_up()

    async def _beat(self, worker: DatabaseThread) -> None:
        if time.monotonic() - self._beaten >= heartbeat.WORKER_EVERY_SECONDS:
            self._beaten = time.monotonic()
            await worker.run(lambda: heartbeat.note(heartbeat.WORKER))

    async def _accept(self, claims: list[Claim], worker: DatabaseThread) -> None:
        failpoint("send.after_claim")
        if any(fallbacks.wanted(item) for item in claims):
            try:
                fresh = await worker.run(lambda: fallbacks.apply([*filter(fallbacks.wanted, claims)]))
            except (OperationalError, InterfaceError) as error:
                # Without knowing the window these cannot go out; their leases will run out.
                log.warning("fallbacks could not be chosen", error=repr(error))
                fresh = []
            claims = [item for item in claims if not fallbacks.wanted(item)] + fresh
        now = time.monotonic()
        settled: list[Claim] = []
        for item in claims:
            if item.suspect:
                self._suspect, self._suspect_until = item.id, now + settings.SEND_LEASE_SECONDS
            if settle.needs_no_call(item):
                settled.append(item)
            elif await self._can_open(item):
                self._under_way += 1
                heapq.heappush(self._slots, (now + item.wait, next(self._order), item))
            else:
                self._outcomes.put_nowait((outcomes.give_back(item), 0))
        self._slot_added.set()
        if settled:
            await self._settle(settled, worker)

    async def _settle(self, claims: list[Claim], worker: DatabaseThread) -> None:
        self._under_way += len(claims)
        try:
            changes = await worker.run(lambda: settle.settle(claims))
        except Exception as error:
            # What is not settled now is due again when its lease runs out.
            log.warning("settling failed; the leases will run out", error=repr(error))
            self._under_way -= len(claims)
            return
        for change in changes[:-1]:
            self._outcomes.put_nowait((change, 0))
        # The last one stands for all of them: until then the drain knows that there is more to come.
        self._outcomes.put_nowait((changes[-1], len(claims)))

    async def _can_open(self, item: Claim) -> bool:
        """Tell whether the number's credentials can be used; if not, hold the number before any mark."""
        try:
            self._caller(item)
        except (vault.CannotOpen, ValueError) as error:
            assert item.number is not None
            await self._pacer.run(
                partial(
                    pacing.hold,
                    item.number.id,
                    sealed_token=item.number.access_token_sealed,
                    reason=f"The saved credentials cannot be used: {error}. Save them again.",
                )
            )
            return False
        return True

    # --- stage 2: mark

    async def _mark(self, session: aiohttp.ClientSession, worker: DatabaseThread) -> None:
        while True:
            while not self._slots:
                self._slot_added.clear()
                await self._slot_added.wait()
            pause = self._slots[0][0] - time.monotonic()
            if pause > 0:
                self._slot_added.clear()
                try:
                    async with asyncio.timeout(pause):
                        await self._slot_added.wait()
                except TimeoutError:
                    pass
                continue
            near = time.monotonic() + MARK_TOGETHER_SECONDS
            batch: list[Claim] = []
            while self._slots and self._slots[0][0] <= near:
                batch.append(heapq.heappop(self._slots)[2])
            self._marked.clear()
            try:
                await self._mark_batch(session, worker, batch)
            finally:
                self._marked.set()

    async def _mark_batch(
        self, session: aiohttp.ClientSession, worker: DatabaseThread, batch: list[Claim]
    ) -> None:
        latest = time.monotonic() + self._slack
        pairs = [(item.id, item.token) for item in batch]
        failpoint("send.before_mark")
        marked: set[uuid.UUID] = set()
        try:
            marked = await worker.run(lambda: mark(pairs, needed=settings.SEND_TIMEOUT_SECONDS + self._slack))
        except Exception as error:
            log.warning("mark failed", count=len(batch), error=repr(error))
        failpoint("send.after_mark")
        for item in batch:
            if item.id in marked:
                task = asyncio.create_task(self._call(session, item, latest))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
            else:
                # No call will be made under this lease, whatever became of the mark: if the row is
                # still ours, it is due again at once.
                self._outcomes.put_nowait((outcomes.give_back(item), 1))

    # --- stage 3: call

    async def _call(self, session: aiohttp.ClientSession, item: Claim, latest: float) -> None:
        try:
            answer = await self._answer(session, item, latest)
            change = outcomes.change_of(item, answer)
        except Exception:
            # A bug while building or judging: the row stays marked and is settled as a lost answer.
            log.exception(
                "a send ended without an outcome",
                message=str(item.id),
                correlation_id=item.correlation_id,
            )
            self._under_way -= 1
            return
        # The id of the request that the message came by: one search finds both ends of its way.
        log.info(
            "called Meta", message=str(item.id), led_to=change.status, correlation_id=item.correlation_id
        )
        try:
            await self._watch(item, answer)
            if isinstance(answer, Accepted):
                self.sent += 1
                await self._prove(item)
                await self._learn(item, answer)
            elif isinstance(answer, Refused):
                await self._slow(item, answer)
        except Exception as error:
            # The database was away: the number feels it with the next answer; this one must not be lost.
            log.warning("what an answer says of its number was not noted", error=repr(error))
        self._outcomes.put_nowait((change, 1))

    async def _answer(self, session: aiohttp.ClientSession, item: Claim, latest: float) -> Answer:
        caller = self._caller(item)
        body = payloads.encode(
            payloads.build(to=item.recipient, content=item.content, ref=payloads.ref_for(item.id, item.round))
        )
        failpoint("send.before_post")
        # The last line before the call: a worker that was frozen since the mark must not send now.
        if time.monotonic() > latest:
            return Unsent("the worker was frozen between marking and calling")
        answer = await send(session, caller, body, timeout=settings.SEND_TIMEOUT_SECONDS)
        failpoint("send.after_response")
        return answer

    def _caller(self, item: Claim) -> Caller:
        number = item.number
        assert number is not None  # messages without a number never get here (settle.settle)
        key = (number.phone_number_id, number.access_token_sealed, number.app_secret_sealed)
        caller = self._callers.get(key)
        if caller is None:
            context = f"connection:{number.account_id}:{number.id}:"
            app_secret = vault.unseal(number.app_secret_sealed, context=context + "app_secret")
            caller = self._callers[key] = Caller(
                graph_url=settings.META_GRAPH_URL,
                version=settings.META_GRAPH_VERSION,
                phone_number_id=number.phone_number_id,
                access_token=vault.unseal(number.access_token_sealed, context=context + "access_token"),
                app_secret=app_secret or None,
            )
        return caller

    async def _prove(self, item: Claim) -> None:
        """Let the first message that Meta takes from a number show that the number is its account's."""
        number = item.number
        if number is not None and not number.proven and number.id not in self._proven:
            self._proven.add(number.id)
            await self._pacer.run(partial(proofs.taken, number.id, number.access_token_sealed))

    async def _learn(self, item: Claim, answer: Accepted) -> None:
        """Remember Meta's own form of the number where it differs (Brazil, Mexico, Argentina)."""
        known = answer.wa_id in (None, item.recipient) or item.contact_id in self._learnt
        if item.contact_id and answer.wa_id and not known:
            self._learnt.add(item.contact_id)
            try:
                await self._pacer.run(
                    partial(contacts.learn_wa_id, contact_id=item.contact_id, wa_id=answer.wa_id)
                )
            except Exception:
                # The conversation may show twice; the message's own outcome matters more.
                log.exception("a number's WhatsApp form was not stored", message=str(item.id))

    async def _watch(self, item: Claim, answer: Answer) -> None:
        """Open the number's breaker after failures in a row; close it when a probe is answered."""
        assert item.number is not None
        ident = item.number.id
        if isinstance(answer, Accepted | Refused) and not outcomes.is_down(answer):
            self._breakers.answered(ident)
            if item.number.probing:
                await self._pacer.run(partial(pacing.close_breaker, ident))
        elif self._breakers.failed(ident):
            await self._pacer.run(partial(pacing.open_breaker, ident))

    async def _slow(self, item: Claim, answer: Refused) -> None:
        """Let the number feel what Meta said: held, paused, given a breath; its templates read again."""
        assert item.number is not None
        number, outcome = item.number, answer.meta.outcome
        if outcome is Outcome.HOLD_CREDENTIALS:
            await self._pacer.run(
                partial(
                    pacing.hold,
                    number.id,
                    sealed_token=number.access_token_sealed,
                    reason=answer.meta.tells,
                )
            )
        elif outcome in (Outcome.PAUSE_ACCOUNT, Outcome.THROTTLE_ACCOUNT):
            seconds = answer.retry_after or outcomes.ACCOUNT_PAUSE_SECONDS
            await self._pacer.run(partial(pacing.pause, number.id, seconds=seconds, reason=answer.meta.tells))
        elif outcome is Outcome.THROTTLE_NUMBER:
            await self._pacer.run(partial(pacing.slow_down, number.id))
        elif outcome is Outcome.FAIL_TEMPLATE:
            await self._pacer.run(partial(template_store.doubt, number.id))

    # --- stage 4: record

    async def _record(self, worker: DatabaseThread) -> None:
        while True:
            batch = [await self._outcomes.get()]
            while len(batch) < RECORD_AT_MOST and not self._outcomes.empty():
                batch.append(self._outcomes.get_nowait())
            await worker.keep(record, [change for change, _ in batch], place="send")
            self._under_way -= sum(weight for _, weight in batch)
            if any(change.message_id == self._suspect for change, _ in batch):
                self._suspect = None
            self._lifetime.worked()  # what was recorded may be due again
            for _ in batch:
                self._outcomes.task_done()

    async def _finish(self) -> None:
        """Let what was started end: slots not yet due are given back by their leases."""
        for _, _, item in self._slots:
            self._outcomes.put_nowait((outcomes.give_back(item), 1))
        self._slots.clear()
        await self._marked.wait()
        while self._calls:
            await asyncio.wait(set(self._calls))
        await self._outcomes.join()


def drain(*, seconds: float | None = None, linger: float | None = None) -> Pipeline:
    """Send what is due. Called by the task, which lingers for more work, and by tests, which do not."""
    pipeline = Pipeline(seconds=seconds, linger=linger)
    asyncio.run(pipeline.run())
    return pipeline
