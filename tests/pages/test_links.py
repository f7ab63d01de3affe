"""Every link leads somewhere: for a stranger from the front page on, in the dashboard, in the Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from django.test import Client

from developers.markdown import anchor
from tests.dashboard import table, world
from tests.support.people import make_owned, signed_in

pytestmark = pytest.mark.django_db
#: addresses that end the session, or that say how the service stands in the tests' own database
_NOT_FOLLOWED = re.compile(r"^/(accounts/logout/|readyz|v1/openapi\.json|openapi\.json|static/.*\.js$)")
_MARKDOWN_LINK = re.compile(r"\]\(([^()\s]+)\)")
_FENCE = re.compile(r"^(```+).*?^\1$", re.MULTILINE | re.DOTALL)


class Links(HTMLParser):
    """What a page refers to, and the names that can be referred to on it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.names: set[str] = set()
        self.twins: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note the tag's links and name."""
        given = dict(attributes)
        for name in ("href", "src", "hx-get"):
            if given.get(name):
                self.found.add(str(given[name]))
        if given.get("id"):
            self.names.add(str(given["id"]))
        if given.get("rel") == "alternate" and given.get("type") == "text/markdown":
            self.twins.add(str(given["href"]))


def crawl(get: Callable[[str], object], start: Iterable[str]) -> tuple[dict[str, Links], list[str]]:
    """Follow every link of our own; returns the pages by address, and what led nowhere."""
    waiting, pages, dead = [(one, "") for one in start], {}, []
    wanted: set[tuple[str, str, str]] = set()
    seen: set[str] = set()
    while waiting:
        path, came_from = waiting.pop()
        if path in seen or _NOT_FOLLOWED.match(path):
            continue
        seen.add(path)
        answer = get(path)
        kind = answer.headers.get("Content-Type", "")
        if answer.status_code in (301, 302):
            waiting.append((urldefrag(urljoin(path, answer.headers["Location"]))[0], path))
            continue
        if answer.status_code not in (200, 204):
            dead.append(f"{answer.status_code} {path} from {came_from}")
            continue
        if not kind.startswith("text/html"):
            continue
        page = pages[path] = Links(answer.content.decode())
        for link in page.found:
            address, name = urldefrag(urljoin(path, link))
            parts = urlsplit(address)
            if parts.netloc or parts.scheme:
                continue
            if name and not address.startswith("/static/"):
                wanted.add((address, unquote(name), path))
            waiting.append((address, path))
    for address, name, path in sorted(wanted):
        if address in pages and name not in pages[address].names:
            dead.append(f"no #{name} in {address} from {path}")
    return pages, dead


def test_a_stranger_finds_no_dead_link(client: Client) -> None:
    pages, dead = crawl(client.get, ["/"])
    assert not dead
    assert {page.address({}) for page in table.public()} <= set(pages)
    assert len([path for path in pages if path.startswith("/developers/errors/")]) > 50


def test_somebody_signed_in_finds_no_dead_link() -> None:
    account = make_owned("Alice")
    made = world.furnish(account)
    browser = signed_in(account)
    pages, dead = crawl(
        lambda path: browser.get(path, headers={"HX-Request": "true"} if "seen=" in path else None), ["/app"]
    )
    assert not dead
    wanted = {page.address(made) for page in table.DASHBOARD if page.who == "owner" and page.post is None}
    # A search, a form's choice, what a stranger brings along, what lies behind Stripe, what was received.
    alone = re.compile(r"[?=]|/none|/join/|/billing/|" + str(made["inbound"]))
    missed = {path for path in wanted - set(pages) if not alone.search(path)}
    assert not missed


def names(text: str) -> set[str]:
    """Return the names that the headings of a Markdown text have."""
    return {anchor(re.sub(r"[`*\[\]]", "", one)) for one in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}


def test_every_page_of_the_documentation_has_a_twin_in_markdown_without_dead_links(
    client: Client,
) -> None:
    pages, _ = crawl(client.get, ["/"])
    documents = [path for path in pages if re.match(r"/($|changelog|developers|docs)", path)]
    assert len(documents) > 60
    twins = {path: pages[path].twins for path in documents}
    assert {path for path, found in twins.items() if len(found) != 1} == set()
    texts: dict[str, str] = {}
    for path in {next(iter(found)) for found in twins.values()}:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8", path
        texts[path] = answer.content.decode()
        assert texts[path].startswith("# "), path
    answers: dict[str, int] = {}
    dead = []
    for path, text in texts.items():
        for link in _MARKDOWN_LINK.findall(_FENCE.sub("", text)):
            address, name = urldefrag(urljoin(path, link))
            if urlsplit(address).netloc or _NOT_FOLLOWED.match(address):
                continue
            if address not in answers:
                answers[address] = client.get(address).status_code
            if answers[address] not in (200, 302):
                dead.append(f"{link} in {path}")
            elif name and address in texts and name not in names(texts[address]):
                dead.append(f"{link} in {path}: nothing has this name")
    assert not dead
