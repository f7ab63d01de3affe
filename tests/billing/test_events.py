"""Stripe's events: only genuine ones reach the inbox, and what they say is asked, never believed."""

from __future__ import annotations

import copy
import json
import random
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.models import Account, AuditEvent
from billing import signatures, stripe_api, subscriptions
from billing.models import Customer, Subscription
from devstack.stripe import seed
from devstack.stripe.wire import signature
from tests.factories import Api, make_account
from tests.support import operators
from tests.support.json_texts import REFUSED, nested
from webhooks.incoming import archive, stripe_events
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db

RAW = b'{"id": "evt_1", "object": "event", "type": "invoice.paid", "livemode": false, "data": {"object": {}}}'
NOW = 1_790_000_000


def signed(raw=RAW, at=NOW, secret="whsec_1"):
    return signature(raw, [secret], at)


DIGEST = signed().partition("v1=")[2]


@pytest.mark.parametrize(
    ("header", "genuine"),
    [
        (signed(), True),
        (f"v0=aa,{signed()}", True),
        (f"{signed()},v1={'0' * 64}", True),
        (signed(at=NOW - 299), True),
        (signed(at=NOW + 30), True),
        (signed(at=NOW - 301), False),
        (signed(at=NOW + 3_600), False),
        (signed(secret="whsec_2"), False),
        (signed(raw=RAW + b" "), False),
        ("", False),
        (f"t={NOW}", False),
        (f"v1={DIGEST}", False),
        (f"t={NOW},v0={DIGEST}", False),
        (f"t={NOW},t={NOW},v1={DIGEST}", False),
        (f"t={NOW + 1},v1={DIGEST}", False),
        (f"t=1_790_000_000,v1={DIGEST}", False),
        (f"t=١٧٩٠٠٠٠٠٠٠,v1={DIGEST}", False),
        (f"t=+{NOW},v1={DIGEST}", False),
        (f"t={NOW},v1={DIGEST.upper()}", False),
        (f"t={NOW},v1=" + ",v1=".join(["0" * 64] * 2_000), False),
        (f"t={NOW}," + ",".join([f"v1={'0' * 64}"] * 20) + f",v1={DIGEST}", False),
    ],
)
def test_a_signature_is_over_the_bytes_and_of_this_moment(header, genuine):
    assert signatures.genuine(RAW, header, ["whsec_1"], now=NOW) is genuine


def test_two_secrets_are_believed_while_one_is_replaced_and_an_empty_one_never():
    for secret in ("whsec_1", "whsec_2"):
        assert signatures.genuine(RAW, signed(secret=secret), ["whsec_1", "whsec_2"], now=NOW)
    assert not signatures.genuine(RAW, signed(secret=""), ["", "whsec_2"], now=NOW)
    assert not signatures.genuine(RAW, signed(), [], now=NOW)


def some_event(**more):
    return {
        "id": "evt_test_1",
        "object": "event",
        "type": "customer.subscription.updated",
        "livemode": False,
        "data": {"object": {"id": "sub_1", "object": "subscription", "customer": "cus_1"}},
        **more,
    }


def test_forged_old_and_foreign_events_leave_no_row(stripe):
    now = int(time.time())
    answers = {
        "forged": stripe.send(some_event(), secret="whsec_other"),
        "old": stripe.send(some_event(), at=now - 301),
        "of the future": stripe.send(some_event(), at=now + 3_600),
        "unsigned": Client().post("/webhooks/stripe", some_event(), content_type="application/json"),
        "of real money": stripe.send(some_event(livemode=True)),
    }
    statuses = {name: answer.status_code for name, answer in answers.items()}
    assert statuses == {
        **dict.fromkeys(("forged", "old", "of the future", "unsigned"), 401),
        "of real money": 400,
    }
    assert not InboundEvent.objects.exists()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"[1, 2]", "not an object"),
        (b'{"a":' * 70 + b"1" + b"}" * 70, "nested"),
        (b"[" + b"0," * 100_001 + b"0]", "values"),
        (b'{"id": "evt_1"}', "an id and a type"),
        (b'{"id": "evt_1", "type": ""}', "an id and a type"),
        (b'{"type": "customer.updated"}', "an id and a type"),
        (b'{"id": {"a": 1}, "type": "customer.updated"}', "an id and a type"),
        (b'{"id": "evt_1", "type": "charge.refunded"}', "names nothing"),
        (
            b'{"id": "evt_1", "type": "customer.updated", "data": {"object": {"customer": 7}}}',
            "names nothing",
        ),
    ],
)
def test_what_stripe_signed_and_nobody_can_read_is_kept_once_and_parked(stripe, raw, reason):
    for _ in range(2):
        assert stripe.send_bytes(raw).status_code == 200
        stripe_events.drain()
    kept = InboundEvent.objects.get()
    assert archive.unseal(kept.pk, bytes(kept.raw)) == raw
    assert kept.due_at is None and kept.applied_at is not None
    assert reason in kept.parked[0]["reason"]


