"""Request bodies as the server hands them over: measured when they have no length, read when nobody did.

**Chunks.** Several HTTP clients write JSON in chunks, without a length. WSGI tells an application where a
body ends by its length only, and Django takes one without for empty.

**Unread bodies.** A request may be refused before its body is read (401, 403, 413, 429). The server then
closes a connection on which more than a little is left, without saying so: a client that still sends may
lose the answer, and one that keeps its connection finds it dead at the next request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import Any

from core import memory

#: as much as the largest JSON body that any address reads
LARGEST = 8 * 1024 * 1024
#: of a larger one nothing is kept: this length is told, and every address says that it is too large
TOO_LARGE = 2**40
#: bytes of a form on a page, and of everything in it
FORM = 1024 * 1024
#: the largest file that WhatsApp takes, and what a multipart body adds to it
FILE = 100 * 1024 * 1024 + 64 * 1024
#: what an address takes, files too, is known before anything of a body is read; elsewhere LARGEST. The views
#: have limits of their own, in their own words; none is above these.
_PAGES = re.compile(r"/(app|accounts|admin|billing/return)(/|$)")
_MOST = {"/media": FILE, "/v1/whatsapp/templates/examples": FILE, "/app/compose/many": LARGEST}
#: bytes of a body from which on it is worth asking whether the process can give memory back
LARGE = 1024 * 1024
#: bytes that are read of what nobody wanted, so that the answer arrives; whoever sends more may lose it
LEFT_MOST = 16 * 1024 * 1024
#: in the environment of a request whose body was read before it got a thread (core.server.worker)
WHOLE = "hermod.whole_body"
_IN_MEMORY = 256 * 1024
_AT_ONCE = 64 * 1024

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def is_page(path: str) -> bool:
    """Tell whether an address belongs to the pages, whose bodies Django would read for its CSRF check."""
    return _PAGES.match(path) is not None


def most_of(path: str, *, in_chunks: bool = False) -> int:
    """Return how many bytes an address takes at most; a large file has to come with its length."""
    most = _MOST.get(path) or (FORM if is_page(path) else LARGEST)
    return min(most, LARGEST) if in_chunks else most


class WholeBodies:
    """A WSGI application whose requests all have a Content-Length and are read before they are answered."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        if environ.get(WHOLE):
            return self.application(environ, start_response)
        if not environ.get("wsgi.input_terminated"):
            # Without the server's promise that reading ends where the body does, it might wait for ever.
            return self.application(environ, start_response)
        body = environ["wsgi.input"]
        if "HTTP_TRANSFER_ENCODING" in environ and not environ.get("CONTENT_LENGTH"):
            _measure(environ)
        answer = self.application(environ, start_response)
        _read_the_rest(body)  # nothing of the answer has been sent yet
        if _length(environ) > LARGE:
            memory.give_back()
        return answer


def _length(environ: dict[str, Any]) -> int:
    announced = environ.get("CONTENT_LENGTH") or "0"
    return int(announced) if announced.isascii() and announced.isdigit() else 0


def _measure(environ: dict[str, Any]) -> None:
    body = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115  (closed with the request that holds it)
    length, most = 0, most_of(environ.get("PATH_INFO", ""), in_chunks=True)
    while piece := environ["wsgi.input"].read(_AT_ONCE):
        length += len(piece)
        if length > most:
            length = TOO_LARGE
            break
        body.write(piece)
    body.seek(0)
    environ["wsgi.input"] = body
    environ["CONTENT_LENGTH"] = str(length)


def _read_the_rest(body: Any) -> None:
    left = LEFT_MOST
    while left > 0 and (piece := body.read(_AT_ONCE)):
        left -= len(piece)
