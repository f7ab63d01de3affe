"""Files to send: checked against Meta's types and sizes, then uploaded to Meta; nothing is kept here."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import IO

from accounts.models import Number
from core.errors import Refusal, invalid
from messaging.compose import filetypes
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
    filetypes.DOC: 100 * _MB,
    filetypes.XLS: 100 * _MB,
    filetypes.PPT: 100 * _MB,
    filetypes.DOCX: 100 * _MB,
    filetypes.XLSX: 100 * _MB,
    filetypes.PPTX: 100 * _MB,
}
LARGEST = max(LIMITS.values())


@dataclass(frozen=True, slots=True)
class Uploaded:
    """A file as Meta holds it, for 30 days."""

    id: str
    mime_type: str
    size: int


def upload(number: Number | None, *, file: IO[bytes], name: str, mime_type: str, size: int) -> Uploaded:
    """Hand a file to Meta and return its media id; without a number only check it, and make an id up.

    ``mime_type`` is what the client calls it; what the bytes say decides, and the file's name follows.
    Raises ``Invalid`` for a type or size that Meta does not take, or when Meta refuses the file;
    ``Refusal`` (``upstream_unavailable``) when Meta cannot be reached.
    """
    if not size:
        raise invalid("file", "The file is empty.")
    mime_type = filetypes.checked(file, name=name, called=mime_type, taken=LIMITS)
    limit = LIMITS[mime_type]
    if size > limit:
        raise invalid("file", f"WhatsApp takes at most {limit // 1024} kB of {mime_type}.")
    if number is None:
        return Uploaded(str(10**15 + secrets.randbelow(9 * 10**15)), mime_type, size)
    safe_name = filetypes.named(name, mime_type)
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
