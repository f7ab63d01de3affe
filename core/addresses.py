"""Redis' address in the spellings its users want, and what a running `make run` left to be found."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit


def broker_url(redis_url: str) -> str:
    """Spell ``REDIS_URL`` for Celery: kombu names a unix socket ``redis+socket://…?virtual_host=N``."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"


def left_in(data_dir: Path) -> dict[str, str]:
    """Read what a running `make run` left in ``DATA_DIR``: its servers' addresses and its secrets.

    They let an operator type ``python manage.py …`` beside it without setting anything. Empty when
    there is nothing; the environment always wins.
    """
    found: dict[str, str] = {}
    for name in ("services.env", "secrets.env"):
        try:
            lines = (data_dir / name).read_text().splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line)
        found |= {key.strip(): value.strip() for key, _, value in pairs}
    return found
