"""The sender of callbacks: batches, signs over Meta's escaped JSON, redelivers what was refused."""

import asyncio
import collections
import contextlib
import hashlib
import heapq
import hmac
import itertools
import json
import logging
from collections.abc import Callable
from typing import Any, NamedTuple

import aiohttp

from .models import Number
from .world import World

log = logging.getLogger(__name__)

GIVE_UP_AFTER = 7 * 24 * 3600.0
LARGEST_BACKLOG = 200_000
# Statuses that fall due within one tick travel together when the batch size allows it.
TICK = 0.005
_HEADERS = {"Content-Type": "application/json", "User-Agent": "facebookexternalua", "Accept": "*/*"}


class Item(NamedTuple):
    """One update: `key` ("statuses" or "messages") is empty when `value` is the whole value of its field.

    `entry_id` replaces the account's id in the envelope, as the dashboard's samples need it.
    """

    waba_id: str
    field: str
    value: dict[str, Any]
    key: str = ""
    number: Number | None = None
    contact: dict[str, Any] | None = None
    entry_id: str = ""


class Post(NamedTuple):
    """A signed body on its way; a redelivery sends the very same bytes."""

    raw: bytes
    attempt: int
    first_at: float


class Destination:
    """One callback address of one app, with what waits for it."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self.secret = secret.encode()
        self.items: collections.deque[Item] = collections.deque()
        self.again: collections.deque[Post] = collections.deque()
        self.flying = 0


def escaped(value: Any) -> bytes:
    """JSON as Meta writes it: everything beyond ASCII escaped, and the slashes too."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode()


