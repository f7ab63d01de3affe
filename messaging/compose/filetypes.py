"""File types: by a file's bytes, not by what the client calls it.

A container holds several kinds, and its first bytes do not say which: an Ogg file names its codec in its
first page, an MP4 its tracks in ``moov``, an Office file its parts in the directory of its archive. Only
these places are read, however large the file is.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Collection
from typing import IO

from core.errors import invalid

OFFICE = "application/vnd.openxmlformats-officedocument"
DOCX = f"{OFFICE}.wordprocessingml.document"
XLSX = f"{OFFICE}.spreadsheetml.sheet"
PPTX = f"{OFFICE}.presentationml.presentation"
DOC, XLS, PPT = "application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"
#: what Ogg holds besides Opus; WhatsApp plays none of it
OTHER_OGG = "audio/ogg without Opus"
#: how the names of a kind's files end; the first one is given to a file that is called otherwise
ENDINGS = {
    "image/jpeg": (".jpg", ".jpeg"),
    "image/png": (".png",),
    "image/webp": (".webp",),
    "video/mp4": (".mp4", ".m4v"),
    "video/3gpp": (".3gp", ".3gpp"),
    "audio/aac": (".aac",),
    "audio/amr": (".amr",),
    "audio/mpeg": (".mp3",),
    "audio/mp4": (".m4a", ".mp4"),
    "audio/ogg": (".ogg", ".opus", ".oga"),
    "text/plain": (".txt",),
    "application/pdf": (".pdf",),
    DOC: (".doc",),
    XLS: (".xls",),
    PPT: (".ppt",),
    DOCX: (".docx",),
    XLSX: (".xlsx",),
    PPTX: (".pptx",),
}
#: what clients call a file of which they know nothing
_SAYS_NOTHING = ("", "application/octet-stream", "binary/octet-stream")

#: bytes that are enough to tell; a PDF may begin with something else for a while
_HEAD = 1_024
#: how much is read of the places that say what a container holds
_PART = 256 * 1_024
_MOVIE = 4 * 1_024 * 1_024
_ISO = rb"....ftyp"
_MARKS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (kind, re.compile(mark, re.DOTALL))
    for kind, mark in (
        ("image/jpeg", rb"\xff\xd8\xff"),
        ("image/png", rb"\x89PNG\r\n\x1a\n"),
        ("image/webp", rb"RIFF....WEBP"),
        ("image/gif", rb"GIF8[79]a"),
        ("audio/amr", rb"#!AMR"),
        # What WhatsApp takes under no name, so that the refusal can say what it is.
        ("audio/wav", rb"RIFF....WAVE"),
        ("audio/flac", rb"fLaC"),
        ("video/x-msvideo", rb"RIFF....AVI "),
        ("video/webm", rb"\x1aE\xdf\xa3"),
        ("image/tiff", rb"II\*\0|MM\0\*"),
        ("application/gzip", rb"\x1f\x8b\x08"),
        ("application/x-7z-compressed", rb"7z\xbc\xaf\x27\x1c"),
        ("application/vnd.rar", rb"Rar!\x1a\x07"),
        ("a Windows program", rb"MZ[^\0]{0,120}\0"),
        ("a Linux program", rb"\x7fELF"),
        ("application/pdf", rb".{0,1000}?%PDF-"),
        ("audio/aac", rb"\xff[\xf0\xf1\xf8\xf9]|ADIF"),
        ("audio/mpeg", rb"\0*\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"),
    )
)
_TRACK = re.compile(rb"hdlr.{8}(vide|soun)", re.DOTALL)
#: a part's name in a ZIP's local header or directory
_ZIPPED = re.compile(rb"PK(?:\x03\x04.{26}|\x01\x02.{42})(word|xl|ppt)/", re.DOTALL)
_BY_FOLDER = {b"word": DOCX, b"xl": XLSX, b"ppt": PPTX}
#: what a stream is called in the directory of an old Office file
_STREAMS = (
    ("WordDocument", (DOC,)),
    ("Workbook", (XLS,)),
    ("Book", (XLS,)),
    ("PowerPoint Document", (PPT,)),
    ("EncryptedPackage", (DOCX, XLSX, PPTX)),  # one with a password
)
_STREAM = re.compile(b"|".join(stream.encode("utf-16-le") + rb"\0\0" for stream, _ in _STREAMS))
#: the bytes that no text has (WHATWG, MIME sniffing); UTF-16 begins with its mark
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def checked(file: IO[bytes], *, name: str, called: str, taken: Collection[str]) -> str:
    """Return the type that a file is given to Meta as. Raises ``Invalid`` (``file``) with the reason.

    What the bytes say decides; ``called`` chooses where they allow several types, and is the only witness
    that something is text.
    """
    found = kinds(file)
    says_text = called == "text/plain" or (called not in ENDINGS and name.lower().endswith(".txt"))
    if not found and says_text and _is_text(file):
        found = ("text/plain",)
    if called in found and called in taken:
        return called
    if OTHER_OGG in found:
        raise invalid("file", "WhatsApp takes Ogg files with Opus audio only; this one has another codec.")
    if called in ENDINGS and called in taken:
        really = f"; it looks like {found[0]}" if found else ""
        raise invalid("file", f"The file is called {called}, but its content is not{really}.")
    # Clients that do not know a type say nothing, octet-stream or a name of their own (image/jpg).
    fitting = [kind for kind in found if kind in taken]
    for kind in fitting:
        if name.lower().endswith(ENDINGS[kind]):
            return kind
    if fitting:
        return fitting[0]
    if not found and called in _SAYS_NOTHING:
        raise invalid(
            "file", "The type of the file is unknown. Name it: Content-Type of the part named file."
        )
    but = f" here. It takes {', '.join(taken)}." if len(taken) < 6 else "."
    raise invalid("file", f"WhatsApp does not take files of type {(found[0] if found else called)[:80]}{but}")


def named(name: str, kind: str, *, longest: int = 120) -> str:
    """Return a plain file name that ends as its type's names do."""
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", name)[-longest:]
    if plain.lower().endswith(ENDINGS[kind]):
        return plain
    stem, dot, ending = plain.rpartition(".")
    known = f".{ending.lower()}" in {one for several in ENDINGS.values() for one in several}
    return ((stem if dot and known else plain) or "file")[: longest - 5] + ENDINGS[kind][0]


