"""Applies a seeded defect to a scratch copy of the project and runs the test that must catch it there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / "bench" / "chaos" / "defects"
COPIED = (
    *("core", "accounts", "billing", "webhooks", "messaging", "developers", "config", "devstack"),
    *("templates", "static", "tests", "bench"),
)
TESTS = "tests/chaos/test_promises*.py"
_HUNK = re.compile(r"^@@ .*$", re.MULTILINE)


@dataclass(frozen=True)
class Defect:
    """One patch: what it breaks, the test that must catch it, and per file its (old, new) pieces."""

    name: str
    breaks: str
    caught_by: str
    pieces: tuple[tuple[str, str, str], ...]


def read(path: Path) -> Defect:
    """Read a patch; its header names what it breaks and who catches it."""
    text = path.read_text()
    head, _, diff = text.partition("\n--- a/")
    told = dict(line.split(": ", 1) for line in head.strip().splitlines())
    pieces: list[tuple[str, str, str]] = []
    for part in ("--- a/" + diff).split("--- a/")[1:]:
        name = part.partition("\n")[0]
        for hunk in _HUNK.split(part)[1:]:
            lines = hunk.strip("\n").split("\n")
            old = "\n".join(line[1:] for line in lines if not line.startswith("+"))
            new = "\n".join(line[1:] for line in lines if not line.startswith("-"))
            pieces.append((name, old + "\n", new + "\n"))
    return Defect(path.stem, told["breaks"], told["caught by"], tuple(pieces))


def every() -> list[Defect]:
    """Return all defects by name."""
    return [read(path) for path in sorted(FOLDER.glob("*.patch"))]


def place(test: str) -> str:
    """Say where pytest finds a promise."""
    paths = [path for path in ROOT.glob(TESTS) if f"def {test}(" in path.read_text()]
    assert len(paths) == 1, f"{test} stands in {len(paths)} files"
    return f"{paths[0].relative_to(ROOT)}::{test}"


class Copy:
    """A scratch copy of the project with a database of its own, used for one defect after the other."""

    def __init__(self, folder: Path, worker: str) -> None:
        self.folder = folder
        for name in COPIED:
            ignored = shutil.ignore_patterns("__pycache__", "*.md", "node_modules")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("pyproject.toml", "manage.py"):
            shutil.copy2(ROOT / name, folder / name)
        # Not xdist's own variables: the run below has no controller. The worker's name keeps its Redis apart.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        self._url = os.environ["DATABASE_URL"]
        base, _, query = self._url.partition("?")
        self.database = f"defects_{worker}"
        url = f"{base.rpartition('/')[0]}/{self.database}" + (f"?{query}" if query else "")
        self._env = {**kept, "DATABASE_URL": url, "PYTEST_XDIST_WORKER": worker, "PYTHONPATH": str(folder)}

    def apply(self, defect: Defect) -> None:
        """Put the defect in; raises AssertionError when the code is not what the patch expects."""
        for name, old, new in defect.pieces:
            path = self.folder / name
            text = path.read_text()
            assert text.count(old) == 1, f"{defect.name}: {name} has changed; write this defect anew:\n{old}"
            path.write_text(text.replace(old, new))
            self._forget_bytecode(path)

    def mend(self, defect: Defect) -> None:
        """Take the defect out again."""
        for name in {name for name, _, _ in defect.pieces}:
            shutil.copy2(ROOT / name, self.folder / name)
            self._forget_bytecode(self.folder / name)

    @staticmethod
    def _forget_bytecode(path: Path) -> None:
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()

    def run(self, *tests: str) -> tuple[int, str]:
        """Run tests of the copy in a process of its own; returns pytest's exit code and what it printed."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-q",
            "--tb=line",
        ]
        command += ["--reuse-db", "--timeout=60", *map(place, tests)]
        done = subprocess.run(
            command, cwd=self.folder, env=self._env, capture_output=True, text=True, timeout=200, check=False
        )
        return done.returncode, (done.stdout + done.stderr)[-3000:]

    def close(self) -> None:
        """Drop the copy's database."""
        base, _, query = self._url.partition("?")
        url = f"{base.rpartition('/')[0]}/postgres" + (f"?{query}" if query else "")
        with psycopg.connect(url, autocommit=True) as connection:
            name = sql.Identifier(f"test_{self.database}")
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def pass_in(copy: Copy, defects: Sequence[Defect]) -> None:
    """Demand that the tests that catch these defects pass without them."""
    code, told = copy.run(*sorted({defect.caught_by for defect in defects}))
    assert code == 0, told


def is_caught_in(copy: Copy, defect: Defect) -> None:
    """Demand that the test that a defect names fails because of it."""
    copy.apply(defect)
    try:
        code, told = copy.run(defect.caught_by)
    finally:
        copy.mend(defect)
    # 1: a test failed. Anything else (an import that broke, a test that is gone) catches nothing.
    assert code == 1, f"{defect.name} ({defect.breaks}) got past {defect.caught_by}:\n{told}"
    assert "1 failed" in told, told
