"""Time in the stand-in: moved forward at will, with everything that falls due on the way."""

from __future__ import annotations

from .objects import month_later, price
from .wire import Object
from .world import DAY, World

#: an unpaid invoice is tried again after these days, and then the subscription ends
RETRY_DAYS = (3, 5, 7)


def advance(world: World, seconds: float) -> None:
    """Move the clock forward and let happen what falls due meanwhile, in order."""
    if seconds < 0:
        raise ValueError("Time does not run backwards.")
    until = world.now() + int(seconds)
    while True:
        due = [
            (at, one)
            for one in world.tables["subscriptions"].values()
            if (at := _due(one)) is not None and at <= until
        ]
        if not due:
            break
        at, one = min(due, key=lambda pair: pair[0])
        world.offset += max(0, at - world.now())
        _turn(world, one)
    world.offset += max(0, until - world.now())


def _turn(world: World, subscription: Object) -> None:
    """Do what is due for a subscription now: a renewal, an end, another try of the card."""
    item = subscription["items"]["data"][0]
    works = world.tables["customers"][subscription["customer"]].get("_card_works", False)
    overdue = subscription["status"] == "past_due"
    if overdue and subscription["_try_at"] <= item["current_period_end"]:
        if works:
            world.pay_overdue(subscription["id"])
        elif subscription["_tries"] >= len(RETRY_DAYS):
            world.end(subscription)
        else:
            _fail(world, subscription)
        return
    if subscription["cancel_at_period_end"]:
        world.end(subscription)
        return
    if subscription["_next_price"]:
        item["price"] = price(subscription["_next_price"])
        subscription["_next_price"] = subscription["schedule"] = None
    start = item["current_period_end"]
    item["current_period_start"] = start
    item["current_period_end"] = month_later(start, subscription["_anchor"])
    if works:
        world.invoice(subscription, paid=True)
        world.emit("customer.subscription.updated", subscription)
    else:
        _fail(world, subscription)


def _fail(world: World, subscription: Object) -> None:
    tries = subscription["_tries"]
    wait = RETRY_DAYS[min(tries, len(RETRY_DAYS) - 1)] * DAY
    subscription.update(status="past_due", _tries=tries + 1, _try_at=world.now() + wait)
    world.invoice(subscription, paid=False)
    world.emit("customer.subscription.updated", subscription)


def _due(subscription: Object) -> int | None:
    """Return when something happens next to a subscription by itself."""
    if subscription["status"] not in ("active", "past_due"):
        return None
    end: int = subscription["items"]["data"][0]["current_period_end"]
    tries: int | None = subscription["_try_at"]
    return min(end, tries) if tries is not None else end