def signature(secret: bytes, raw: bytes) -> str:
    """The value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.digest(secret, raw, "sha256").hex()


def envelope(items: list[Item], now: float) -> dict[str, Any]:
    """The body of one POST: items of one account share an entry, statuses of one number share a value."""
    entries: list[dict[str, Any]] = []
    messages_of: dict[str, dict[str, Any]] = {}
    value_of: dict[str, dict[str, Any]] = {}
    for item in items:
        entry_id = item.entry_id or item.waba_id
        if not item.key:
            change = {"value": item.value, "field": item.field}
            entries.append({"id": entry_id, "time": int(now), "changes": [change]})
            continue
        entry = messages_of.get(entry_id)
        if entry is None:
            entry = messages_of[entry_id] = {"id": entry_id, "changes": []}
            entries.append(entry)
        assert item.number is not None
        value = value_of.get(item.number.id) if item.key == "statuses" else None
        if value is None:
            value = {
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": item.number.digits, "phone_number_id": item.number.id},
            }
            if item.contact:
                value["contacts"] = [item.contact]
            value[item.key] = [item.value]
            entry["changes"].append({"value": value, "field": item.field})
            if item.key == "statuses":
                value_of[item.number.id] = value
            continue
        if item.contact and item.contact not in value.setdefault("contacts", []):
            value["contacts"].append(item.contact)
        value["statuses"].append(item.value)
    return {"object": "whatsapp_business_account", "entry": entries}


class Courier:
    """Keeps the timetable of everything that happens later, and carries callbacks to their addresses."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._due: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._destinations: dict[tuple[str, str], Destination] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the client session; callbacks published before that are sent now."""
        self._loop = asyncio.get_running_loop()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64, keepalive_timeout=30),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        self._arm()

    async def stop(self) -> None:
        """End at once: what is under way is dropped."""
        if self._timer:
            self._timer.cancel()
        self._due.clear()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session:
            await self._session.close()
            self._session = None

    def forget(self) -> None:
        """Drop everything planned and waiting; used when the world begins again."""
        self._due.clear()
        self._destinations.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    @property
    def waiting(self) -> int:
        """How many updates and redeliveries have not been taken by their receiver yet."""
        return sum(len(one.items) + len(one.again) + one.flying for one in self._destinations.values())

    @property
    def planned(self) -> int:
        """How many things are on the timetable."""
        return len(self._due)

    @property
    def under_way(self) -> int:
        """How many are being carried at this moment."""
        return len(self._tasks)

    # -- the timetable ----------------------------------------------------------------------------------

    def later(self, delay: float, action: Callable[..., Any], *given: Any) -> None:
        """Call `action(*given)` after that many seconds, scaled by the option `time_scale`."""
        at = self._loop.time() + delay * self.world.options.time_scale
        heapq.heappush(self._due, (at, next(self._order), action, given))
        self._arm()

    def _arm(self) -> None:
        if not self._due or self._session is None:
            return
        at = max(self._due[0][0], self._loop.time() + TICK)
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._due and self._due[0][0] <= now:
            _, _, action, given = heapq.heappop(self._due)
            try:
                action(*given)
            except Exception:
                log.exception("Something planned could not be done")
        for destination in tuple(self._destinations.values()):
            self._pump(destination)
        self._arm()

    # -- publishing -------------------------------------------------------------------------------------

    def addresses(self, item: Item) -> list[tuple[str, str]]:
        """Where an update goes, as (URL, app id): override of the number, of the account, else the app's."""
        found = []
        for app_id, override in self.world.wabas[item.waba_id].subscribed.items():
            app = self.world.apps.get(app_id)
            if app is None:
                continue
            url = app.callback_url
            if item.field == "messages":
                own = item.number.overrides.get(app_id, "") if item.number else ""
                url = own or override or url
            if url:
                found.append((url, app_id))
        return found

    def publish(self, item: Item, copies: int = 1) -> None:
        """Queue an update for every address it goes to, subject to the options for loss and duplication."""
        options = self.world.options
        stats = self.world.stats
        if options.callback_loss and self.world.random.random() * 100 < options.callback_loss:
            stats["callbacks_lost"] += 1
            return
        if options.callback_duplicate and self.world.random.random() * 100 < options.callback_duplicate:
            stats["callbacks_duplicated"] += 1
            self.later(0.03, self._queue, item)
        self._queue(item)
        for copy in range(1, copies):
            self.later(0.02 * copy, self._queue, item)

    def _queue(self, item: Item) -> None:
        addresses = self.addresses(item)
        if not addresses:
            self.world.stats["callbacks_without_address"] += 1
        for url, app_id in addresses:
            destination = self._destination(url, app_id)
            if len(destination.items) >= LARGEST_BACKLOG:
                destination.items.popleft()
                self.world.stats["callbacks_dropped"] += 1
            destination.items.append(item)
        # What is on the timetable may be an hour away; this goes with the next tick.
        if addresses and (self._timer is None or self._timer_at > self._loop.time() + TICK):
            self.later(0, _nothing)

    def _destination(self, url: str, app_id: str) -> Destination:
        destination = self._destinations.get((url, app_id))
        if destination is None:
            destination = Destination(url, self.world.apps[app_id].secret)
            self._destinations[url, app_id] = destination
        # The secret may have been changed since; callbacks that are not signed yet follow it.
        destination.secret = self.world.apps[app_id].secret.encode()
        return destination

    def _pump(self, destination: Destination) -> None:
        options = self.world.options
        while destination.flying < options.callback_concurrency and (destination.again or destination.items):
            if destination.again:
                post = destination.again.popleft()
            else:
                post = self._packed(destination)
            destination.flying += 1
            task = self._loop.create_task(self._carry(destination, post))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _packed(self, destination: Destination) -> Post:
        options, items = self.world.options, destination.items
        if options.shuffle and len(items) > 1:
            shuffled = list(items)
            self.world.random.shuffle(shuffled)
            items = destination.items = collections.deque(shuffled)
        batch = [items.popleft() for _ in range(min(options.batch_size, len(items)))]
        self.world.stats["callback_items"] += len(batch)
        now = self.world.clock.now()
        return Post(escaped(envelope(batch, now)), 0, now)

    async def _carry(self, destination: Destination, post: Post) -> None:
        try:
            delivered = await self._deliver(destination, post.raw)
        finally:
            destination.flying -= 1
        if not delivered:
            self._plan_redelivery(destination, post)
        self._pump(destination)

    def _plan_redelivery(self, destination: Destination, post: Post) -> None:
        options, stats = self.world.options, self.world.stats
        age = self.world.clock.now() - post.first_at
        if age > GIVE_UP_AFTER or len(destination.again) >= LARGEST_BACKLOG:
            stats["callbacks_given_up"] += 1
            return
        # A POST that failed four thousand times must not overflow the power.
        growth = options.redelivery_factor ** min(post.attempt, 60)
        delay = min(options.redelivery_cap, options.redelivery_start * growth)
        self.later(delay, self._redeliver, destination, post._replace(attempt=post.attempt + 1))

    def _redeliver(self, destination: Destination, post: Post) -> None:
        self.world.stats["redeliveries"] += 1
        destination.again.append(post)

    async def _deliver(self, destination: Destination, raw: bytes) -> bool:
        """One POST; True if it was answered 200."""
        assert self._session is not None
        stats = self.world.stats
        headers = {
            **_HEADERS,
            "X-Hub-Signature-256": signature(destination.secret, raw),
            "X-Hub-Signature": "sha1=" + hmac.new(destination.secret, raw, hashlib.sha1).hexdigest(),
        }
        stats["callback_posts"] += 1
        try:
            async with self._session.post(
                destination.url,
                data=raw,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.world.options.callback_timeout),
            ) as answer:
                await answer.read()
                if answer.status == 200:
                    return True
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as trouble:
            log.debug("A callback to %s failed: %s", destination.url, trouble)
        stats["callbacks_refused"] += 1
        return False

    async def deliver_now(self, item: Item) -> None:
        """Send one update at once and wait until the receiver has it; what fails is redelivered as usual.

        A caller who gives up waiting does not stop the delivery.
        """
        task = self._loop.create_task(self._deliver_everywhere(item))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def _deliver_everywhere(self, item: Item) -> None:
        for url, app_id in self.addresses(item):
            now = self.world.clock.now()
            post = Post(escaped(envelope([item], now)), 0, now)
            self.world.stats["callback_items"] += 1
            destination = self._destination(url, app_id)
            if not await self._deliver(destination, post.raw):
                self._plan_redelivery(destination, post)

    async def verified(self, url: str, verify_token: str) -> bool:
        """Meta's question to a callback address before it is accepted: does it echo the challenge?"""
        assert self._session is not None
        challenge = str(self.world.random.randrange(10**9, 10**10))
        query = {"hub.mode": "subscribe", "hub.challenge": challenge, "hub.verify_token": verify_token}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with self._session.get(
                url, params=query, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=6)
            ) as answer:
                return answer.status == 200 and (await answer.text()).strip() == challenge
        return False


def _nothing() -> None:
    """The tick itself empties the queues."""
