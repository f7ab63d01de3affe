"""The guides under /developers: text, pages, Markdown twins; the changelog; /llms.txt."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from html import escape

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.models import User
from accounts.plans import LIMITS
from accounts.viewer import Viewer, viewer_of
from core.http.plain_views import markdown, not_found, only_read
from developers.events import in_short
from developers.markdown import Follow, Section, anchors, page_of, relinked
from developers.pages import plans
from developers.samples import expand
from messaging.models import Template
from messaging.reports.meanings import OURS

#: what the samples name; a reader who is signed in sees their own in the place of each
EXAMPLE_NUMBER_ID = "106540352242922"
EXAMPLE_WABA_ID = "102290129340398"
EXAMPLE_PHONE = "+15550783881"
EXAMPLE_KEY = "HERMOD_KEY=sk_live_a1b2c3…"
EXAMPLE_AGENT = "0197a3c0-5b1e-7cc2-9d41-0d6a2c5e7f10"

_TEMPLATES = ("guide.md", "guides/v1.md", "guides/testing.md", "guides/moving.md", "guides/running.md")
#: begins a page: ``# Title {#slug}``
_TITLE = re.compile(r"^# (.+?) \{#([a-z0-9-]+)\}\n", re.MULTILINE)
#: where each page stands in the list beside the text; a page that is not named stands in the second shelf
_SHELVES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Start", ("", "quickstart", "keys", "testing", "moving")),
    ("Build", ("sending", "templates", "kinds", "bulk", "scheduling", "following")),
    ("Run", ("running", "reliability", "performance")),
)


@dataclass(slots=True)
class Guide:
    """One page: its address' last part, its title, what it is about in a sentence, and its Markdown."""

    slug: str
    title: str
    summary: str
    text: str
    sections: list[Section] = field(default_factory=list)
    #: the text with links that lead somewhere from the page's own Markdown twin
    twin: str = ""

    @property
    def href(self) -> str:
        """Return where it is."""
        return f"/developers/{self.slug}" if self.slug else "/developers"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Pages that belong together."""

    title: str
    guides: list[Guide]


@dataclass(frozen=True, slots=True)
class Library:
    """All of it: the pages by slug, in reading order, and the whole as one Markdown text."""

    guides: dict[str, Guide]
    shelves: list[Shelf]
    whole: str


def _drawn(public_url: str, bulk_most: int, send_at: str) -> list[str]:
    context = {
        "public_url": public_url,
        "plans": plans(),
        "ours": OURS.values(),
        "bulk_most": f"{bulk_most:,}",
        "send_at": send_at,
    }
    return [
        expand(render_to_string(f"developers/{name}", context), public_url).strip() for name in _TEMPLATES
    ]


def _guides(texts: list[str]) -> dict[str, Guide]:
    """Cut the texts at their titles; what stands before the first is the overview."""
    found: dict[str, Guide] = {}
    for text in texts:
        before, *rest = _TITLE.split(text)
        if before.strip():
            found[""] = Guide("", "Overview", "", before.strip())
        for title, slug, body in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            summary = body.strip().partition("\n")[0]
            found[slug] = Guide(slug, title, summary, f"# {title}\n\n{body.strip()}")
    return found


def _papers() -> dict[str, Guide]:
    """Read what stands in docs/ for people who run Hermod or change it."""
    found: dict[str, Guide] = {}
    for path in sorted((settings.BASE_DIR / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8").strip()
        title = text.partition("\n")[0].removeprefix("# ").partition(":")[0]
        found.setdefault(path.stem, Guide(path.stem, title, "", text))
    return found


def _shelved(guides: dict[str, Guide], papers: dict[str, Guide]) -> list[Shelf]:
    named = {slug for _, slugs in _SHELVES for slug in slugs}
    shelves = []
    for index, (title, slugs) in enumerate(_SHELVES):
        more = [slug for slug in guides if slug not in named] if index == 1 else []
        if index == len(_SHELVES) - 1:
            more = [slug for slug in papers if slug not in named]
        every = guides | papers
        shelves.append(Shelf(title, [every[slug] for slug in (*slugs, *more) if slug in every]))
    return shelves


def library(public_url: str, bulk_most: int) -> Library:
    """Return every page, drawn once a month for a server's address and limit."""
    return _library_with(public_url, bulk_most, _example_moment())


def _example_moment() -> str:
    """Return the first of the month after next, which may be scheduled for as long as this month lasts.

    A reader copies the example, and a date that is written down would be past one day.
    """
    first = timezone.now().replace(day=1)
    for _ in range(2):
        first = (first + timedelta(days=31)).replace(day=1)
    return f"{datetime(first.year, first.month, 1, 9, tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(maxsize=8)
def _library_with(public_url: str, bulk_most: int, send_at: str) -> Library:
    texts = _drawn(public_url, bulk_most, send_at)
    guides = _guides(texts)
    papers = {f"docs-{slug}" if slug in guides else slug: one for slug, one in _papers().items()}
    for slug, one in papers.items():
        one.slug = slug
    homes = {name: one.slug for one in reversed(guides.values()) for name in anchors(one.text)}
    homes |= {slug: slug for slug in guides if slug and slug not in homes}
    for one in (guides | papers).values():
        follow = partial(_follow, on=one, homes=homes, papers=papers)
        one.sections = page_of(one.text, follow)
        one.twin = relinked(one.text, partial(_as_twin, follow=follow, pages=guides | papers))
    whole = "\n\n".join(one.text for one in guides.values())
    return Library(guides | papers, _shelved(guides, papers), whole)


