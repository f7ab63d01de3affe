"""What README and docs name is there: files, links and their headings, commands, targets of make."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
#: where a path in backticks may begin besides the root: a page may be about one room
ROOMS = ("", "billing/", "config/", "messaging/", "webhooks/", "accounts/", "docs/")


def anchors(page: Path) -> set[str]:
    """Return the names by which headings are linked to, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_whatever_a_document_names_is_there(page):
    text = page.read_text()
    wrong: list[str] = []
    for path, anchor in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#([^)]+))?\)", text):
        target = page.parent / path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(f"link to {path}#{anchor}")
    for path in re.findall(
        r"`(?!DATA_DIR)(\w[\w/*.-]*/[\w*.-]+\.(?:py|sql|md|sh|html|css|js|svg|txt|in|patch|json))`", text
    ):
        if not any(list(ROOT.glob(room + path)) for room in ROOMS):
            wrong.append(f"file {path}")
    commands, targets = get_commands(), (ROOT / "Makefile").read_text()
    wrong += [f"manage.py {name}" for name in re.findall(r"manage\.py (\w+)", text) if name not in commands]
    for name in re.findall(r"`make (\w+)", text):
        if f"\n{name}:" not in targets:
            wrong.append(f"make {name}")
    assert wrong == []


def definitions() -> dict[str, str]:
    """Return the text of the modules by their short names (``reading``), joined where two share one."""
    found: dict[str, str] = {}
    for room in ROOMS[1:-1]:
        for path in (ROOT / room).rglob("*.py"):
            found[path.stem] = found.get(path.stem, "") + path.read_text()
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_that_a_document_shows_is_there(page):
    """``reading.history`` in backticks or in a sample, and a class that a sample writes down."""
    modules, text = definitions(), page.read_text()
    samples = "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    named = re.findall(r"`(?!tests\.)(?:\w+\.)*?(\w+)\.(?!py`|json`)(\w+)(?:\(.*\))?`", prose)
    named += re.findall(r"(?<![\w.])(\w+)\.(\w+)\(", samples)
    missing = {
        f"{module}.{name}"
        for module, name in named
        if module in modules
        and not re.search(rf"^(def |class |async def )?{name}\b", modules[module], re.MULTILINE)
    }
    shown = re.findall(r"^ *class (\w+)\(", samples, re.MULTILINE)
    everything = "".join(modules.values())
    missing |= {name for name in shown if f"class {name}(" not in everything}
    assert missing == set()
