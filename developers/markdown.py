"""Markdown becomes HTML: sections with anchors, calls in tabs, tables that scroll; raw HTML stays text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

_LANGUAGES = {
    "sh": "curl",
    "shell": "Shell",
    "python": "Python",
    "js": "JavaScript",
    "json": "JSON",
    "text": "Text",
    "mermaid": "Diagram",
}
#: a fence in one of these follows the fence before it as another tab
_TABS = ("python", "js")
_FENCES = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[([^\]]+)\]\(([^()\s]+)\)")
_parser = MarkdownIt("commonmark", {"html": False}).enable("table")

#: where a link leads on the page that is drawn; None leaves the words and takes the link away
Follow = Callable[[str], str | None]


@dataclass(slots=True)
class Section:
    """A chapter: its name, its anchor and its HTML."""

    title: str
    anchor: str
    html: list[str] = field(default_factory=list)


def anchor(title: str) -> str:
    """Return a heading's name for links."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def anchors(text: str) -> set[str]:
    """Return the anchors of every heading that ``page_of`` would give one."""
    return {
        anchor(_words(block[1].content))
        for block in _blocks(_parser.parse(text))
        if block[0].type == "heading_open" and block[0].tag != "h1"
    }


def relinked(text: str, follow: Follow) -> str:
    """Return Markdown whose links lead elsewhere; what stands in fences stays as it is."""

    def lead(match: re.Match[str]) -> str:
        words, href = match.groups()
        to = follow(href)
        return words if to is None else f"[{words}]({to})"

    parts = _FENCES.split(text)
    return "".join(part if index % 2 else _LINK.sub(lead, part) for index, part in enumerate(parts))


def page_of(text: str, follow: Follow = lambda href: href) -> list[Section]:
    """Turn Markdown into sections of HTML; what stands before the first ``##`` has no title.

    The ``#`` heading is left to the page around it.
    """
    sections = [Section("", "")]
    fences: list[Token] = []
    names = 0

    def flush() -> None:
        nonlocal names
        if fences:
            names += 1
            sections[-1].html.append(_code(fences, f"sample{names}"))
            fences.clear()

    for block in _blocks(_parser.parse(text)):
        first = block[0]
        if first.type in ("fence", "code_block"):
            if not (fences and first.info.strip() in _TABS):
                flush()
            fences.append(first)
            continue
        flush()
        if first.type != "heading_open":
            _follow(block, follow)
            drawn = _table(block, sections[-1].title) if first.type == "table_open" else _draw(block)
            sections[-1].html.append(drawn)
        elif first.tag == "h2":
            title = _words(block[1].content)
            sections.append(Section(title, anchor(title)))
        elif first.tag != "h1":
            title = _words(block[1].content)
            sections[-1].html.append(f'<h3 id="{anchor(title)}">{escape(title)}</h3>')
    flush()
    return sections


def _inner_code(self: Any, tokens: list[Token], index: int, *_: Any) -> str:
    """Draw code inside of a list, which can be reached by keyboard where it scrolls."""
    code = escape(tokens[index].content.rstrip("\n"))
    return f'<pre tabindex="0" role="group" aria-label="Code"><code>{code}</code></pre>'


_parser.add_render_rule("fence", _inner_code)
_parser.add_render_rule("code_block", _inner_code)


def _draw(tokens: list[Token]) -> str:
    return str(_parser.renderer.render(tokens, _parser.options, {})).strip()


def _words(heading: str) -> str:
    """Take the marks of code, bold and brackets out of a heading."""
    return re.sub(r"[`*\[\]]", "", heading)


def _blocks(tokens: list[Token]) -> Iterator[list[Token]]:
    """Give the tokens of one top-level block at a time."""
    block: list[Token] = []
    depth = 0
    for token in tokens:
        block.append(token)
        depth += token.nesting
        if depth == 0:
            yield block
            block = []


def _follow(block: list[Token], follow: Follow) -> None:
    for token in block:
        inner: list[Token] = []
        open_links: list[bool] = []
        for child in token.children or []:
            if child.type == "link_open":
                href = follow(str(child.attrs["href"]))
                open_links.append(href is not None)
                if href is None:
                    continue
                child.attrs["href"] = href
            elif child.type == "link_close" and not open_links.pop():
                continue
            inner.append(child)
        if token.children:
            token.children = inner


def _code(fences: list[Token], name: str) -> str:
    samples = [(one.info.strip(), one.content.rstrip("\n")) for one in fences]
    if len(samples) == 1:
        language, code = samples[0]
        return f'<div class="sample">{_pre(_LANGUAGES.get(language, "Code"), code, name)}</div>'
    tabs = [
        f'<input type="radio" name="{name}" id="{name}-{language}" data-language="{language}"'
        f'{" checked" if index == 0 else ""}><label for="{name}-{language}">{_LANGUAGES[language]}</label>'
        for index, (language, _) in enumerate(samples)
    ]
    codes = [_pre(_LANGUAGES[language], code, f"{name}-{language}-code") for language, code in samples]
    return (
        f'<div class="samples" role="group" aria-label="The call in {len(samples)} languages">'
        f"{''.join(tabs)}{''.join(codes)}</div>"
    )


def _pre(label: str, code: str, name: str) -> str:
    return (
        f'<pre tabindex="0" role="group" aria-label="{label}"><code id="{name}">{escape(code)}</code></pre>'
    )


def _table(block: list[Token], title: str) -> str:
    """Draw a table whose first cell in each row is the row's heading, inside a frame that scrolls."""
    at_start = is_empty = False
    for token, inside in zip(block, [*block[1:], block[-1]], strict=True):
        if token.type == "tr_open":
            at_start = True
        elif token.type == "th_open":
            is_empty = not inside.content  # a heading without words would be read aloud as one
            token.tag, token.attrs = ("td", {}) if is_empty else ("th", {"scope": "col"})
        elif token.type == "th_close" and is_empty:
            token.tag = "td"
        elif token.type == "td_open":
            token.attrs = {"scope": "row"} if at_start else {}
            token.tag = "th" if at_start else "td"
        elif token.type == "td_close" and at_start:
            token.tag, at_start = "th", False
    label = escape(f"Table: {title}" if title else "Table")
    return f'<div class="sheet" tabindex="0" role="group" aria-label="{label}">{_draw(block)}</div>'
