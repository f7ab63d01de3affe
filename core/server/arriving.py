"""Arriving request: its head, then its body, until it is whole. Knows no sockets and no threads.

gunicorn's own parser reads the head, once all of it is there, and says where the body ends; what it refuses
is refused here in the same words.
"""

from __future__ import annotations

import re
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import (
    ChunkMissingTerminator,
    InvalidChunkSize,
    InvalidRequestLine,
    LimitRequestHeaders,
    NoMoreData,
)
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader
from gunicorn.util import unquote_to_wsgi_str

from core.http.bodies import TOO_LARGE, most_of

#: bytes of a request line and all headers; what other servers in front take is half of it
HEAD_MOST = 64 * 1024
#: bytes of a body that are kept in memory; the rest is in a file without a name
IN_MEMORY = 64 * 1024
#: a line that says how long the next chunk is, and the lines after the last one
_LINE_MOST = 1024
#: what a chunk counts besides its bytes, or a body of single bytes would cost more to read than it is long
_LINE_COST = 64
_END = b"\r\n\r\n"
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(;[^\r\n]*)?")


class Arriving:
    """A request that is being read; ``request`` is there once its head is, ``body`` once it is whole."""

    def __init__(self, cfg: Any, peer: Any, number: int) -> None:
        self._cfg, self._peer, self._number = cfg, peer, number
        self._head = bytearray()
        self.request: Any = None
        self.body: IO[bytes] = BytesIO()
        self.received = 0
        #: the body is larger than its address takes: it is answered unread, and this much is still to come
        self.unread = 0
        self.length: int | None = None  # None: in chunks
        self.rest = b""  # what came behind it
        self._chunks: _Chunks | None = None

    @property
    def begun(self) -> bool:
        """Tell whether anything has arrived."""
        return bool(self._head) or self.request is not None

    @property
    def held(self) -> int:
        """Return how much of it takes room on the disk."""
        return self.received if self.received > IN_MEMORY and not self.unread else 0

    @property
    def told(self) -> str:
        """Return the length to tell the application."""
        return str(TOO_LARGE if self._chunks and self.unread else self.received)

    @property
    def in_chunks(self) -> bool:
        """Tell whether the body comes without a length."""
        return self._chunks is not None

    def feed(self, data: bytes) -> bool:
        """Take what arrived; tells whether the request is whole. Raises gunicorn's ``ParseException``."""
        if self.request is not None:
            return self._take(data)
        line_end = self._head[-1:] + data if self._head[-1:] == b"\r" else data
        searched = max(0, len(self._head) - 3)
        self._head += data
        end = self._head.find(_END, searched)
        if end < 0 or end > HEAD_MOST:
            if len(self._head) > HEAD_MOST:
                raise LimitRequestHeaders("limit request headers size")
            if line_end.count(b"\n") != line_end.count(b"\r\n"):
                raise InvalidRequestLine("bare LF as line terminator")
            return False
        head, behind = bytes(self._head[: end + 4]), bytes(self._head[end + 4 :])
        self._begin(head)
        return self._take(behind)

    def _begin(self, head: bytes) -> None:
        try:
            self.request = Request(self._cfg, _Whole(head), self._peer, self._number)
        except (NoMoreData, StopIteration):
            raise InvalidRequestLine("an empty line in front of the request") from None
        path = self.request.path
        path = unquote_to_wsgi_str(path) if "%" in path else path
        reader = self.request.body.reader
        if isinstance(reader, ChunkedReader):
            self._chunks = _Chunks(most_of(path, in_chunks=True))
        else:
            self.length = reader.length if isinstance(reader, LengthReader) else 0
            if self.length > most_of(path):
                self.unread, self.received = self.length, self.length

    def _take(self, data: bytes) -> bool:
        if self.unread and not self._chunks:  # nothing of it is read
            self.rest = data
            return True
        if self._chunks is not None:
            return self._take_chunks(data)
        assert self.length is not None
        missing = self.length - self.received
        if len(data) >= missing:
            if not self.received:
                self.body = BytesIO(data[:missing])
            else:
                self.body.write(data[:missing])
                self.body.seek(0)
            self.received = self.length
            self.rest = data[missing:]
            return True
        if data:
            self._keep(data)
        return False

    def _keep(self, data: bytes) -> None:
        if not self.received:
            self.body = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  (closed with the request)
        self.body.write(data)
        self.received += len(data)

    def _take_chunks(self, data: bytes) -> bool:
        assert self._chunks is not None
        decoded = self._chunks.decode(data)
        if decoded:
            self._keep(decoded)
        if self._chunks.too_many:
            self.body, self.received, self.unread = BytesIO(), 0, TOO_LARGE
            return True
        if self._chunks.ended:
            self.body.seek(0)
            self.rest = self._chunks.rest
        return self._chunks.ended


class _Whole(Unreader):
    """Gives gunicorn's parser a head that is all there."""

    def __init__(self, head: bytes) -> None:
        super().__init__()
        self._head = head

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the head, then nothing more."""
        head, self._head = self._head, b""
        return head


class _Chunks:
    """Reads a body that comes in chunks, however it is cut, as strictly as gunicorn does."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._buffer = b""
        self._inside = 0  # bytes of the present chunk that are to come
        self._behind = False  # the line end after a chunk's bytes is to come
        self._trailers = False
        self.ended = self.too_many = False
        self.rest = b""

    def decode(self, data: bytes) -> bytes:
        """Take bytes from the wire, return those of the body."""
        found: list[bytes] = []
        buffer, at = self._buffer + data, 0
        while at < len(buffer) and not (self.ended or self.too_many):
            if self._inside:
                piece = buffer[at : at + self._inside]
                at += len(piece)
                self._inside -= len(piece)
                self._cost(len(piece))
                found.append(piece)
                self._behind = not self._inside
                continue
            if self._behind:
                if len(buffer) - at < 2:
                    break
                if buffer[at : at + 2] != b"\r\n":
                    raise ChunkMissingTerminator(buffer[at : at + 2])
                at, self._behind = at + 2, False
                continue
            end = buffer.find(b"\r\n", at, at + _LINE_MOST)
            if end < 0:
                if len(buffer) - at > _LINE_MOST:
                    raise InvalidChunkSize(b"line over %d bytes with no terminator" % _LINE_MOST)
                break
            self._line(buffer[at:end])
            at = end + 2
        self._buffer = buffer[at:]
        if self.ended:
            self.rest = self._buffer
        return b"".join(found)

    def _line(self, line: bytes) -> None:
        self._cost(len(line) + _LINE_COST)
        if self._trailers:
            self.ended = not line
            return
        size = _CHUNK.fullmatch(line)
        if not size:
            raise InvalidChunkSize(line[:20])
        self._inside = int(size[1], 16)
        self._trailers = not self._inside

    def _cost(self, much: int) -> None:
        self._left -= much
        self.too_many = self._left < 0
