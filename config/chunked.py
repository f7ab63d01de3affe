"""Bodies that come in chunks, without a length: measured before Django, which takes them for empty.

Several HTTP clients write JSON that way by themselves. WSGI tells an application where a body ends by its
length only, so the chunks are put together here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import Any

#: bytes; as much as the largest JSON body that any address reads (a file has its length with it)
LARGEST = 8 * 1024 * 1024
#: of a larger one nothing is kept: this length is told, and every address says that it is too large
TOO_LARGE = 2**40
_IN_MEMORY = 256 * 1024
_AT_ONCE = 64 * 1024

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Measured:
    """A WSGI application whose requests all have a Content-Length."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, after measuring its body if it came without a length."""
        chunked = "HTTP_TRANSFER_ENCODING" in environ and not environ.get("CONTENT_LENGTH")
        # The server promises that reading ends where the body does; without that it would wait for ever.
        if chunked and environ.get("wsgi.input_terminated"):
            _measure(environ)
        return self.application(environ, start_response)


def _measure(environ: dict[str, Any]) -> None:
    body = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  (closed with the request that holds it)
    length = 0
    while piece := environ["wsgi.input"].read(_AT_ONCE):
        length += len(piece)
        if length > LARGEST:
            length = TOO_LARGE
            break
        body.write(piece)
    body.seek(0)
    environ["wsgi.input"] = body
    environ["CONTENT_LENGTH"] = str(length)
