"""What kind of file somebody really sends: by its first bytes, not by what the client calls it."""

from __future__ import annotations

import re

#: bytes that are enough to tell; a PDF may begin with something else for a while
HEAD = 1_024

OFFICE = "application/vnd.openxmlformats-officedocument"
_MARKS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (kind, re.compile(mark, re.DOTALL))
    for kind, mark in (
        ("image/jpeg", rb"\xff\xd8\xff"),
        ("image/png", rb"\x89PNG\r\n\x1a\n"),
        ("image/webp", rb"RIFF....WEBP"),
        ("image/gif", rb"GIF8[79]a"),
        ("image/heic", rb"....ftyp(heic|heix|hevc|mif1|msf1)"),
        ("application/pdf", rb".{0,1000}?%PDF-"),
        ("video/3gpp", rb"....ftyp3g"),
        ("audio/mp4", rb"....ftypM4[AB] "),
        ("video/mp4", rb"....ftyp"),
        ("audio/ogg", rb"OggS"),
        ("audio/amr", rb"#!AMR"),
        ("audio/mpeg", rb"ID3"),
        ("audio/aac", rb"\xff[\xf0\xf1\xf8\xf9]"),
        ("audio/mpeg", rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"),
    )
)
#: containers of several kinds: the file's name says which
_BY_NAME = {
    b"PK\x03\x04": {
        ".docx": f"{OFFICE}.wordprocessingml.document",
        ".xlsx": f"{OFFICE}.spreadsheetml.sheet",
        ".pptx": f"{OFFICE}.presentationml.presentation",
    },
    b"\xd0\xcf\x11\xe0": {
        ".doc": "application/msword",
        ".xls": "application/vnd.ms-excel",
        ".ppt": "application/vnd.ms-powerpoint",
    },
}
#: a file of such a kind always begins with its mark, whoever wrote it
CERTAIN = frozenset({"image/jpeg", "image/png", "image/webp", "application/pdf"})


def detected(head: bytes, name: str) -> str | None:
    """Return the media type of a file that begins with ``head`` and is called ``name``; None: unknown."""
    for kind, mark in _MARKS:
        if mark.match(head):
            return kind
    ending = "." + name.rpartition(".")[2].lower()
    for start, kinds in _BY_NAME.items():
        if head.startswith(start):
            return kinds.get(ending)
    return "text/plain" if ending == ".txt" and b"\0" not in head else None
