"""One Redis address in the three spellings its users want, and the embedded servers' addresses."""

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


def data_dir_urls(data_dir: Path) -> dict[str, str]:
    """Addresses that a running `make run` left in ``DATA_DIR/services.env``; empty when there are none.

    They let an operator type ``python manage.py …`` beside it without setting anything.
    """
    try:
        lines = (data_dir / "services.env").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}
