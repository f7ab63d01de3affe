"""A WSGI application that refuses every body unread, as the product's own entry point wraps it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from core.http.bodies import WholeBodies


def refuse(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer without a look at the body."""
    start_response("413 Content Too Large", [("Content-Length", "2")])
    return [b"no"]


application = WholeBodies(refuse)