def kinds(file: IO[bytes]) -> tuple[str, ...]:
    """Return the media types that a file's bytes allow, the likeliest first; none: they do not say.

    Leaves the file at its beginning.
    """
    try:
        return _kinds(file, 0)
    finally:
        file.seek(0)


def _kinds(file: IO[bytes], start: int) -> tuple[str, ...]:
    head = _part(file, start, _HEAD)
    if head.startswith(b"OggS"):
        return _ogg(head)
    if re.match(_ISO, head, re.DOTALL):
        return _iso(file, head)
    if head.startswith(b"PK\x03\x04"):
        return _zip(file)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _ole(file, head)
    if head.startswith(b"ID3") and not start:
        # A tag, which MP3 and others carry in front; its length is four times seven bits.
        size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
        return _kinds(file, 10 + size) or ("audio/mpeg",)
    return next(((kind,) for kind, mark in _MARKS if mark.match(head)), ())


def _ogg(head: bytes) -> tuple[str, ...]:
    first = head[27 + head[26] :] if len(head) > 26 else b""
    return ("audio/ogg",) if first.startswith(b"OpusHead") else (OTHER_OGG,)


def _iso(file: IO[bytes], head: bytes) -> tuple[str, ...]:
    """Tell by brands and tracks; a file that hides its tracks may be either, sound or film."""
    listed = head[16 : min(int.from_bytes(head[:4]), 256)]
    brands = {head[8:12], *(listed[at : at + 4] for at in range(0, len(listed), 4))}
    if head[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"avif", b"avis"):
        return ("image/avif" if head[8:12].startswith(b"avi") else "image/heic",)
    if brands <= {b"qt  ", b"\0\0\0\0"}:
        return ("video/quicktime",)
    film = ["video/3gpp"] if any(brand.startswith(b"3g") for brand in brands) else []
    if not film or any(brand.startswith((b"iso", b"mp4", b"avc", b"M4V")) for brand in brands):
        film.append("video/mp4")
    tracks = _tracks(file)
    if b"vide" in tracks:
        return tuple(film)
    if b"soun" in tracks:
        return ("audio/mp4", *(kind for kind in film if kind == "video/3gpp"))
    return ("audio/mp4", *film) if head[8:11] in (b"M4A", b"M4B") else (*film, "audio/mp4")


def _tracks(file: IO[bytes]) -> set[bytes]:
    at = 0
    for _ in range(64):  # a film has a handful of boxes, one in pieces a few more
        box = _part(file, at, 16)
        if len(box) < 8:
            break
        size = int.from_bytes(box[:4])
        if size == 1:
            size = int.from_bytes(box[8:16])
        if box[4:8] == b"moov":
            return set(_TRACK.findall(_part(file, at, min(size or _MOVIE, _MOVIE))))
        if size < 8:
            break
        at += size
    return set()


def _zip(file: IO[bytes]) -> tuple[str, ...]:
    size = file.seek(0, 2)
    parts = _part(file, 0, _PART), _part(file, max(size - _PART, 0), _PART)
    found = {_BY_FOLDER[folder] for part in parts for folder in _ZIPPED.findall(part)}
    return tuple(sorted(found)) or ("application/zip",)


def _ole(file: IO[bytes], head: bytes) -> tuple[str, ...]:
    """Tell by the streams in the directory; a document that holds another's table has streams of both."""
    sector = 1 << min(int.from_bytes(head[30:32], "little"), 12)
    directory = (int.from_bytes(head[48:52], "little") + 1) * sector
    found = _streams(_part(file, directory, _PART))
    at, size = 0, file.seek(0, 2)
    while not found and at < size:  # a directory in pieces; what is no document is read to its end
        found = _streams(_part(file, at, _MOVIE))
        at += _MOVIE
    several = [kind for stream, kinds_of in _STREAMS if stream in found for kind in kinds_of]
    return tuple(dict.fromkeys(several)) or ("application/x-ole-storage",)


def _streams(part: bytes) -> set[str]:
    """Return the known names where an entry of the directory begins: every 128 bytes."""
    hits = (hit for hit in _STREAM.finditer(part) if hit.start() % 128 == 0)
    return {hit[0].decode("utf-16-le").rstrip("\0") for hit in hits}


def _is_text(file: IO[bytes]) -> bool:
    head = _part(file, 0, _HEAD)
    file.seek(0)
    if head.startswith(_UTF16):
        try:
            head = codecs.getincrementaldecoder("utf-16")().decode(head).encode()
        except UnicodeDecodeError:
            return False
    return not _NOT_TEXT.search(head)


def _part(file: IO[bytes], start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)
