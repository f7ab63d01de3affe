"""The pages of messages in a real browser: from a template to a delivered message, and nothing that runs."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import expect

from accounts.models import Account
from messaging.message_templates import store as template_store
from messaging.models import Message
from tests import factories
from tests.dashboard import data
from tests.support.browser import Visit
from tests.support.meta import draining, person, reaches
from tests.support.people import make_owned, signed_in

Open = Callable[..., Visit]


def enter(tab: Visit, account: Account) -> None:
    """Sign the tab in as an account's owner."""
    session = signed_in(account).cookies["sessionid"].value
    host = urlsplit(tab.base_url).hostname
    tab.page.context.add_cookies([{"name": "sessionid", "value": session, "domain": host, "path": "/"}])


def test_a_template_is_filled_sent_and_watched_until_it_is_read(visit: Open, meta):
    alice = make_owned("Alice")
    number = meta.connect(alice)
    template_store.sync(number)
    tab = visit()
    enter(tab, alice)
    tab.open("/app/compose")
    page = tab.page
    page.get_by_label("To", exact=True).fill(f"+{person()}")
    page.get_by_label("Template", exact=True).select_option(label="order_shipped · en")
    page.get_by_label("customer_name").press_sequentially("Sarah")
    expect(page.locator("#preview")).to_contain_text("Hello Sarah, your order is on the way")
    expect(page.locator("#preview .gap")).to_have_text("{{tracking_url}}")
    expect(page.get_by_label("customer_name")).to_be_focused()
    page.get_by_label("tracking_url").fill("https://example.com/t/A1")
    expect(page.locator("#preview .gap")).to_have_count(0)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("h1")).to_contain_text("Queued")
    message = Message.objects.get(account=alice)
    assert urlsplit(page.url).path == f"/app/messages/{message.pk}"
    with draining():
        reaches(message, "read")
    expect(page.locator("h1")).to_contain_text("Read")
    expect(page.locator(".timeline li")).to_have_count(4)
    tab.assert_clean()


def test_an_open_list_and_an_open_thread_grow_by_themselves(visit: Open, db):
    alice = make_owned("Alice")
    number = factories.connect(alice)
    contact = data.make_contact(number)
    data.make_talk(number, contact, wrote="first words")
    listed, thread = visit(), visit(width=360, scheme="dark")
    for tab in (listed, thread):
        enter(tab, alice)
    factories.make_message(alice, body="there already")
    listed.open("/app/messages")
    thread.open(f"/app/conversations/{contact.pk}")
    expect(listed.page.locator("tbody tr")).to_have_count(1)
    factories.make_message(alice, body="new in the list")
    data.make_talk(number, contact, wrote="new in the thread")
    expect(listed.page.locator("tbody")).to_contain_text("new in the list")
    expect(thread.page.locator("#thread")).to_contain_text("new in the thread")
    thread.page.get_by_label("Your reply").fill("my answer")
    thread.page.get_by_role("button", name="Reply").click()
    expect(thread.page.locator("#thread")).to_contain_text("my answer")
    for tab in (listed, thread):
        tab.assert_clean()