def test_an_event_that_could_not_be_read_does_not_keep_the_real_one_out(stripe, account, plan_of):
    stripe.subscribe(account)
    event = stripe.last("customer.subscription.created")
    stripe.carry([{"id": event["id"]}, event])
    assert plan_of(account) == "pro"
    assert InboundEvent.objects.count() == 2


def test_a_real_key_believes_real_events_only(stripe, settings):
    settings.STRIPE_SECRET_KEY = "sk_live_x"
    assert stripe.send(some_event()).status_code == 400
    assert stripe.send(some_event(livemode=True)).status_code == 200


def test_a_replayed_event_leaves_one_row_and_is_answered_as_before(stripe):
    for _ in range(3):
        answer = stripe.send(some_event())
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert InboundEvent.objects.count() == 1


def test_an_event_is_known_by_its_id_however_it_is_written(stripe):
    """As with another version of Stripe's API, or with other spaces: the bytes differ, the event does not."""
    for more in ({}, {"api_version": "2030-01-01"}, {"pending_webhooks": 0}, {"data": None}):
        assert stripe.send(some_event(**more)).status_code == 200
    assert stripe.send(some_event(id="e" * 5_000)).status_code == 200
    assert stripe.send(some_event(id="e" * 5_000, api_version="x")).status_code == 200
    assert InboundEvent.objects.count() == 2


def test_without_secrets_the_endpoint_is_closed(settings):
    raw = json.dumps(some_event()).encode()
    header = signature(raw, [""], int(time.time()))
    for secret in ("", " , "):
        settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_x", secret
        answer = Client().generic("POST", "/webhooks/stripe", raw, HTTP_STRIPE_SIGNATURE=header)
        assert answer.status_code == 503
    assert Client().get("/webhooks/stripe").status_code == 405


def test_both_secrets_of_the_setting_open_the_endpoint(stripe, settings):
    settings.STRIPE_WEBHOOK_SECRET = "whsec_new, " + seed.WEBHOOK_SECRET
    assert stripe.send(some_event(id="evt_a")).status_code == 200
    assert stripe.send(some_event(id="evt_b"), secret="whsec_new").status_code == 200


@pytest.mark.parametrize(
    "data",
    [None, [], "x", {"object": None}, {"object": {"id": 7, "customer": ["x"]}}, {"object": {"customer": {}}}],
)
def test_an_event_of_an_odd_shape_is_stored_and_asks_nobody(stripe, data):
    assert stripe.send(some_event(data=data)).status_code == 200
    assert stripe_events.drain() == 1
    assert InboundEvent.objects.get().parked


def test_no_doubtful_json_crashes_or_asks_anybody(stripe, monkeypatch):
    """With a right signature: every text that is no JSON, in the event's place and inside it."""
    for name, text in REFUSED.items():
        for raw in (text, json.dumps(some_event()).encode().replace(b'"cus_1"', text)):
            header = signature(raw, [seed.WEBHOOK_SECRET], int(time.time()))
            answer = Api().send("POST", "/webhooks/stripe", raw, HTTP_STRIPE_SIGNATURE=header)
            assert answer.status_code == 200, (name, answer.content)
    asked: list[str] = []
    monkeypatch.setattr(subscriptions, "sync", asked.append)
    stripe_events.drain()
    assert not asked
    assert not InboundEvent.objects.exclude(due_at=None).exists()


