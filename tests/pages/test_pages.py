"""The pages as a browser sees them: the front page, the API explorer, the operators' admin."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from allauth.account.models import EmailAddress
from playwright.sync_api import expect

from accounts.models import User
from messaging.models import Message, Status
from tests import factories
from tests.support import operators
from tests.support.browser import Visit

Open = Callable[..., Visit]
#: what an operator could write with; Django hides the ones it has no use for
_BUTTONS = "[name^=_save]:visible, .addlink:visible, .deletelink:visible, .inline-deletelink:visible"
PASSWORD = "a long enough passphrase"
_WIDTHS = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"


# --- the front page


def test_the_front_page_is_clean_and_never_scrolls_sideways(visit: Open) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        for width in (360, 1280):
            tab = visit(width=width, scheme=scheme)
            tab.open("/")
            needed, there = tab.page.evaluate(_WIDTHS)
            assert needed <= there == width
            tab.assert_clean()
        colours.add(tab.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2, "light and dark look the same"


def test_the_quickstart_calls_this_server(visit: Open, settings) -> None:
    tab = visit()
    tab.open("/")
    commands = " ".join(tab.page.locator("#quickstart pre").all_inner_texts())
    for path in ("/auth/register", "/auth/me/credentials", "/auth/me/credentials/verify", "/send-message"):
        assert f"{settings.PUBLIC_URL}{path} " in commands


def test_the_plans_are_those_of_this_server(client, settings) -> None:
    settings.MONTHLY_MESSAGES = settings.MONTHLY_MESSAGES | {"basic": 12_345, "pro": 0}
    for path in ("/", "/index.md"):
        shown = client.get(path).content.decode()
        assert "12,345" in shown and "500" in shown, path
    shown = client.get("/").content.decode()
    assert shown.count("messages in a period") == 4 and shown.count("Unlimited") == 2


def test_every_link_of_the_front_page_leads_somewhere(visit: Open, settings) -> None:
    settings.DURABILITY_NOT_NEEDED = True  # the tests' own database is a fast one
    tab = visit()
    tab.open("/")
    links = tab.page.eval_on_selector_all("a[href]", "all => all.map(one => one.getAttribute('href'))")
    targets = {link for link in links if not link.startswith("#")}
    assert {"/docs", "/openapi.json", "/healthz", "/readyz"} <= targets
    for link in targets:
        assert tab.page.request.get(tab.base_url + link).ok, link
    for link in links:
        _, sign, name = link.partition("#")
        assert not sign or tab.page.locator(f"#{name}").count() == 1, link


def test_a_keyboard_sees_where_it_is(visit: Open) -> None:
    tab = visit(width=360)
    tab.open("/")
    tab.page.keyboard.press("Tab")
    skip = tab.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    for _ in range(3):
        tab.page.keyboard.press("Tab")
        assert tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


# --- the API explorer


def test_the_explorer_shows_the_operations_and_asks_nobody_else(visit: Open) -> None:
    tab = visit()
    tab.open("/docs")
    for operation in ("operations-Account-register", "operations-Messages-sendMessage"):
        expect(tab.page.locator(f"#{operation}")).to_be_visible()
    tab.page.locator("#operations-Messages-sendMessage .opblock-summary-control").click()
    expect(tab.page.locator("#operations-Messages-sendMessage .try-out__btn")).to_be_visible()
    tab.assert_clean()


def test_the_explorer_takes_a_key(visit: Open) -> None:
    tab = visit()
    tab.open("/docs")
    tab.page.locator("button.authorize").first.click()
    tab.page.locator(".auth-container input").fill("sk_live_" + "0" * 48)
    tab.page.locator(".auth-container button.authorize").click()
    expect(tab.page.get_by_role("button", name="Remove authorization")).to_be_visible()
    tab.assert_clean()


# --- the operators' admin


def _operator() -> None:
    person = User.objects.create_superuser("operator@example.com", PASSWORD)
    EmailAddress.objects.create(user=person, email=person.email, verified=True, primary=True)


def _try_to_sign_in(tab: Visit, password: str) -> None:
    """The admin sends whoever is not signed in to where everybody signs in."""
    tab.open("/admin/")
    tab.page.get_by_label("Email").fill("operator@example.com")
    tab.page.get_by_label("Password", exact=True).fill(password)
    tab.page.get_by_role("button", name="Sign in", exact=True).click()


def _sign_in(tab: Visit) -> None:
    _operator()
    secret = operators.give_factor(User.objects.get(email="operator@example.com"))
    _try_to_sign_in(tab, PASSWORD)
    tab.page.locator("input[name=code]").fill(operators.code_of(secret))
    tab.page.locator("input[name=code]").press("Enter")
    expect(tab.page.locator("#user-tools")).to_contain_text("operator@example.com")


def test_a_wrong_password_does_not_open_the_admin(visit: Open) -> None:
    _operator()
    tab = visit(scheme="dark")
    _try_to_sign_in(tab, "not the passphrase")
    expect(tab.page.locator("main")).to_contain_text("not correct")
    assert tab.page.locator("#user-tools").count() == 0
    tab.assert_clean()


def test_operators_see_ledgers_without_secrets_and_without_buttons(visit: Open) -> None:
    account = factories.make_account("pro")
    key, key_text = factories.make_key(account)
    number = factories.connect(account, app_secret=factories.APP_SECRET)
    message = factories.make_message(account, connection=number, status=Status.SENT, api_key=key)
    secrets = [
        factories.TOKEN,
        factories.APP_SECRET,
        key_text,
        number.access_token_sealed,
        number.app_secret_sealed,
        number.verify_token,
    ]
    tab = visit()
    _sign_in(tab)
    for path in (
        "/admin/accounts/account/",
        "/admin/accounts/number/",
        f"/admin/accounts/number/{number.pk}/change/",
        f"/admin/accounts/apikey/{key.pk}/change/",
        "/admin/messaging/message/",
        f"/admin/messaging/message/{message.pk}/change/",
    ):
        tab.open(path)
        expect(tab.page.locator("#content")).to_be_visible()
        shown = tab.page.content()
        assert [secret for secret in secrets if secret in shown] == []
        content = tab.page.locator("#content")
        assert content.locator(_BUTTONS).count() == 0
        if path.endswith("/change/"):
            assert content.locator("input:not([type=hidden]), select, textarea").count() == 0
    tab.assert_clean()
    assert Message.objects.get().status == Status.SENT


@pytest.mark.parametrize(("scheme", "colour"), [("light", "rgb(21, 77, 63)"), ("dark", "rgb(15, 58, 47)")])
def test_the_admin_wears_our_colours(visit: Open, scheme: str, colour: str) -> None:
    tab = visit(scheme=scheme)
    _sign_in(tab)
    expect(tab.page.locator("#site-name")).to_have_text("Hermod")
    expect(tab.page.locator("#header")).to_have_css("background-color", colour)
    tab.assert_clean()
