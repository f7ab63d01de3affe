"""A wake-up reaches its drain; many together are few, and nothing that came with them waits."""

from __future__ import annotations

import asyncio
import math
import time
import uuid

import pytest
from celery import current_app

from core.jobs import drains, wakeup
from core.jobs.drains import Lifetime, Wakeup, plain_drain
from core.jobs.wakeup import COVERS_SECONDS, wake
from core.redis import client, publish

QUEUE = "inbox"


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No test hears another's wake-ups: channels are the whole server's, whatever database a client chose."""
    mine = uuid.uuid4()
    monkeypatch.setattr(wakeup, "channel", lambda queue: f"hermod:test:{mine}:{queue}")
    monkeypatch.setattr(wakeup, "_heard", {})


@pytest.fixture
def poll(monkeypatch) -> float:
    """Seconds between the looks of a drain that nobody wakes: enough to tell them from a busy machine."""
    monkeypatch.setattr(drains, "POLL_SECONDS", 2.0)
    return 2.0


@pytest.fixture
def ears():
    """A listener as a drain has one."""
    with client().pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.subscribe(wakeup.channel(QUEUE))
        while not subscription.subscribed or subscription.get_message(timeout=0.2) is not None:
            pass
        yield subscription


def heard(subscription) -> int:
    """Count what comes within half a second; None may also be the subscription's own confirmation."""
    count, ends = 0, time.monotonic() + 0.5
    while time.monotonic() < ends:
        count += subscription.get_message(timeout=0.05) is not None
    return count


def test_wake_ups_in_a_moment_are_one(ears):
    began = time.monotonic()
    for _ in range(200):
        wake(QUEUE)
    moments = math.ceil((time.monotonic() - began) / COVERS_SECONDS)
    count = heard(ears)
    assert 1 <= count <= moments + 1 and count < 200


def test_a_wake_up_that_nobody_heard_does_not_stand_for_the_next(monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, **_: asked.append(name))
    monkeypatch.setattr(wakeup, "_asked", {})
    wake(QUEUE)
    assert asked == ["messaging.tasks.apply_callbacks"]
    with client().pubsub(ignore_subscribe_messages=True) as subscription:
        subscription.subscribe(wakeup.channel(QUEUE))
        subscription.get_message(timeout=1)
        wake(QUEUE)
        assert heard(subscription) == 1


def test_who_was_woken_looks_once_more_soon_after():
    """What the first look came too early for, because its wake-up was left out, is found by the second."""

    async def waits() -> list[bool]:
        woken = Wakeup(asyncio.get_running_loop())
        woken.notify()
        async with asyncio.timeout(30):
            return [await woken.wait(60), await woken.wait(60)]

    assert asyncio.run(waits()) == [True, False]


@pytest.mark.parametrize("linger", [None, 0.0, 0.1, 0.2, 60.0])
def test_an_idle_drain_looks_once_more_before_it_ends(linger):
    sleeps = Lifetime(seconds=60, linger=linger).poll_seconds
    assert sleeps <= drains.POLL_SECONDS
    assert 2 * sleeps <= (drains.LINGER_SECONDS if linger is None else linger)


def test_a_plain_drain_looks_once_more_soon_after_too(poll):
    with plain_drain(wakeup.channel(QUEUE)) as drain:
        assert drain is not None
        drain.wait()  # the confirmation of the subscription
        while publish(wakeup.channel(QUEUE)) == 0:
            pass
        drain.wait()
        began = time.monotonic()
        drain.wait()
        assert COVERS_SECONDS <= time.monotonic() - began < poll * 0.9
        began = time.monotonic()
        drain.wait()
        assert time.monotonic() - began >= poll * 0.9


def test_wake_ups_that_piled_up_are_answered_by_one_look(poll):
    with plain_drain(wakeup.channel(QUEUE)) as drain:
        assert drain is not None
        drain.wait()
        for _ in range(50):
            publish(wakeup.channel(QUEUE))
        drain.wait()
        drain.forget()
        began = time.monotonic()
        drain.wait()
        drain.wait()
        assert time.monotonic() - began >= poll * 0.9
