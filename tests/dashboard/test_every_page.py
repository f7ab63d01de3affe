"""What holds for every page: it is in the table, shows strangers' words as text, and costs the same."""

from __future__ import annotations

import re
from functools import cache

import pytest
from django.contrib import admin
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from tests.dashboard import data, table, world
from tests.support import operators
from tests.support.people import make_owned, signed_in

pytestmark = pytest.mark.django_db
#: the session, the person, their accounts, the page's own; the overview has the most to tell
MOST_QUERIES = 18


@pytest.fixture
def alice():
    return make_owned("Alice")


def visitors(account, newcomer: User) -> dict[str, Client]:
    """Return a signed-in browser for each kind of reader of the table."""
    people = {"owner": account, "member": world.careful(account), "newcomer": newcomer}
    return {"": Client()} | {who: signed_in(person) for who, person in people.items()}


def open_page(client: Client, page: table.Page, made: dict[str, object]):
    """Open a page of the table, or post what it answers to."""
    if page.post is None:
        return client.get(page.address(made))
    return client.post(page.address(made), page.values(made))


def test_every_address_stands_in_the_table():
    listed = {page.route for page in [*table.DASHBOARD, *table.SIGNING_IN]}
    assert set(table.routes()) == listed | set(table.NO_PAGES)
    assert len(listed) > 40
    titles = [page.title for page in [*table.DASHBOARD, *table.SIGNING_IN, *table.public()]]
    assert len(set(titles)) == len(titles), "two pictures would have one name"


@cache
def _places() -> re.Pattern[str]:
    return re.compile(r"window\.pwned=(?:&quot;|\\u0022|%22|\\&quot;)([a-z ]+)")


def test_what_strangers_write_shows_as_text_on_every_page(alice):
    made = world.furnish(alice, data.attack)
    newcomer, made["secret"] = world.newcomer(data.attack)
    clients, seen = visitors(alice, newcomer), set()
    for page in [*table.DASHBOARD, *table.SIGNING_IN, *table.public()]:
        answer = open_page(clients[page.who], page, made)
        text = answer.content.decode()
        assert answer.status_code == page.status, (page.title, text[:300])
        assert "<script>window" not in text and "<img src=x" not in text, page.title
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';"), page.title
        assert ("unsafe" in policy) == (page.route == "docs"), page.title  # the explorer is not our work
        seen |= set(_places().findall(text))
    places = set(data.SAID) - {"wamid", "correlation"}
    assert places <= seen, f"nothing shows {places - seen}"


def test_what_strangers_write_shows_as_text_on_every_page_of_the_operators(alice):
    world.furnish(alice, data.attack)
    operator = operators.operator(Client())
    filled = 0
    for model in admin.site._registry:
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        text = operator.get(path).content.decode()
        for detail in sorted(set(re.findall(rf'href="({path}[^"?]+/change/)', text)))[:2]:
            text += operator.get(detail).content.decode()
            filled += 1
        assert "<script>window" not in text and "<img src=x" not in text, path
    assert filled > 15


def test_no_page_shows_a_trace_of_another_account(alice):
    made = world.furnish(alice, data.attack)
    secret = made["secret"] = "nonsense"
    foreign = re.compile("pwned|" + "|".join(str(one) for one in made.values() if one != secret))
    charlie = signed_in(make_owned("Charlie"))
    for page in [*table.DASHBOARD, *table.public()]:
        if page.who in ("newcomer", "member") or page.post:
            continue
        answer = charlie.get(page.address(made))
        named = "{" in page.path.partition("?")[0]
        wanted = (404,) if named else (page.status, 302)  # the set-up leads to the step where one stands
        assert answer.status_code in wanted, page.title
        shown = answer.content.decode().replace(page.address(made), "")
        assert not foreign.search(shown), (page.title, foreign.search(shown))


def test_a_page_asks_the_database_as_often_for_much_as_for_little(alice):
    made = world.furnish(alice)
    client = signed_in(alice)
    pages = [page for page in table.DASHBOARD if page.who == "owner" and page.post is None]

    def costs() -> dict[str, list[str]]:
        found = {}
        for page in pages:
            client.get(page.address(made))
            with CaptureQueriesContext(database) as asked:
                assert client.get(page.address(made)).status_code == page.status, page.title
            found[page.title] = [query["sql"][:120] for query in asked]
        return found

    few = costs()
    world.multiply(alice, made)
    many = costs()
    grown = {title: many[title] for title in few if len(few[title]) != len(many[title])}
    assert not grown
    assert {title: len(asked) for title, asked in many.items() if len(asked) > MOST_QUERIES} == {}
