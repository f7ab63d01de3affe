"""Every page in a real browser, light and dark, on a desk and on a phone, readable for everybody.

Pictures of the pages are left in ``artifacts/pages`` for whoever wants to look at them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from accounts.models import Account, Number
from tests.dashboard import data, table, world
from tests.support.browser import Visit
from tests.support.looking import AGAIN, WIDTHS, faults, photograph
from tests.support.people import make_owned, signed_in

Open = Callable[..., Visit]
#: what stands around every page is looked at once: on the overview, the front page and the guide
FRAMES = ("#sidebar", ".topbar", ".site-foot", ".shelves")
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
#: the refusals that the table opens on purpose
_ASKED_FOR = re.compile(r"^40[034]|status of 40[034]")
#: posts what a form would, from the page that the browser is on
_POST = """([path, values, token]) => {
  const form = document.createElement("form");
  form.method = "post"; form.action = path;
  for (const [name, value] of Object.entries({...values, csrfmiddlewaretoken: token})) {
    const field = document.createElement("input");
    field.type = "hidden"; field.name = name; field.value = value;
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""


def go(tab: Visit, page: table.Page, made: dict[str, object]) -> None:
    """Open a page of the table, or post what it answers to."""
    address = page.address(made)
    if page.post is None:
        tab.open(address)
        if page.ours != "html":  # the explorer draws itself when it has fetched what it shows
            tab.page.wait_for_load_state("networkidle")
        return
    tab.open(address.partition("?")[0])
    token = tab.page.locator("[name=csrfmiddlewaretoken]").first.input_value()
    with tab.page.expect_navigation():
        tab.page.evaluate(_POST, [address, page.values(made), token])


def look_at(tab: Visit, one: table.Page) -> list[str]:
    """Take the four pictures (two of what looks like others) and return what is wrong."""
    page, name = tab.page, one.title
    found: list[str] = []
    known = () if one.title in ("home", "app", "developers") else FRAMES
    for width, size in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size(size)
        for scheme in ("light", "dark"):
            if one.alike and (width == "desk") != (scheme == "light"):
                continue
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            photograph(page, f"{name}-{width}-{scheme}")
            if (width, scheme) == ("desk", "light"):
                found += faults(page, name, part=one.ours, known=known)
            elif (width, scheme) == ("phone", "dark") and not one.alike:
                found += faults(page, f"{name} on a phone in the dark", AGAIN, part=one.ours, known=known)
    page.set_viewport_size(DESK)
    page.emulate_media(color_scheme="light")
    return found


class Readers:
    """The visitors of the table, each with a tab of their own, signed in without typing."""

    def __init__(self, visit: Open, account: Account, newcomer) -> None:
        self.people = {"owner": account, "newcomer": newcomer, "member": world.careful(account)}
        self.visit = visit
        self.tabs: dict[str, Visit] = {}

    def tab(self, who: str) -> Visit:
        """Return the tab of a reader."""
        if who not in self.tabs:
            tab = self.tabs[who] = self.visit()
            if who:
                cookie = signed_in(self.people[who]).cookies["sessionid"].value
                tab.page.context.add_cookies([{"name": "sessionid", "value": cookie, "url": tab.base_url}])
        return self.tabs[who]

    def assert_clean(self) -> None:
        """Fail when a page complained; that some of them are refusals was asked for."""
        for tab in self.tabs.values():
            tab.complaints = [one for one in tab.complaints if not _ASKED_FOR.search(one)]
            tab.assert_clean()


@pytest.fixture
def readers(visit: Open, transactional_db, settings, live_server):
    settings.PUBLIC_URL = live_server.url
    made: dict[str, object] = {}

    def furnished(say=world.plain) -> tuple[Readers, dict[str, object]]:
        account = make_owned("Alice")
        made.update(world.furnish(account, say))
        if say is world.plain:
            Number.objects.filter(pk=made["number"]).update(status="active", status_reason="")
        person, made["secret"] = world.newcomer(say)
        return Readers(visit, account, person), made

    return furnished


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("group", ["dashboard", "signing in", "public", "empty"])
def test_every_page_can_be_read_and_reached_by_everybody(readers, group: str) -> None:
    people, made = readers()
    listed = {"dashboard": table.DASHBOARD, "signing in": table.SIGNING_IN, "empty": table.EMPTY}
    pages = listed.get(group) or table.public()
    if group == "empty":
        people.people["owner"] = make_owned("Beginner")
    wrong: list[str] = []
    for page in pages:
        tab = people.tab(page.who)
        go(tab, page, made)
        wrong += look_at(tab, page)
    assert not wrong, "\n".join(wrong)
    people.assert_clean()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_stored_scripts_run_on_no_page_and_break_out_of_none(readers) -> None:
    people, made = readers(data.attack)
    wrong: list[str] = []
    for page in [*table.DASHBOARD, *table.SIGNING_IN]:
        tab = people.tab(page.who)
        tab.page.set_viewport_size(PHONE)
        go(tab, page, made)
        needed, there = tab.page.evaluate(WIDTHS)
        reports = tab.page.evaluate("window.reports")
        if tab.page.evaluate("window.pwned !== undefined || window.hacked !== undefined") or reports:
            wrong.append(f"{page.title}: {reports}")
        if needed > there:
            wrong.append(f"{page.title} scrolls sideways: {needed} of {there}")
    assert not wrong, "\n".join(wrong)
    people.assert_clean()