STYLES = {
    "NUL": b'"a\\u0000b"',
    "half a pair": b'"\\ud83d"',
    "a long number": b"123456789012345678901234",
    "a number beyond a double": b"1e400",
    "NaN": b"NaN",
    "a key twice": b'{"a":1,"a":2}',
    "a raw line break": b'"a\nb"',
    "broken UTF-8": b'"\xff"',
    "20 levels": nested(20),
}


@pytest.mark.parametrize("value", STYLES.values(), ids=STYLES.keys())
def test_an_event_needs_an_id_and_a_type_and_no_style(stripe, value):
    for raw in (
        b'{"id":"evt_1","type":"customer.subscription.updated","metadata":%s}' % value,
        b'\xef\xbb\xbf{"id":"evt_2","type":"customer.subscription.updated","metadata":%s,"type":"x"}' % value,
        b'{"id":"evt_3","type":"customer.updated","data":{"object":{"object":"customer","id":%s}}}' % value,
    ):
        header = signature(raw, [seed.WEBHOOK_SECRET], int(time.time()))
        answer = Api().send("POST", "/webhooks/stripe", raw, HTTP_STRIPE_SIGNATURE=header)
        assert answer.status_code == 200, answer.content
    assert InboundEvent.objects.count() == 3
    assert stripe_events.drain() == 3


def test_what_nobody_watches_is_stored_and_asks_nobody(stripe):
    stripe.world.fault = 500
    stripe.send(some_event(type="payout.paid"))
    assert stripe_events.drain() == 1
    kept = InboundEvent.objects.get()
    assert (kept.due_at, kept.parked) == (None, [])


# --- order, duplicates, losses


def history(stripe, account, ending):
    """Let a subscription live through what ``ending`` says; returns its events."""
    one = stripe.subscribe(account, "basic")
    world = stripe.world
    stripe.do(world.change_price, one["id"], "price_pro")
    if ending == "canceled":
        stripe.do(world.end, one)
    elif ending == "downgraded":
        stripe.do(world.change_price, one["id"], "price_basic")
        stripe.advance(32 * 86_400)
    elif ending == "again":
        stripe.do(world.end, one)
        stripe.do(world.begin_subscription, one["customer"], "price_basic")
    return stripe.events


EXPECTED = {"upgraded": "pro", "canceled": "free", "downgraded": "basic", "again": "basic"}


@pytest.mark.parametrize(
    ("ending", "order"),
    [
        *(("again", order) for order in range(10)),  # created, changed, paid, deleted, and begun anew
        *((ending, order) for ending in ("upgraded", "canceled", "downgraded") for order in range(3)),
    ],
)
def test_in_any_order_doubled_and_with_losses_the_plan_is_what_stripe_says(
    stripe, account, plan_of, ending, order
):
    happened = history(stripe, account, ending)
    dealer = random.Random(f"{ending} {order}")
    arrived = [event for event in happened * 2 if dealer.random() > 0.2]
    dealer.shuffle(arrived)
    assert arrived
    for part in (arrived[:3], arrived[3:]):
        stripe.carry(part)
    assert plan_of(account) == EXPECTED[ending]


@pytest.mark.parametrize("ending", EXPECTED)
def test_with_every_event_lost_the_night_puts_it_right(stripe, account, plan_of, ending):
    history(stripe, account, ending)
    assert plan_of(account) == "free"
    subscriptions.reconcile()
    assert plan_of(account) == EXPECTED[ending]
    assert subscriptions.reconcile() == 0


def test_an_event_that_lies_about_the_plan_is_not_believed(stripe, account, plan_of):
    """Even a genuine event only wakes us: what it says of the subscription is never read."""
    stripe.subscribe(account, "basic")
    event = copy.deepcopy(stripe.last("customer.subscription.created"))
    event["id"] = "evt_lie"
    event["data"]["object"]["items"]["data"][0]["price"]["id"] = "price_pro"
    stripe.carry([event])
    assert plan_of(account) == "basic"


