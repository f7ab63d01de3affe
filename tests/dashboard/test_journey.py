"""In a real browser: from sign-up to a delivered message, to a bigger plan, in the dark, in Arabic.

Pictures of the pages are left in ``artifacts/pages`` for whoever wants to look at them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from accounts import agents, keys, team
from accounts.models import Account, ApiKey, Number
from messaging.models import Message
from tests import factories
from tests.support.browser import Visit
from tests.support.looking import faults, photograph
from tests.support.meta import apply_callbacks, draining, row
from tests.support.people import PASSWORD, join, make_owned, signed_in
from tests.support.waiting import eventually

Open = Callable[..., Visit]
_steps = itertools.count(1)


def look_at(page: Page, name: str) -> None:
    """Take a picture, and fail when somebody could not read or reach what is on the page."""
    photograph(page, name)
    found = faults(page, name)
    assert not found, "\n".join(found)


def submit(page: Page, name: str) -> None:
    """Press the button with that name."""
    page.get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def development(meta, live_server, settings):
    """The service as `make run` starts it: beside the sandbox, showing the codes of its mails."""
    settings.DEVELOPMENT = True
    settings.PUBLIC_URL = live_server.url
    return meta


def test_a_newcomer_comes_from_sign_up_to_a_delivered_message(development, visit: Open) -> None:
    tab = visit()
    page = tab.page

    def step(name: str) -> None:
        look_at(page, f"journey-{next(_steps):02d}-{name}")

    tab.open("/accounts/signup/")
    step("sign-up")
    page.get_by_label("Your name or company").fill("Olive & Co")
    page.get_by_label("Email").fill("olive@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    submit(page, "Sign up")
    code = page.locator("#development-code").inner_text()
    step("code")
    page.get_by_label("Code").fill(code)
    submit(page, "Confirm")

    expect(page.get_by_role("heading", name="Connect your number")).to_be_visible()
    step("connect")
    submit(page, "Save and check")
    expect(page.get_by_text("This number is ready to send.")).to_be_visible()
    step("check")
    page.get_by_role("link", name="Go on").click()
    submit(page, "Subscribe and set the address")
    expect(page.get_by_text("now reports to the address of this number")).to_be_visible()
    step("reports")
    page.get_by_role("link", name="Go on").click()
    step("test")
    submit(page, "Send hello_world")
    expect(page.locator("#timeline").get_by_text("Queued").first).to_be_visible()
    with draining():
        message = Message.objects.get()

        def arrived() -> bool:
            apply_callbacks()
            return row(message).status in ("delivered", "read")

        eventually(arrived)
    expect(page.get_by_text("It is on your phone.")).to_be_visible()
    step("delivered")

    page.get_by_role("link", name="Go on").click()
    step("next")
    page.get_by_role("link", name="Create a key").click()
    page.get_by_label("Name").fill("Shop")
    submit(page, "Create")
    shown = page.locator(".copy code").first.inner_text()
    step("key")
    answer = page.request.get(tab.base_url + "/auth/me", headers={"Authorization": f"Bearer {shown}"})
    assert answer.json()["data"]["name"] == "Olive & Co"
    tab.open("/app/setup")
    submit(page, "Go to the overview")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert Account.objects.get(email="olive@example.com").set_up_at is not None
    tab.assert_clean()


@pytest.fixture
def alice(transactional_db) -> Account:
    """An account with something on every page."""
    account = make_owned("Alice’s Books & Maps")
    number = factories.connect(account, waba_id="102290129340398")
    line = {"check": "token", "ok": True, "message": "The token is valid.", "fix": None, "code": None}
    bad = {"check": "callback", "ok": False, "message": "Not set.", "fix": "Set it.", "code": 190}
    note = {"check": "quality", "ok": None, "message": "Not rated yet.", "fix": None, "code": None}
    Number.objects.filter(pk=number.pk).update(
        display_phone="15557650001", verified_name="Alice’s Books", status="active", checks=[line, bad, note]
    )
    agents.create(account, "Night desk")
    key, _ = keys.create(account, name="Old shop", kind=ApiKey.Kind.MK, scopes=["whatsapp:send"])
    keys.create(account, name="Shop", kind=ApiKey.Kind.SK_TEST, scopes=["*"])
    keys.revoke(account, key.pk, reason="gone")
    owner = account.memberships.get().user
    team.invite(account, email="friend@example.com", role="admin", by=owner)
    join(account, "member", "bob@example.com")
    return account


def enter(tab: Visit, account: Account) -> None:
    """Sign a tab in without typing."""
    cookie = signed_in(account).cookies["sessionid"].value
    tab.page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": tab.base_url}])


def test_an_owner_upgrades_at_the_stand_in_for_stripe(visit: Open, stripe, settings, live_server) -> None:
    settings.PUBLIC_URL = live_server.url
    free = make_owned("Free Riders", "free")
    tab = visit()
    enter(tab, free)
    tab.open("/app/billing")
    look_at(tab.page, "billing-before")
    tab.page.get_by_role("button", name="Upgrade Pro").click()
    tab.page.wait_for_url(f"{settings.STRIPE_API_BASE}/**")
    submit(tab.page, "Pay")
    expect(tab.page.get_by_role("heading", name="Thank you")).to_be_visible()
    stripe.carry()
    tab.page.get_by_role("link", name="Plan and usage").click()
    expect(tab.page.get_by_text("You are on Pro")).to_be_visible()
    look_at(tab.page, "billing-after")
    tab.page.get_by_role("button", name="Invoices, card, cancellation").click()
    tab.page.wait_for_url(f"{settings.STRIPE_API_BASE}/**")


def test_a_phone_opens_the_sidebar_and_a_keyboard_closes_it(visit: Open, alice) -> None:
    tab = visit(width=390)
    enter(tab, alice)
    tab.open("/app/keys")
    link = tab.page.get_by_role("link", name="Connections")
    expect(link).to_be_hidden()
    tab.page.get_by_role("button", name="Menu").click()
    expect(link).to_be_visible()
    tab.page.keyboard.press("Escape")
    expect(link).to_be_hidden()


def test_light_or_dark_is_the_readers_choice_and_stays(visit: Open, alice) -> None:
    tab = visit(scheme="light")
    enter(tab, alice)
    tab.open("/app/keys")
    colour = "getComputedStyle(document.body).backgroundColor"
    before = tab.page.evaluate(colour)
    tab.page.get_by_role("button", name="Light or dark").click()
    after = tab.page.evaluate(colour)
    assert after != before
    tab.open("/app/team")
    assert tab.page.evaluate(colour) == after


def test_arabic_reads_from_right_to_left(visit: Open, alice) -> None:
    owner = alice.memberships.get(role="owner").user
    owner.language = "ar"
    owner.save()
    for width in (1280, 390):
        tab = visit(width=width)
        enter(tab, alice)
        for path in ("/app/keys", "/app/team", "/app/setup/connect"):
            tab.open(path)
            look_at(tab.page, f"{path.strip('/').replace('/', '-')}-arabic-{width}")
        assert tab.page.evaluate("document.dir") == "rtl"
        if width == 1280:
            box = tab.page.locator("#sidebar").bounding_box()
            assert box is not None
            assert box["x"] > 640, "the sidebar stands at the right"
    tab.assert_clean()
