"""Objects that are the same for everybody: prices, months, what of an object is shown. Pure."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime

from . import seed
from .wire import Object, missing


def price(ident: str) -> Object:
    """Return a price object. Raises Stripe's "No such price"."""
    found = seed.PRICES.get(ident)
    if found is None:
        raise missing("price", ident, status=400, param="price")
    name, amount, monthly = found
    return {
        "id": ident,
        "object": "price",
        "active": True,
        "currency": "eur",
        "livemode": False,
        "nickname": name,
        "product": f"prod_{ident.removeprefix('price_')}",
        "type": "recurring" if monthly else "one_time",
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"}
        if monthly
        else None,
        "unit_amount": amount,
        "metadata": {},
    }


def month_later(at: int, day: int) -> int:
    """Return the moment a month after ``at``, on ``day`` or the last day of a shorter month."""
    moment = datetime.fromtimestamp(at, UTC)
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    last = calendar.monthrange(year, month)[1]
    return int(moment.replace(year=year, month=month, day=min(day, last)).timestamp())


def schedule(subscription: Object) -> Object:
    """Return the schedule of a subscription that changes its price at the end of the period."""
    item = subscription["items"]["data"][0]
    start, end = item["current_period_start"], item["current_period_end"]
    phases = [
        (item["price"]["id"], start, end),
        (subscription["_next_price"], end, month_later(end, subscription["_anchor"])),
    ]
    return {
        "id": subscription["schedule"],
        "object": "subscription_schedule",
        "status": "active",
        "customer": subscription["customer"],
        "subscription": subscription["id"],
        "end_behavior": "release",
        "current_phase": {"start_date": start, "end_date": end},
        "phases": [
            {"start_date": begins, "end_date": ends, "items": [{"price": ident, "quantity": 1}]}
            for ident, begins, ends in phases
        ],
    }


def public(found: Object) -> Object:
    """Leave out what only the stand-in knows."""
    return {name: value for name, value in found.items() if not name.startswith("_")}
