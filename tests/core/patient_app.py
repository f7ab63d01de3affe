"""The product, and beside it what tries a server: answers that are long, slow, or show what came."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from config.wsgi import application as product

LONG = 64 * 1024 * 1024
WHOLE = 1024 * 1024
_closed: list[str] = []
_slow: list[str] = []


class _Long:
    """Pieces that notice when they are closed."""

    def __iter__(self) -> Iterator[bytes]:
        return (b"x" * 65_536 for _ in range(LONG // 65_536))

    def close(self) -> None:
        """Remember it."""
        _closed.append("long")


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request."""
    path = environ["PATH_INFO"]
    if path == "/long":
        start_response("200 OK", [("Content-Type", "text/csv")])
        return _Long()
    if path == "/whole":
        start_response("200 OK", [("Content-Length", str(WHOLE))])
        return [b"x" * WHOLE]
    if path == "/slow":
        _slow.append(path)
        time.sleep(1)
    elif path not in ("/closed", "/echo"):
        return product(environ, start_response)
    said = {
        "body": environ["wsgi.input"].read().decode(),
        "closed": len(_closed),
        "slow": len(_slow),
        "scheme": environ["wsgi.url_scheme"],
        "script": environ["SCRIPT_NAME"],
        "path": path,
    }
    answer = json.dumps(said).encode()
    start_response("200 OK", [("Content-Length", str(len(answer)))])
    return [answer]
