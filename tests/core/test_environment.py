"""Every environment variable that the product reads is documented, and every documented one is read."""

from __future__ import annotations

import re
from pathlib import Path

from config import settings

ROOT = Path(__file__).resolve().parent.parent.parent
#: for tests alone: whoever copies .env.example to a server must not meet them
TESTS_ONLY = {"DURABILITY_NOT_NEEDED", "FAILPOINTS"}
#: belong to one command, and to no file that a server reads
COMMANDS_ONLY = {"HERMOD_ACCESS_TOKEN", "HERMOD_APP_SECRET", "HERMOD_KEY"}
#: the machine's own
NOT_OURS = {"PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONWARNINGS"}
#: read by shell scripts and the Procfile
SHELL = {"WEB_CONCURRENCY", "CHROMIUM_PATH", "PYTHON"}


def read_by_the_product() -> set[str]:
    """Return the names in ``env.str("X")``, ``os.environ.get("X")`` and ``os.environ["X"]``."""
    found: set[str] = set()
    for app in ("core", "accounts", "billing", "webhooks", "messaging", "developers", "config", "devstack"):
        for path in (ROOT / app).rglob("*.py"):
            found |= set(
                re.findall(
                    r'\b(?:env(?:\.\w+)?|os\.environ(?:\.get)?)[(\[]\s*"([A-Z_]{4,})"', path.read_text()
                )
            )
    return found - NOT_OURS


def example() -> dict[str, str]:
    """Return names and values of .env.example."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = [re.fullmatch(r"#([A-Z_]+)=(.*)", line) for line in lines]
    return {line[1]: line[2] for line in found if line}


def test_the_example_names_what_the_product_reads_and_nothing_else():
    assert set(example()) == read_by_the_product() - TESTS_ONLY - COMMANDS_ONLY


def test_the_page_for_operators_lists_them_all():
    page = (ROOT / "docs" / "running.md").read_text()
    table = page[page.index("## Environment") : page.index("## Commands")]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    assert named == read_by_the_product() | SHELL


def test_the_example_shows_the_defaults():
    """A number or a switch in it is what counts without it."""
    text = Path(settings.__file__).read_text()
    defaults = dict(re.findall(r'env\.(?:int|float|bool)\(\s*"([A-Z_]+)", default=([\w.]+)\s*\)', text))
    shown = {name: value for name, value in example().items() if value and name in defaults}
    assert len(shown) > 15
    as_number = {"True": "1", "False": "0"}
    wrong = {
        name: (value, defaults[name])
        for name, value in shown.items()
        if float(as_number.get(defaults[name], defaults[name].replace("_", ""))) != float(value)
    }
    assert wrong == {}
