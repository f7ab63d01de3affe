"""The stand-in speaks as Stripe does, asked with Stripe's own library."""

from __future__ import annotations

from pathlib import Path

import pytest
import stripe as library

from billing import stripe_api
from devstack.stripe import clock, seed
from devstack.stripe.wire import StripeError, read_form
from devstack.stripe.world import World

DAY = 86_400


@pytest.fixture
def client(stripe):
    """Stripe's library, pointed at the stand-in."""
    return library.StripeClient(
        seed.SECRET_KEY, base_addresses={"api": stripe.world.base_url}, max_network_retries=0
    ).v1


def test_a_key_for_idempotency_gives_the_first_answer_and_refuses_another_request(client, stripe):
    first = client.customers.create({"name": "A"}, {"idempotency_key": "one"})
    again = client.customers.create({"name": "A"}, {"idempotency_key": "one"})
    assert first.id == again.id
    with pytest.raises(library.IdempotencyError):
        client.customers.create({"name": "B"}, {"idempotency_key": "one"})
    assert len(stripe.world.tables["customers"]) == 1


def test_wrong_requests_are_refused_as_stripe_refuses_them(client, stripe):
    customer = client.customers.create({"name": "A"}).id
    urls = {"success_url": "http://127.0.0.1/", "cancel_url": "http://127.0.0.1/"}

    def begin(**more):
        price = {"line_items": [{"price": "price_pro", "quantity": 1}]}
        given = {"mode": "subscription", "customer": customer, **price, **urls} | more
        return client.checkout.sessions.create(given)

    assert begin().url
    for wrong, code in (
        ({"customer": "cus_none"}, "resource_missing"),
        ({"line_items": [{"price": "price_none"}]}, "resource_missing"),
        ({"trial_days": 3}, "parameter_unknown"),
        ({"success_url": ""}, "parameter_missing"),
    ):
        with pytest.raises(library.InvalidRequestError) as refused:
            begin(**wrong)
        assert refused.value.code == code, wrong
    for wrong in ({"mode": "payment"}, {"mode": "gift"}):
        with pytest.raises(library.InvalidRequestError):
            begin(**wrong)
    with pytest.raises(library.InvalidRequestError):
        client.subscriptions.retrieve("sub_none")
    with pytest.raises(library.AuthenticationError):
        other = library.StripeClient("sk_test_x", base_addresses={"api": stripe.world.base_url})
        other.v1.customers.create({"name": "A"})


def test_long_lists_are_read_to_their_end(stripe):
    world = stripe.world

    def fill():
        for number in range(230):
            world.begin_subscription(world.create_customer({"name": str(number)})["id"], "price_basic")

    stripe.do(fill)
    seen = stripe_api.all_subscriptions()
    assert len({one.id for one in seen}) == 230
    assert {one.status for one in seen} == {"active"}


def test_time_brings_renewals_on_the_same_day_and_the_end_of_what_nobody_pays():
    world = World()
    customer = world.create_customer({"name": "A"})
    one = world.begin_subscription(customer["id"], "price_basic")
    item = one["items"]["data"][0]
    first = item["current_period_end"]
    clock.advance(world, 100 * DAY)
    assert one["status"] == "active"
    assert item["current_period_start"] > first
    assert item["current_period_start"] <= world.now() < item["current_period_end"]
    customer["_card_works"] = False
    clock.advance(world, 40 * DAY)
    assert one["status"] in ("past_due", "canceled")
    clock.advance(world, 40 * DAY)
    assert one["status"] == "canceled"
    told = [event["type"] for event in world.tables["events"].values()]
    assert told.count("invoice.paid") == 4
    assert told.count("invoice.payment_failed") == 3
    assert told[-1] == "customer.subscription.deleted"


def test_its_state_is_there_again_after_a_restart(tmp_path: Path):
    file = tmp_path / "stripe.json"
    world = World(state=file)
    world.begin_subscription(world.create_customer({"name": "A"})["id"], "price_pro")
    clock.advance(world, DAY)
    world.save()
    again = World(state=file)
    assert again.tables == world.tables
    assert abs(again.now() - world.now()) <= 1
    assert file.stat().st_mode & 0o077 == 0


def test_forms_are_read_with_their_brackets():
    pairs = [("line_items[0][price]", "p"), ("line_items[0][quantity]", "1"), ("metadata[a]", "b"), ("x", "")]
    assert read_form(pairs) == {
        "line_items": [{"price": "p", "quantity": "1"}],
        "metadata": {"a": "b"},
        "x": "",
    }
    with pytest.raises(StripeError):
        read_form([("a", "1"), ("a[b]", "2")])
