"""Buying: Stripe's pages are reached, once for each account; nothing but Stripe's word changes a plan."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import requests

from accounts.models import ApiKey, AuditEvent
from billing import checkout, overview, subscriptions
from billing.models import Customer, Subscription
from core.errors import Invalid, Refusal
from tests.factories import api, connect, faulty_fields, make_account, make_key
from webhooks.incoming import archive, stripe_events
from webhooks.models import InboundEvent

pytestmark = pytest.mark.django_db


def begin(account, body):
    """Ask for a checkout."""
    return api(account).post_json("/billing/checkout", body)


def test_the_documented_checkout_answers_with_an_address(stripe, account):
    answer = begin(account, {"plan": "pro"})
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "data": {"url": answer.json()["data"]["url"]}}
    assert answer.json()["data"]["url"].startswith(stripe.world.base_url + "/c/pay/cs_test_")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"plan": "free"}, "Free needs no checkout"),
        ({"plan": "enterprise"}, "sales"),
        ({"plan": "price_123"}, "one of: basic, pro"),
        ({"plan": "PRO"}, "one of: basic, pro"),
        ({"plan": ""}, "empty"),
        ({"plan": 7}, "string"),
        ({}, "required"),
        ({"plan": "pro", "addOn": "agent"}, "not both"),
        ({"addOn": "messages_7"}, "one of: messages_1000"),
    ],
)
def test_what_cannot_be_bought_is_named(stripe, account, body, says):
    """W53."""
    answer = begin(account, body)
    assert answer.status_code == 400, answer.content
    assert len(faulty_fields(answer)) == 1
    assert says in answer.json()["details"][0]["message"]
    assert not stripe.world.tables["sessions"]


def test_without_stripe_it_says_so(account):
    """W54."""
    for answer in (begin(account, {"plan": "pro"}), api(account).get("/billing/portal")):
        assert answer.status_code == 503
        assert "not set up" in answer.json()["error"]


def test_without_a_price_a_plan_is_not_on_sale(stripe, account, settings):
    settings.STRIPE_PRICE_PRO = ""
    assert begin(account, {"plan": "pro"}).status_code == 503
    assert begin(account, {"plan": "basic"}).status_code == 200


def test_a_price_that_stripe_does_not_know_is_our_fault_and_no_crash(stripe, account, settings):
    settings.STRIPE_PRICE_PRO = "price_gone"
    assert begin(account, {"plan": "pro"}).status_code == 503


def test_the_portal_needs_something_to_manage(stripe, account):
    """W54."""
    answer = api(account).get("/billing/portal")
    assert answer.status_code == 404
    assert "no subscription yet" in answer.json()["error"]
    stripe.subscribe(account)
    answer = api(account).get("/billing/portal")
    assert answer.status_code == 200
    assert answer.json()["data"]["url"].startswith(stripe.world.base_url + "/p/session/bps_")


def test_an_account_has_one_customer_however_often_it_buys(stripe, account):
    first = stripe.customer(account)
    Customer.objects.update(stripe_id=None)  # a crash between Stripe's answer and our note of it
    assert stripe.customer(account) == first
    begin(account, {"plan": "pro"})
    begin(account, {"addOn": "agent"})
    assert len(stripe.world.tables["customers"]) == 1
    assert stripe.world.tables["customers"][first]["metadata"] == {"account": str(account.pk)}


def test_a_second_checkout_closes_the_first_so_that_nobody_pays_twice(stripe, account):
    first = checkout.begin_plan(account, "basic")
    second = checkout.begin_plan(account, "pro")
    sessions = stripe.world.tables["sessions"]
    assert sessions[stripe.session_of(first.url)]["status"] == "expired"
    assert sessions[stripe.session_of(second.url)]["status"] == "open"


def test_the_address_of_success_and_a_paid_page_change_nothing_by_themselves(stripe, account, plan_of):
    stripe.subscribe(account)
    assert api().get("/billing/return?done=1").status_code == 200
    assert plan_of(account) == "free"


def test_a_subscriber_is_led_to_the_change_of_his_subscription(stripe, account, plan_of):
    stripe.subscribe(account, "basic")
    stripe.carry()
    page = begin(account, {"plan": "pro"}).json()["data"]
    assert "/p/session/" in page["url"]
    confirmed = requests.post(
        page["url"] + "/change", data=_hidden(page["url"]), allow_redirects=False, timeout=10
    )
    assert confirmed.status_code == 303
    stripe.carry()
    assert plan_of(account) == "pro"
    assert len(stripe.world.tables["subscriptions"]) == 1
    # The stand-in prorates as Stripe does: a whole month remained, so the whole difference.
    assert [one["amount"] for one in stripe.world.tables["charges"].values()] == [1_900, 6_000]
    assert begin(account, {"plan": "pro"}).status_code == 409


def test_the_upgrade_is_known_to_stripe_before_its_events_are(stripe, account):
    """A customer who pays and asks again at once does not get a second subscription to pay."""
    stripe.subscribe(account, "pro")
    assert begin(account, {"plan": "pro"}).status_code == 409


def test_a_downgrade_waits_for_the_end_of_the_period_and_warns(stripe, account, plan_of, settings):
    settings.MONTHLY_MESSAGES = {"free": 10, "basic": 20, "pro": 100, "enterprise": 0}
    stripe.subscribe(account, "pro")
    stripe.carry()
    account.refresh_from_db()
    connect(account)
    people = [{"to": f"1415555{index:04d}", "message": "Hello"} for index in range(30)]
    assert api(account).post_json("/messages/bulk", {"messages": people}).status_code == 202
    page = begin(account, {"plan": "basic"}).json()["data"]
    assert page["warning"] == "You used 30 messages in this period; basic has 20."
    requests.post(page["url"] + "/change", data=_hidden(page["url"]), allow_redirects=False, timeout=10)
    stripe.carry()
    assert plan_of(account) == "pro"
    shown = usage(account)
    state = shown["subscription"]
    assert (state["plan"], state["nextPlan"], state["nextPlanAt"]) == (
        *("pro", "basic"),
        state["currentPeriodEnd"],
    )
    said = f"Your plan changes to Basic on {state['nextPlanAt'][:10]}."
    assert shown["notice"] == said == overview.overview(account).banner
    Subscription.objects.update(next_plan="", next_plan_at=None)
    subscriptions.reconcile()
    assert usage(account)["subscription"]["nextPlan"] == "basic", "a lost event is made good at night"
    stripe.advance(32 * 86_400)
    stripe.carry()
    assert plan_of(account) == "basic"
    assert usage(account)["subscription"]["nextPlan"] is None
    assert usage(account)["notice"] is None


def usage(account):
    """Return what GET /billing/usage says."""
    return api(account).get("/billing/usage").json()["data"]


def _hidden(url):
    """Return the fields of the first form of a page."""
    text = requests.get(url, timeout=10).text
    form = text[text.index("<form") : text.index("</form>")]
    return dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))


def test_a_customer_deleted_at_stripe_is_made_anew(stripe, account, plan_of):
    stripe.subscribe(account)
    stripe.carry()
    gone = Customer.objects.get().stripe_id
    stripe.do(stripe.world.delete_customer, gone)
    assert api(account).get("/billing/portal").status_code == 404
    stripe.carry()
    assert plan_of(account) == "free"
    assert Customer.objects.get().stripe_id is None
    stripe.subscribe(account, "basic")
    stripe.carry()
    assert plan_of(account) == "basic"
    assert Customer.objects.get().stripe_id != gone


def test_a_deletion_that_no_event_told_is_found_at_the_next_checkout(stripe, account, plan_of):
    gone = stripe.customer(account)
    stripe.do(stripe.world.delete_customer, gone)
    stripe.subscribe(account, "basic")
    stripe.carry()
    assert plan_of(account) == "basic"


def test_while_stripe_is_down_buying_says_so_and_nothing_crashes(stripe, account):
    stripe.world.fault = 500
    answer = begin(account, {"plan": "pro"})
    assert answer.status_code == 503
    assert answer["Retry-After"] == "30"
    assert "Nothing was charged" in answer.json()["error"]


def test_a_wrong_key_of_ours_is_an_outage_and_is_not_shown(stripe, account, settings):
    settings.STRIPE_SECRET_KEY = "sk_test_wrong_canary"
    answer = begin(account, {"plan": "pro"})
    assert answer.status_code == 503
    assert b"canary" not in answer.content


def test_test_keys_and_narrow_keys_neither_buy_nor_manage(stripe, account):
    stripe.subscribe(account)
    for kind, scopes in ((ApiKey.Kind.SK_TEST, ("*",)), (ApiKey.Kind.SK, ("whatsapp:send",))):
        client = api(make_key(account, kind=kind, scopes=scopes)[1])
        assert client.post_json("/billing/checkout", {"plan": "pro"}).status_code == 403
        assert client.get("/billing/portal").status_code == 403
        assert client.get("/billing/usage").status_code == 200


def test_another_accounts_reference_buys_nothing_for_it(stripe, account, plan_of):
    """A checkout belongs to the customer that it was opened for, whatever else is written on it."""
    victim = make_account("free")
    url = checkout.begin_plan(account, "pro").url
    session = stripe.world.tables["sessions"][stripe.session_of(url)]
    session["client_reference_id"] = session["metadata"]["account"] = str(victim.pk)
    stripe.do(stripe.world.pay, session["id"])
    stripe.carry()
    assert (plan_of(account), plan_of(victim)) == ("pro", "free")


@pytest.mark.django_db(transaction=True)
def test_the_whole_upgrade_can_be_clicked_through(stripe, live_server, settings):
    """Checkout, pay, limits; portal, cancel, the period ends: the stand-in itself carries the events."""
    settings.PUBLIC_URL = live_server.url
    account = make_account("free")
    client = api(account)
    assert client.get("/auth/me")["X-RateLimit-Limit"] == "20"
    stripe.world.webhook_url = f"{live_server.url}/webhooks/stripe"
    try:
        url = client.post_json("/billing/checkout", {"plan": "pro"}).json()["data"]["url"]
        page = requests.get(url, timeout=10)
        assert page.status_code == 200
        assert "€79.00" in page.text and "Pay" in page.text and "Decline" in page.text
        assert urlsplit(live_server.url).netloc in page.headers["Content-Security-Policy"]
        declined = requests.post(f"{url}/decline", timeout=10)
        assert "declined" in declined.text
        assert client.get("/auth/me").json()["data"]["plan"] == "free"
        paid = requests.post(f"{url}/pay", allow_redirects=False, timeout=10)
        assert paid.headers["Location"] == f"{live_server.url}/billing/return?done=1"
        assert "Thank you" in requests.get(paid.headers["Location"], timeout=10).text
        _arrived(stripe, "checkout.session.completed")
        me = client.get("/auth/me")
        assert me.json()["data"]["plan"] == "pro"
        assert me["X-RateLimit-Limit"] == "500"
        portal = client.get("/billing/portal").json()["data"]["url"]
        assert "Cancel at the end" in requests.get(portal, timeout=10).text
        cancelled = requests.post(f"{portal}/cancel", data=_subscription_of(portal), timeout=10)
        assert "ends" in cancelled.text and "Do not cancel" in cancelled.text
        _arrived(stripe, "customer.subscription.updated")
        usage = client.get("/billing/usage").json()["data"]
        assert usage["plan"] == "pro"
        assert usage["subscription"]["cancelAt"] == usage["subscription"]["currentPeriodEnd"]
        assert "ends on" in usage["notice"]
        requests.post(
            f"{stripe.world.base_url}/_stripe/advance", data={"seconds": str(32 * 86_400)}, timeout=10
        )
        _arrived(stripe, "customer.subscription.deleted")
        me = client.get("/auth/me")
        assert me.json()["data"]["plan"] == "free"
        assert me["X-RateLimit-Limit"] == "20"
    finally:
        stripe.world.webhook_url = ""
    changes = AuditEvent.objects.filter(action="plan_changed").order_by("at")
    assert [one.details["after"] for one in changes] == ["pro", "free"]


def _arrived(stripe, kind):
    """Wait until the stand-in has delivered an event of this type, then do the worker's work."""
    from tests.support.meta import eventually

    told = InboundEvent.objects.filter(source="stripe")
    eventually(lambda: any(kind in archive.unseal(one.pk, bytes(one.raw)).decode() for one in told.all()))
    eventually(lambda: stripe_events.drain() or not told.exclude(due_at=None).exists())


def _subscription_of(url):
    text = requests.get(url, timeout=10).text
    return {"subscription": re.search(r"sub_[0-9a-f]+", text).group()}


def test_the_stand_ins_pages_are_for_this_machine_and_its_own_forms_only(stripe, account):
    url = checkout.begin_plan(account, "pro").url
    foreign = requests.post(f"{url}/pay", headers={"Origin": "https://evil.example"}, timeout=10)
    rebound = requests.post(f"{url}/pay", headers={"Host": "evil.example"}, timeout=10)
    assert (foreign.status_code, rebound.status_code) == (403, 403)


def test_a_core_refuses_what_a_view_did_not(stripe, account):
    with pytest.raises(Invalid):
        checkout.begin_plan(account, "enterprise")
    with pytest.raises(Refusal):
        checkout.portal(account)
