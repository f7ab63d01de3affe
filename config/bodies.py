"""Bodies without a ``Content-Length``: read whole before Django sees them, which would take them for empty.

Several clients send JSON in chunks (``Transfer-Encoding: chunked``), .NET's by default.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from typing import Any

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

#: the largest body of JSON that any address takes; an upload beyond it has to say its length
MOST_BYTES = 8 * 1024 * 1024
#: kept in memory up to here, in a file beyond
IN_MEMORY = 256 * 1024
_PART = 64 * 1024
#: a length above every limit: whoever reads the request refuses it in the words of its API
TOO_LONG = str(2**40)


class WholeBodies:
    """A WSGI application that gives another one requests with a length."""

    def __init__(self, application: App) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ.get("HTTP_TRANSFER_ENCODING") and not environ.get("CONTENT_LENGTH"):
            with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as body:
                environ["CONTENT_LENGTH"] = _fill(body, environ["wsgi.input"])
                environ["wsgi.input"] = body
                return self._application(environ, start_response)
        return self._application(environ, start_response)


def _fill(body: Any, source: Any) -> str:
    """Copy what arrives and return its length, or ``TOO_LONG``."""
    length = 0
    while part := source.read(_PART):
        length += len(part)
        if length > MOST_BYTES:
            return TOO_LONG
        body.write(part)
    body.seek(0)
    return str(length)