def test_ten_events_of_one_customer_are_one_question(stripe, account, monkeypatch):
    stripe.subscribe(account)
    asked = []
    real = stripe_api.subscriptions_of
    monkeypatch.setattr(stripe_api, "subscriptions_of", lambda who: asked.append(who) or real(who))
    event = stripe.last("invoice.paid")
    stripe.carry([{**event, "id": f"evt_{number}"} for number in range(10)])
    assert len(asked) == 1


def test_an_answer_that_was_overtaken_is_asked_for_again(stripe, account, plan_of, monkeypatch):
    """Two workers: the one that asked first writes last."""
    one = stripe.subscribe(account, "basic")
    real, first = stripe_api.subscriptions_of, []

    def slow(customer):
        seen = real(customer)
        if not first:
            first.append(1)
            stripe.do(stripe.world.change_price, one["id"], "price_pro")
            subscriptions.sync(account.pk)  # the other worker asks later and is done earlier
            assert plan_of(account) == "pro"
        return seen

    monkeypatch.setattr(stripe_api, "subscriptions_of", slow)
    subscriptions.sync(account.pk)
    assert plan_of(account) == "pro"


def test_events_of_strangers_are_done_with(stripe, account):
    stripe.do(stripe.world.create_customer, {"name": "Somebody else's"})
    stripe.carry()
    assert not InboundEvent.objects.exclude(due_at=None).exists()


# --- Stripe is down


def due_now():
    """Let an hour pass for the events that wait."""
    InboundEvent.objects.exclude(due_at=None).update(due_at=timezone.now() - timedelta(hours=1))


def test_while_stripe_fails_for_an_hour_nobody_loses_a_plan_and_no_event_is_given_up(
    stripe, account, plan_of
):
    one = stripe.subscribe(account)
    stripe.carry()
    stripe.do(stripe.world.end, one)
    stripe.world.fault = 500
    stripe.carry(stripe.events[-1:])
    for _ in range(15):  # an hour of tries, five minutes at most between two
        due_now()
        stripe_events.drain()
        with pytest.raises(stripe_api.Unavailable):
            subscriptions.reconcile()
    assert plan_of(account) == "pro"
    waiting = InboundEvent.objects.exclude(due_at=None).get()
    assert waiting.attempts == 0, "silence is no try"
    assert "Unavailable" in waiting.parked[0]["reason"]
    assert (waiting.due_at - timezone.now()).total_seconds() <= stripe_events.LONGEST_WAIT_SECONDS
    stripe.world.fault = None
    due_now()
    stripe_events.drain()
    assert plan_of(account) == "free"
    assert not InboundEvent.objects.exclude(parked=[]).exists()


def test_while_stripe_is_not_set_up_an_event_stays_due(stripe, account, plan_of, settings):
    stripe.subscribe(account)
    key, settings.STRIPE_SECRET_KEY = settings.STRIPE_SECRET_KEY, ""
    stripe_events.receive(json.dumps(stripe.events[-1]).encode(), None)
    assert stripe_events.drain() == 0
    assert InboundEvent.objects.get().attempts == 0
    settings.STRIPE_SECRET_KEY = key
    assert stripe_events.drain() == 1
    assert plan_of(account) == "pro"


def test_the_waits_while_stripe_is_silent_grow_to_five_minutes(stripe, account):
    stripe.subscribe(account)
    stripe.world.fault = 500
    stripe.carry(stripe.events[-1:])
    waits = []
    for age in (0, 10, 100, 1_000):
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE webhooks_inboundevent SET due_at = now(), "
                "received_at = now() - make_interval(secs => %s)",
                [age],
            )
        stripe_events.drain()
        waiting = InboundEvent.objects.get()
        waits.append((waiting.due_at - waiting.received_at).total_seconds() - age)
    assert waits == [3, 10, 100, 300]


