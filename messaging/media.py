"""Files to send: checked against Meta's types and sizes, then uploaded to Meta; nothing is kept here."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import IO

from accounts.models import Connection
from core.errors import Refusal, invalid
from messaging.compose import filetypes
from messaging.compose.filetypes import OFFICE
from messaging.meta.graph import GraphError, GraphUnreachable
from messaging.numbers.verification import graph_for

_MB = 1024 * 1024
#: contract 3.2: what Meta takes, and how much of it
LIMITS = {
    "image/jpeg": 5 * _MB,
    "image/png": 5 * _MB,
    "video/mp4": 16 * _MB,
    "video/3gpp": 16 * _MB,
    "audio/aac": 16 * _MB,
    "audio/amr": 16 * _MB,
    "audio/mpeg": 16 * _MB,
    "audio/mp4": 16 * _MB,
    "audio/ogg": 16 * _MB,
    "image/webp": 500 * 1024,
    "text/plain": 100 * _MB,
    "application/pdf": 100 * _MB,
    "application/msword": 100 * _MB,
    "application/vnd.ms-excel": 100 * _MB,
    "application/vnd.ms-powerpoint": 100 * _MB,
    f"{OFFICE}.wordprocessingml.document": 100 * _MB,
    f"{OFFICE}.spreadsheetml.sheet": 100 * _MB,
    f"{OFFICE}.presentationml.presentation": 100 * _MB,
}
LARGEST = max(LIMITS.values())
#: what clients call a file of which they know nothing
_SAYS_NOTHING = ("", "application/octet-stream", "binary/octet-stream")


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file as Meta holds it, for 30 days."""

    id: str
    mime_type: str
    size: int


def _type_of(file: IO[bytes], name: str, called: str) -> str:
    """Return the type to give to Meta. Raises ``Invalid`` when it is none of ``LIMITS``."""
    head = file.read(filetypes.HEAD)
    file.seek(0)
    found = filetypes.detected(head, name)
    if called in LIMITS:
        if found == called or not {found, called} & filetypes.CERTAIN:
            return called
        really = f"; it looks like {found}" if found else ""
        raise invalid("file", f"The file is called {called}, but its content is not{really}.")
    # Clients that do not know a type say nothing, octet-stream or a name of their own (image/jpg).
    if found in LIMITS:
        return found
    if found is None and called in _SAYS_NOTHING:
        raise invalid(
            "file", "The type of the file is unknown. Name it: Content-Type of the part named file."
        )
    raise invalid("file", f"WhatsApp does not take files of type {(found or called)[:80]}.")


def upload(number: Connection | None, *, file: IO[bytes], name: str, mime_type: str, size: int) -> Uploaded:
    """Hand a file to Meta and return its media id; without a number only check it, and make an id up.

    ``mime_type`` is what the client calls it; a name that says nothing is replaced by what the file is.
    Raises ``Invalid`` for a type or size that Meta does not take, or when Meta refuses the file;
    ``Refusal`` (``upstream_unavailable``) when Meta cannot be reached.
    """
    if not size:
        raise invalid("file", "The file is empty.")
    mime_type = _type_of(file, name, mime_type)
    limit = LIMITS[mime_type]
    if size > limit:
        raise invalid("file", f"WhatsApp takes at most {limit // 1024} kB of {mime_type}.")
    if number is None:
        return Uploaded(str(10**15 + secrets.randbelow(9 * 10**15)), mime_type, size)
    safe_name = re.sub(r"[^A-Za-z0-9._ -]", "_", name)[-120:] or "file"
    try:
        with graph_for(number) as graph:
            media_id = graph.upload_media(
                number.phone_number_id, name=safe_name, mime_type=mime_type, file=file
            )
    except GraphError as error:
        raise invalid("file", error.meta.tells) from None
    except GraphUnreachable as error:
        raise Refusal(
            "upstream_unavailable", f"WhatsApp could not take the file: {error.reason}.", retry_after=5
        ) from None
    return Uploaded(media_id, mime_type, size)
