"""The customers: a steady stream of sends, and a ledger of which request was answered 202 with which id."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp

from bench.chaos.plan import Plan

#: what is sent, in parts of a hundred: answers in an open window, two kinds of templates, later ones
MIX = (("text", 60), ("utility", 22), ("authentication", 10), ("scheduled", 5), ("canceled", 3))
ASK_AT_MOST = 10.0


@dataclass
class ClientLedger:
    """What the customers know. ``canceled`` are the ids whose cancellation was answered with 200;
    ``inbound_safe`` are inbound messages written before Meta began to drop callbacks."""

    acked: dict[str, str] = field(default_factory=dict)  # id → kind
    errors: Counter[str] = field(default_factory=Counter)
    canceled: set[str] = field(default_factory=set)
    keyed: set[str] = field(default_factory=set)  # what was asked with an Idempotency-Key
    inbound: set[str] = field(default_factory=set)  # wamids
    inbound_safe: set[str] = field(default_factory=set)
    latencies: list[float] = field(default_factory=list)


class Load(threading.Thread):
    """Sends at the plan's rate from a thread of its own until ``end`` is called."""

    def __init__(
        self, plan: Plan, *, base_url: str, meta_url: str, tenants: list[dict[str, str]], run: int = 0
    ) -> None:
        super().__init__(name="load", daemon=True)
        self.plan = plan
        self.ledger = ClientLedger()
        self._base, self._meta, self._tenants = base_url, meta_url, tenants
        self._run = run
        self._random = random.Random(f"{plan.seed} load {run}")
        self._over = threading.Event()
        self.windows_open = threading.Event()

    def end(self) -> ClientLedger:
        """Stop sending, wait for the open requests, and return the ledger."""
        self._over.set()
        self.join(timeout=ASK_AT_MOST + 10)
        return self.ledger

    def run(self) -> None:
        """Be the thread."""
        asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        tasks: set[asyncio.Task[None]] = set()
        timeout = aiohttp.ClientTimeout(total=ASK_AT_MOST)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64), timeout=timeout
        ) as session:
            await self._open_windows(session)
            self.ledger.inbound_safe |= self.ledger.inbound
            self.windows_open.set()
            began = time.monotonic()
            for number in itertools.count():
                if self._over.is_set():
                    break
                pause = began + number / self.plan.rate - time.monotonic()
                if pause > 0:
                    await asyncio.sleep(pause)
                task = asyncio.create_task(self._one(session, number))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if tasks:
                await asyncio.wait(tasks)

    async def _open_windows(self, session: aiohttp.ClientSession) -> None:
        """Everybody who will get free text writes first, as WhatsApp demands."""
        people = [(tenant, person) for tenant in self._tenants for person in range(self.plan.people)]
        for start in range(0, len(people), 20):
            await asyncio.gather(
                *(self._write(session, tenant, self._person(p)) for tenant, p in people[start : start + 20])
            )

    @staticmethod
    def _person(index: int) -> str:
        return str(14_155_560_000 + index + 1_000)

    async def _write(self, session: aiohttp.ClientSession, tenant: dict[str, str], person: str) -> None:
        """A person writes to a tenant's number."""
        body = {"phone_number_id": tenant["phone_number_id"], "from": person, "type": "text"}
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with session.post(f"{self._meta}/_sandbox/inbound", json=body) as answer:
                if answer.status == 200:
                    self.ledger.inbound.add((await answer.json())["id"])

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        tenant = self._random.choice(self._tenants)
        kind = self._random.choices([name for name, _ in MIX], [part for _, part in MIX])[0]
        person = self._person(self._random.randrange(self.plan.people))
        if number % 50 == 0:
            await self._write(session, tenant, person)
        ident = await self._send(session, tenant, self._body(kind, person, number), number)
        if ident is None:
            return
        self.ledger.acked[ident] = kind
        if kind == "canceled":
            await asyncio.sleep(self._random.uniform(0, 3))
            if await self._ask(session, tenant, f"/messages/{ident}/cancel", {}) is not None:
                self.ledger.canceled.add(ident)

    async def _send(
        self, session: aiohttp.ClientSession, tenant: dict[str, str], body: dict[str, Any], number: int
    ) -> str | None:
        """Ask once; every second customer carries an Idempotency-Key and asks again after a failure."""
        keyed = number % 2 == 0
        key = f"{self._run}-{number}" if keyed else None
        body["metadata"]["n"] = f"{self._run}-{number}"
        if keyed:
            self.ledger.keyed.add(f"{self._run}-{number}")
        for pause in (0.5, 1.0, 2.0, 4.0) if keyed else (0.0,):
            ident = await self._ask(session, tenant, "/send-message", body, key=key)
            if ident is not None or self._over.is_set():
                return ident
            await asyncio.sleep(pause)
        return None

    def _body(self, kind: str, person: str, number: int) -> dict[str, Any]:
        body: dict[str, Any] = {"to": person, "metadata": {}}
        if kind == "utility":
            return body | {"template": {"name": "hello_world", "language": "en_US"}}
        if kind == "authentication":
            code = [{"type": "text", "text": f"{number % 1_000_000:06d}"}]
            components = [
                {"type": "body", "parameters": code},
                {"type": "button", "sub_type": "url", "index": "0", "parameters": code},
            ]
            return body | {"template": {"name": "login_code", "language": "en_US", "components": components}}
        body["message"] = f"Message {number}"
        if kind in ("scheduled", "canceled"):
            # Cancellations race with the moment of sending on purpose.
            seconds = self._random.uniform(1.5, 8) if kind == "scheduled" else 2.0
            body["sendAt"] = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
        return body

    async def _ask(
        self,
        session: aiohttp.ClientSession,
        tenant: dict[str, str],
        path: str,
        body: dict[str, Any],
        *,
        key: str | None = None,
    ) -> str | None:
        """Make one call; returns the message's id when it was answered with success."""
        headers = {"Authorization": f"Bearer {tenant['key']}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        began = time.monotonic()
        try:
            async with session.post(self._base + path, json=body, headers=headers) as answer:
                raw = await answer.read()
                if answer.status not in (200, 202):
                    self.ledger.errors[f"HTTP {answer.status}"] += 1
                    return None
                self.ledger.latencies.append(time.monotonic() - began)
                return _id_in(raw)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.ledger.errors[type(error).__name__] += 1
            return None


def _id_in(raw: bytes) -> str | None:
    answer = json.loads(raw)
    found = answer.get("id") or (answer.get("data") or {}).get("id")
    return str(found) if found else None
