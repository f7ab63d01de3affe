"""The floor plan holds: imports, SQL, folders, what each file promises first, how long a file may get.

Who may import whom is written in pyproject.toml (import-linter's contracts) and who
may open a connection beside it (ruff's).
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: the apps from the ground up; an arrow between two of them never runs upward
FLOORS = ("core", "accounts", "billing", "webhooks", "messaging", "developers", "config")
PRODUCT = (*FLOORS, "devstack")
LONGEST_FILE = 450
MOST_FILES_IN_A_FOLDER = 25

_TABLE = re.compile(rf"\b({'|'.join(FLOORS)})_[a-z]+\b")
_STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|JOIN|FROM)\b")


def product_files() -> list[Path]:
    """Return the files that are shipped."""
    files = [path for top in PRODUCT for path in sorted((ROOT / top).rglob("*.py"))]
    return [path for path in files if "migrations" not in path.parts]


def documented_files() -> list[Path]:
    """Return every file of ours that must say first what it is for."""
    others = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py"), ROOT / "manage.py"]
    return [path for path in [*product_files(), *sorted(others)] if path.name != "__init__.py"]


def lint_imports(root: Path) -> tuple[int, str]:
    """Hold the imports of a tree against the contracts in its pyproject.toml."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as run; run()",
            "--no-cache",
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_imports_follow_the_floor_plan():
    code, told = lint_imports(ROOT)
    assert code == 0, told


#: one line for each contract that breaks it
BREAKS = {
    "No arrow runs upward": ("billing/quota.py", "from webhooks.outgoing import outbox"),
    "The development stack stands on the core alone": ("devstack/launcher/demo.py", "import accounts.plans"),
    "Production never imports the development stack": (
        "developers/guide.py",
        "from devstack.meta import magic",
    ),
    "Nothing is circular": ("messaging/meta/codes.py", "from messaging.status import words"),
    "The Cloud API's client and the stand-ins know no Django": (
        "messaging/meta/client.py",
        "from core.http import wire",
    ),
    "Only billing.stripe_api imports stripe": ("billing/checkout.py", "import stripe"),
    "Nobody imports a view, a page or a task, but addresses and commands": (
        "messaging/send/worker.py",
        "from messaging.api.classic import messages",
    ),
}


def test_a_bad_import_breaks_its_contract(tmp_path):
    for top in PRODUCT:
        shutil.copytree(ROOT / top, tmp_path / top, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    for name, line in BREAKS.values():
        path = tmp_path / name
        path.write_text(f"{path.read_text()}\n{line}\n")
    code, told = lint_imports(tmp_path)
    assert code != 0
    broken = {line.removesuffix("BROKEN").strip() for line in told.splitlines() if line.endswith("BROKEN")}
    assert broken == set(BREAKS), told


def tables_above(app: str, source: str) -> Iterator[str]:
    """Name the tables of higher floors that SQL in ``source`` speaks of."""
    higher = FLOORS[FLOORS.index(app) + 1 :]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _STATEMENT.search(node.value):
            yield from (m.group() for m in _TABLE.finditer(node.value) if m.group(1) in higher)


def test_sql_reads_and_writes_no_table_of_a_higher_floor():
    above = {
        str(path.relative_to(ROOT)): found
        for path in product_files()
        if (app := path.relative_to(ROOT).parts[0]) in FLOORS
        and (found := sorted(set(tables_above(app, path.read_text()))))
    }
    assert not above, f"These statements reach upward: {above}."


@pytest.mark.parametrize(
    ("app", "statement", "tables"),
    [
        ("accounts", "SELECT 1 FROM messaging_message", ["messaging_message"]),
        ("core", "UPDATE accounts_account SET plan = 'pro'", ["accounts_account"]),
        ("webhooks", "DELETE FROM billing_quotaslot", []),
        ("messaging", "SELECT 1 FROM accounts_account JOIN webhooks_event USING (id)", []),
        ("accounts", "a word about messaging_message is no statement", []),
    ],
)
def test_it_tells_sql_that_reaches_upward(app, statement, tables):
    assert list(tables_above(app, f"_SQL = {statement!r}")) == tables


def test_no_folder_holds_more_files_than_one_can_look_over():
    folders = Counter(path.parent for path in product_files() if path.name != "__init__.py")
    crowded = {str(f.relative_to(ROOT)): n for f, n in folders.items() if n > MOST_FILES_IN_A_FOLDER}
    assert not crowded, f"These folders want folders by subject: {crowded}."


def test_every_file_begins_with_its_promise():
    silent = [
        str(path.relative_to(ROOT))
        for path in documented_files()
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent, f"These files do not say first what they are for: {', '.join(silent)}."


def test_no_file_is_too_long_to_hold_in_mind():
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in product_files()}
    long = {name: count for name, count in lines.items() if count > LONGEST_FILE}
    assert not long, f"These files have more than {LONGEST_FILE} lines; cut them by subject: {long}."


def test_fixtures_are_found_by_their_name_and_never_imported():
    """What several folders use is in tests/support/fixtures; a conftest is for its own folder."""
    borrowed = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and (node.module.endswith(".conftest") or node.module == "tests.support.fixtures")
    ]
    assert not borrowed, f"These take fixtures or helpers from where only pytest should look: {borrowed}."
