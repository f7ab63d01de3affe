"""Bodies that the server beneath Django would lose, or lose the connection over.

Without a ``Content-Length`` (several clients send JSON in chunks, .NET's by default) Django takes a body for
empty: it is read whole before. And a long body that was refused unread makes gunicorn close a connection
that it has just promised to keep, so that the client's next request is lost: its rest is read after.
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
#: gunicorn itself reads so much of what was left
SHORT = 64 * 1024
_PART = 64 * 1024
#: a length above every limit: whoever reads the request refuses it in the words of its API
TOO_LONG = str(2**40)


class WholeBodies:
    """A WSGI application that gives another one requests with a length and leaves none half read."""

    def __init__(self, application: App) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        length = environ.get("CONTENT_LENGTH") or ""
        if not length and environ.get("HTTP_TRANSFER_ENCODING"):
            return self._chunked(environ, start_response)
        # Compared as text first: nearly every body is short, and nobody's digits make us count for long.
        if (
            4 < len(length) < 8
            and length.isascii()
            and length.isdigit()
            and SHORT < int(length) <= MOST_BYTES
        ):
            body = environ["wsgi.input"] = _Counted(environ["wsgi.input"])
            answer = self._application(environ, start_response)
            body.read_rest(int(length))
            return answer
        return self._application(environ, start_response)

    def _chunked(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            environ["CONTENT_LENGTH"] = _fill(body, environ["wsgi.input"])
            environ["wsgi.input"] = body
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


class _Counted:
    """A body that knows how much of it was read."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._taken = 0

    def read(self, size: int = -1) -> bytes:
        return self._note(self._source.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._note(self._source.readline(size))

    def _note(self, part: bytes) -> bytes:
        self._taken += len(part)
        return part

    def read_rest(self, length: int) -> None:
        """Read on to the end of a body of ``length`` bytes."""
        while self._taken < length and self.read(min(_PART, length - self._taken)):
            pass
