"""The one list of settings, in docs/running.md, has every variable that is read, and its default."""

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
#: read by shell scripts
SHELL = {"CHROMIUM_PATH", "PYTHON"}


def read_by_the_product() -> set[str]:
    """Return the names in ``env.str("X")``, ``os.environ.get("X")`` and ``os.environ["X"]``."""
    found: set[str] = set()
    for app in ("core", "accounts", "billing", "webhooks", "messaging", "developers", "config", "devstack"):
        for path in (ROOT / app).rglob("*.py"):
            found |= set(
                re.findall(
                    r'\b(?:env(?:\.\w+)?|os\.environ(?:\.get)?)[(\[]\s*"([A-Z_0-9]{4,})"', path.read_text()
                )
            )
    return found - NOT_OURS


def listed() -> dict[str, str]:
    """Return names and defaults of the list; a row of several has a default for each or one for all."""
    page = (ROOT / "docs" / "running.md").read_text()
    table = page[page.index("## Environment") : page.index("## Commands")]
    found: dict[str, str] = {}
    for row in (line.split("|") for line in table.splitlines() if line.startswith("| `")):
        names = re.findall(r"`([A-Z_0-9]+)`", row[1])
        defaults = row[2].split(",") if row[2].count(",") == len(names) - 1 else [row[2]] * len(names)
        found |= {name: default.strip().strip("`") for name, default in zip(names, defaults, strict=True)}
    return found


def test_the_list_of_settings_has_what_is_read_and_nothing_else():
    assert set(listed()) == read_by_the_product() | SHELL


def test_the_list_shows_the_defaults():
    """A number or a switch in it is what counts without the variable."""
    text = Path(settings.__file__).read_text()
    defaults = dict(re.findall(r'env\.(?:int|float|bool)\(\s*"([A-Z_]+)", default=([\w.]+)\s*\)', text))
    as_number = {"True": "1", "False": "0"}
    shown = {name: value.partition(" ")[0] for name, value in listed().items() if name in defaults}
    assert len(shown) > 20
    wrong = {
        name: (value, defaults[name])
        for name, value in shown.items()
        if float(as_number.get(defaults[name], defaults[name].replace("_", ""))) != float(value)
    }
    assert wrong == {}


def test_the_example_is_a_part_of_the_list_and_has_what_a_server_needs():
    example = re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(example) <= set(listed())
    assert {name for name, default in listed().items() if default.startswith("required")} <= set(example)
    assert not set(example) & (TESTS_ONLY | COMMANDS_ONLY | SHELL)
