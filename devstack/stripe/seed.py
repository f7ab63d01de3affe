"""Seed of the stand-in: its keys and what is for sale. None of it opens anything real."""

from __future__ import annotations

SECRET_KEY = "sk_test_local_stand_in_for_stripe"  # noqa: S105  opens the stand-in only
WEBHOOK_SECRET = "whsec_local_stand_in_for_stripe"  # noqa: S105

#: price -> (name, cents, every month or once); the amounts are made up
PRICES: dict[str, tuple[str, int, bool]] = {
    "price_basic": ("Basic", 1_900, True),
    "price_pro": ("Pro", 7_900, True),
    "price_messages_1000": ("1,000 more messages", 500, False),
    "price_messages_5000": ("5,000 more messages", 2_000, False),
    "price_messages_10000": ("10,000 more messages", 3_500, False),
    "price_agent": ("One more agent", 900, False),
}

#: the settings with which the product speaks to the stand-in
SETTINGS = {
    "STRIPE_SECRET_KEY": SECRET_KEY,
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "STRIPE_PRICE_BASIC": "price_basic",
    "STRIPE_PRICE_PRO": "price_pro",
    "STRIPE_PRICE_MESSAGES_1000": "price_messages_1000",
    "STRIPE_PRICE_MESSAGES_5000": "price_messages_5000",
    "STRIPE_PRICE_MESSAGES_10000": "price_messages_10000",
    "STRIPE_PRICE_AGENT": "price_agent",
}
