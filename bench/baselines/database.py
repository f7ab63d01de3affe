"""The database ceiling: pgbench with the rows that one accept must write, in one statement."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

from bench.rows import Rows
from bench.stack import Stack

CLIENTS = 16


def ceiling(stack: Stack, rows: Rows, *, seconds: int) -> float | None:
    """Return transactions a second; None when this Postgres came without pgbench."""
    program = stack.postgres_program("pgbench")
    if program is None:
        return None
    script = stack.folder / "accept.sql"
    script.write_text(rows.accept_statement() + ";\n")
    address = urlsplit(stack.env["DATABASE_URL"])
    host = parse_qs(address.query)["host"][0]
    command = [str(program), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds)]
    command += ["-f", str(script), "-h", host, "-U", address.username or "app", address.path.lstrip("/")]
    printed = stack.run(command).decode()
    found = re.search(r"tps = ([0-9.]+)", printed)
    return float(found[1]) if found else None