@pytest.mark.parametrize("trouble", ["wrong key", "no server"])
def test_a_broken_set_up_is_an_outage_too(stripe, account, plan_of, settings, trouble):
    stripe.subscribe(account)
    stripe.carry()
    if trouble == "wrong key":
        settings.STRIPE_SECRET_KEY = "sk_test_other"
    else:
        settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    with pytest.raises(stripe_api.Unavailable):
        subscriptions.sync(account.pk)
    assert plan_of(account) == "pro"


def test_a_price_that_vanished_from_the_settings_takes_no_plan_away(stripe, account, plan_of, settings):
    stripe.subscribe(account)
    stripe.carry()
    settings.STRIPE_PRICE_PRO = "price_new"
    subscriptions.reconcile()
    assert plan_of(account) == "pro"
    settings.STRIPE_PRICE_PRO = "price_new, price_pro"
    subscriptions.reconcile()
    assert Subscription.objects.get().plan == "pro"


def test_an_event_that_cannot_be_applied_is_left_for_an_operator_who_can_ask_again(
    stripe, account, plan_of, client, monkeypatch
):
    stripe.subscribe(account)
    real = subscriptions.sync

    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(subscriptions, "sync", broken)
    stripe.carry(stripe.events[-1:])
    for _ in range(stripe_events.MAX_ATTEMPTS):
        due_now()
        stripe_events.drain()
    parked = InboundEvent.objects.get()
    assert parked.due_at is None and parked.applied_at is None
    assert "a bug" in parked.parked[0]["reason"]
    page = operators.operator(client).get(
        "/admin/webhooks/inboundevent/", {"q": stripe.events[-1]["id"], "parked": "yes"}
    )
    assert str(parked.pk) in page.content.decode()
    monkeypatch.setattr(subscriptions, "sync", real)
    call_command("reprocess_callbacks", "--since", "1h", "--unfinished", "--source", "stripe")
    assert stripe_events.drain() == 1
    assert plan_of(account) == "pro"


def test_two_paid_subscriptions_give_the_better_plan(stripe, account, plan_of):
    one = stripe.subscribe(account, "pro")
    stripe.do(stripe.world.begin_subscription, one["customer"], "price_basic")
    stripe.carry()
    assert plan_of(account) == "pro"
    stripe.do(stripe.world.end, one)
    stripe.carry()
    assert plan_of(account) == "basic"


def test_a_deleted_customer_is_free_again_and_the_others_are_not_touched(stripe, account, plan_of):
    other = make_account("free")
    stripe.subscribe(account)
    stripe.subscribe(other)
    stripe.carry()
    stripe.do(stripe.world.delete_customer, Customer.objects.get(pk=account.pk).stripe_id)
    stripe.carry()
    assert (plan_of(account), plan_of(other)) == ("free", "pro")


def test_what_an_operator_gave_outlives_a_subscription(stripe, plan_of):
    account = make_account("pro")
    one = stripe.subscribe(account, "basic")
    stripe.carry()
    assert plan_of(account) == "pro"
    stripe.do(stripe.world.end, one)
    stripe.carry()
    assert plan_of(account) == "pro"


def test_every_change_of_a_plan_is_in_the_audit_log(stripe, account):
    one = stripe.subscribe(account)
    stripe.carry()
    stripe.do(stripe.world.end, one)
    stripe.carry()
    changes = AuditEvent.objects.filter(account=account, action="plan_changed").order_by("at")
    assert [(one.actor, one.details["before"], one.details["after"]) for one in changes] == [
        ("stripe", "free", "pro"),
        ("stripe", "pro", "free"),
    ]


def test_no_network_is_used_inside_a_transaction(stripe, account, monkeypatch):
    """The rule of this code; Stripe may take ten seconds and a lock must not."""
    stripe.subscribe(account)
    inside = len(connection.savepoint_ids)
    real = stripe_api._ask

    def watched(call):
        assert len(connection.savepoint_ids) == inside, "asked inside a transaction"
        return real(call)

    monkeypatch.setattr(stripe_api, "_ask", watched)
    stripe.carry()
    subscriptions.reconcile()
    assert Account.objects.get(pk=account.pk).plan == "pro"