def _follow(href: str, on: Guide, homes: dict[str, str], papers: dict[str, Guide]) -> str | None:
    """Lead a link of the text to where the thing stands on the site."""
    if href.startswith("#"):
        home = homes.get(href[1:], on.slug)
        if on.slug in papers or home == on.slug:
            return href
        return f"/developers/{home}{href if href[1:] != home else ''}" if home else f"/developers{href}"
    if href.startswith(("/", "https://", "http://", "mailto:")):
        return href
    path, sign, name = href.partition("#")
    stem = path.rpartition("/")[2].removesuffix(".md")
    if path.endswith(".md") and stem in papers:
        return f"/developers/{stem}{sign}{name}"
    if stem == "CHANGELOG":
        return "/changelog"
    return None  # a file of the source tree, which the site does not serve


def _as_twin(href: str, follow: Follow, pages: dict[str, Guide]) -> str | None:
    """Lead from Markdown to Markdown where a page of ours has a twin."""
    to = follow(href)
    path, sign, name = (to or "").partition("#")
    slug = path.removeprefix("/developers").removeprefix("/")
    if path.startswith("/developers") and slug in pages:
        return f"{path}.md{sign}{name}"
    return to


def _library() -> Library:
    return library(settings.PUBLIC_URL, settings.MAX_BULK_MESSAGES)


def _viewer(request: HttpRequest) -> Viewer | None:
    user = request.user
    return viewer_of(user, request.session.get("account")) if isinstance(user, User) else None


def _templates(viewer: Viewer | None) -> list[Template]:
    """Return some templates that the reader may send."""
    if viewer is None:
        return []
    rows = Template.objects.filter(account=viewer.account_id, status="APPROVED")
    return list(rows.order_by("name", "language")[:5])


def _own(html: str, viewer: Viewer | None) -> str:
    """Put the reader's own values in the place of the examples'."""
    if viewer is None:
        return html
    key = next((mask for _, mask in viewer.keys if mask.startswith("sk_live_")), "")
    for example, own in (
        (EXAMPLE_NUMBER_ID, viewer.phone_number_id),
        (EXAMPLE_WABA_ID, viewer.waba_id),
        (EXAMPLE_PHONE, viewer.phone),
        (EXAMPLE_AGENT, viewer.agent_id),
        (EXAMPLE_KEY, f"HERMOD_KEY={key}" if key else ""),
    ):
        html = html.replace(example, escape(own)) if own else html
    return html


def _show(request: HttpRequest, slug: str) -> HttpResponse:
    books = _library()
    one = books.guides.get(slug)
    if one is None:
        return not_found(request)
    order = [guide for shelf in books.shelves for guide in shelf.guides]
    place = order.index(one)
    viewer = _viewer(request)
    response = render(
        request,
        "developers/guide.html",
        {
            "guide": one,
            "title": "Hermod for developers" if not slug else one.title,
            "public_url": settings.PUBLIC_URL,
            "twin": f"{one.href}.md",
            "sections": [
                Section(section.title, section.anchor, [_own(html, viewer) for html in section.html])
                for section in one.sections
            ],
            "shelves": books.shelves,
            "before": order[place - 1] if place else None,
            "after": order[place + 1] if place + 1 < len(order) else None,
            "viewer": viewer,
            "templates": _templates(viewer),
        },
    )
    response["Cache-Control"] = "private, no-store" if viewer else "no-cache"
    return response


@only_read
def developers(request: HttpRequest) -> HttpResponse:
    """Show the way in."""
    return _show(request, "")


@only_read
def developers_markdown(request: HttpRequest) -> HttpResponse:
    """Give all guides as one Markdown text."""
    return markdown(_library().whole)


@only_read
def guide(request: HttpRequest, slug: str) -> HttpResponse:
    """Show one guide, or its Markdown when the address ends with ``.md``."""
    if not slug.endswith(".md"):
        return _show(request, slug)
    one = _library().guides.get(slug.removesuffix(".md"))
    return markdown(one.twin) if one and one.slug else not_found(request)


@lru_cache(maxsize=1)
def _changelog() -> tuple[str, list[Section]]:
    text = (settings.BASE_DIR / "CHANGELOG.md").read_text(encoding="utf-8").strip()
    return text, page_of(text, lambda href: href if "://" in href or href.startswith("/") else None)


@only_read
def changelog(request: HttpRequest) -> HttpResponse:
    """Show what changed."""
    context = {"sections": _changelog()[1], "twin": "/changelog.md"}
    return render(request, "developers/changelog.html", context)


@only_read
def changelog_markdown(request: HttpRequest) -> HttpResponse:
    """Give the changelog as it is written."""
    return markdown(_changelog()[0])


@only_read
def llms(request: HttpRequest) -> HttpResponse:
    """Tell a coding agent what it needs."""
    guides = [one for one in _library().guides.values() if one.summary]
    context = {
        "public_url": settings.PUBLIC_URL,
        "plans": LIMITS.items(),
        "guides": guides,
        "events": in_short(),
    }
    text = render_to_string("llms.txt", context)
    return HttpResponse(text, content_type="text/plain; charset=utf-8")
