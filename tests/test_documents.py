"""What README and docs name is there: files, links and their headings, commands, targets of make.

So is what the code cites: the sections and decisions of docs/contract.md, and documents."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
#: where a path in backticks may begin besides the root: a page may be about one app
FOLDERS = ("", "billing/", "config/", "messaging/", "webhooks/", "accounts/", "docs/")


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
        if not any(list(ROOT.glob(folder + path)) for folder in FOLDERS):
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
    for folder in FOLDERS[1:-1]:
        for path in (ROOT / folder).rglob("*.py"):
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
    everything = "".join(modules.values())
    missing = {
        f"{module}.{name}"
        for module, name in named
        if module in modules
        and f'"{module}.{name}"' not in everything  # the name of an event, or of a field
        and not re.search(rf"^(def |class |async def )?{name}\b", modules[module], re.MULTILINE)
    }
    shown = re.findall(r"^ *class (\w+)\(", samples, re.MULTILINE)
    missing |= {name for name in shown if f"class {name}(" not in everything}
    assert missing == set()


#: where comments stand that cite the contract or a document
CITING = (
    *("*.py", "*.sql", "*.sh", "*.c", "*.md", "*.html", "*.css", "*.js", "*.toml"),
    *("Makefile", ".env.example"),
)
#: "W22" or "J2"; of the week in an ISO date (2026-W18) it is not one
DECISION = re.compile(r"(?<!\d{4}-)\b([WJ]\d{1,2}b?)\b")
SECTION = re.compile(r"\b[Cc]ontract((?: \d\.\d+,?)+)")
DOCUMENT = re.compile(r"(?<![\w/.-])((?:\w[\w-]*/)*\w[\w-]*\.md)\b")
#: addresses of the site that only look like documents
SERVED = {"changelog.md", "developers.md", "docs.md", "index.md"}
#: papers that only their writers had, by the names under which they were cited
ELSEWHERE = re.compile(r"\bcloud-api \d|\bdesign cards?\b|\b[SE]\d{1,2}(?=[,):;] |\)|\.\"\"\")|\b\w+\.md \d")


def cited() -> list[tuple[str, str]]:
    """Return every file of the repository that may cite something, with its text."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *CITING]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):  # an archive, not a clone
        names = [str(path.relative_to(ROOT)) for kind in CITING for path in ROOT.rglob(kind)]
        listed = "\0".join(name for name in names if not name.startswith(".venv/"))
    here = str(Path(__file__).relative_to(ROOT))
    return [(name, (ROOT / name).read_text()) for name in listed.split("\0") if name and name != here]


def test_whatever_of_the_contract_is_cited_stands_in_it():
    contract = (ROOT / "docs" / "contract.md").read_text()
    decided = re.findall(r"^\| ([WJ]\d+b?) \|", contract, re.MULTILINE)
    assert len(decided) == len(set(decided)), "a decision has its tag for itself"
    tags = {*decided, *re.findall(r"^### (\d\.\d+) ", contract, re.MULTILINE)}
    wrong, found = [], 0
    for name, text in cited():
        numbers = [number for places in SECTION.findall(text) for number in re.findall(r"\d\.\d+", places)]
        for tag in (*DECISION.findall(text), *numbers):
            found += 1
            if tag not in tags:
                wrong.append(f"{name}: {tag}")
    assert wrong == []
    assert found > 300


def test_nobody_cites_a_document_that_is_not_in_the_repository():
    texts = cited()
    documents = [f"/{name}" for name, _ in texts if name.endswith(".md")]
    wrong: list[str] = []
    for name, text in texts:
        for path in DOCUMENT.findall(text):
            if path not in SERVED and not any(one.endswith(f"/{path}") for one in documents):
                wrong.append(f"{name}: {path}")
        wrong += [f"{name}: {words}" for words in ELSEWHERE.findall(text)]
    assert wrong == []
