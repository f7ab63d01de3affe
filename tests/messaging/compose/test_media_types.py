"""Uploading a file: known by its content, refused in words that help, only rehearsed with a test key."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import ApiKey
from messaging import media
from messaging.compose import filetypes
from messaging.media import LIMITS
from tests.factories import Api, api, connect, faulty_fields, make_account, make_key

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 50
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + b"\0" * 50
PDF = b"%PDF-1.7\n%\xe2\xe3\n"
MP4 = b"\0\0\0\x20ftypisom" + b"\0" * 20
EXE = bytes.fromhex("4d5a9000")


def ogg(packet: bytes) -> bytes:
    """Return the first page of an Ogg file whose codec begins with this packet."""
    return b"OggS\0\x02" + b"\0" * 20 + b"\x01" + bytes([len(packet)]) + packet


def iso(brand: bytes, *tracks: bytes) -> bytes:
    """Return a film whose ``moov`` stands at the end, as cameras write it."""

    def box(kind: bytes, content: bytes) -> bytes:
        return (8 + len(content)).to_bytes(4) + kind + content

    handlers = [box(b"hdlr", b"\0" * 8 + track + b"\0" * 13) for track in tracks]
    movie = b"".join(box(b"trak", box(b"mdia", one)) for one in handlers)
    return box(b"ftyp", brand + b"\0" * 4) + box(b"mdat", b"\0" * 5_000) + box(b"moov", movie)


def zipped(*names: str) -> bytes:
    """Return an archive with parts of these names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return file.getvalue()


def ole(*streams: str, ahead: int = 0) -> bytes:
    """Return an old Office file: its header, then its directory with ``ahead`` bytes of something before."""
    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504)
    header[30:32] = (9).to_bytes(2, "little")
    header[48:52] = (ahead // 512).to_bytes(4, "little")
    entries = b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *streams))
    return bytes(header) + b"\0" * ahead + entries


OPUS = ogg(b"OpusHead\x01\x01")
VORBIS = ogg(b"\x01vorbis")
ZIP = zipped("[Content_Types].xml", "word/document.xml")
FILM, SOUND = (b"vide", b"soun"), (b"soun",)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (PNG, ["image/png"]),
        (JPEG, ["image/jpeg"]),
        (b"RIFF\x10\0\0\0WEBPVP8 ", ["image/webp"]),
        (b"RIFF\x10\0\0\0WAVEfmt ", ["audio/wav"]),
        (b"GIF89a\x01", ["image/gif"]),
        (b"\0\0\0\x18ftypheic", ["image/heic"]),
        (PDF, ["application/pdf"]),
        (b"\r\n\r\n" + PDF, ["application/pdf"]),
        (MP4, ["video/mp4", "audio/mp4"]),
        (iso(b"isom", *FILM), ["video/mp4"]),
        (iso(b"isom", *SOUND), ["audio/mp4"]),
        (iso(b"M4A ", *SOUND), ["audio/mp4"]),
        (iso(b"3gp4", *FILM), ["video/3gpp"]),
        (iso(b"qt  ", *FILM), ["video/quicktime"]),
        (OPUS, ["audio/ogg"]),
        (VORBIS, [filetypes.OTHER_OGG]),
        (ogg(b"\x80theora"), [filetypes.OTHER_OGG]),
        (bytes.fromhex("4f67675300020000"), [filetypes.OTHER_OGG]),
        (b"#!AMR\n", ["audio/amr"]),
        (b"ID3\x04\0\0\0\0\0\x04TAG!\xff\xfb\x90", ["audio/mpeg"]),
        (b"ID3\x04\0\0\0\0\0\x04TAG!\xff\xf1\x50", ["audio/aac"]),
        (b"ID3\x04\0\0\0\0\0\x04TAG!MZ\x90\0", ["a Windows program"]),
        (b"ID3", ["audio/mpeg"]),
        (b"\xff\xfb\x90", ["audio/mpeg"]),
        (b"\xff\xf1\x50", ["audio/aac"]),
        (ZIP, [filetypes.DOCX]),
        (zipped("a" * 9_000, "xl/workbook.xml"), [filetypes.XLSX]),
        (zipped("setup.exe"), ["application/zip"]),
        (ole("WordDocument"), [filetypes.DOC]),
        (ole("Workbook", ahead=9 * 512), [filetypes.XLS]),
        (ole("ObjectPool", "Workbook", "WordDocument"), [filetypes.DOC, filetypes.XLS]),
        (ole("!_StringPool"), ["application/x-ole-storage"]),
        (EXE, ["a Windows program"]),
        (b"MZ is where I was born.", []),
        (b"Hello", []),
        (b"", []),
    ],
)
def test_a_file_is_known_by_its_bytes(content, found):
    assert list(filetypes.kinds(io.BytesIO(content))) == found


@pytest.mark.parametrize("cut", [4, 8, 12, 26, 27, 40, 60])
@pytest.mark.parametrize("content", [OPUS, iso(b"isom", *FILM), ZIP, ole("WordDocument"), b"ID3\x04\0\0\x7f"])
def test_a_file_that_breaks_off_is_looked_at_without_an_error(content, cut):
    assert filetypes.kinds(io.BytesIO(content[:cut])) is not None
    assert filetypes.kinds(io.BytesIO(content[:cut] + b"\xff" * 600)) is not None


@pytest.mark.parametrize(
    ("name", "kind", "uploaded"),
    [
        ("a.pdf", "application/pdf", "a.pdf"),
        ("A.JPEG", "image/jpeg", "A.JPEG"),
        ("a.png", "image/jpeg", "a.jpg"),
        ("voice.bin.opus", "audio/ogg", "voice.bin.opus"),
        ("Rechnung Nr. 7", "application/pdf", "Rechnung Nr. 7.pdf"),
        ("setup.exe", "image/png", "setup.exe.png"),
        ("../\0é", "text/plain", "..___.txt"),
        ("", "audio/mp4", "file.m4a"),
        ("x" * 300 + ".mp4", "video/3gpp", "x" * 115 + ".3gp"),
    ],
)
def test_an_upload_is_named_after_what_it_is(name, kind, uploaded):
    assert filetypes.named(name, kind) == uploaded


def test_every_type_that_whatsapp_takes_has_its_endings():
    assert set(LIMITS) == set(filetypes.ENDINGS)


@pytest.fixture
def rehearsing(db: None) -> Api:
    """A test key of a customer without credentials."""
    return api(make_key(make_account(), kind=ApiKey.Kind.SK_TEST)[1])


def upload(who: Api, content: bytes, kind: str, name: str = "a.bin") -> Any:
    """Upload one file."""
    return who.post("/media", {"file": SimpleUploadedFile(name, content, content_type=kind)})


@pytest.mark.parametrize(
    ("content", "called", "name", "kind"),
    [
        (PNG, "image/png", "a.png", "image/png"),
        (PNG, "application/octet-stream", "a.png", "image/png"),
        (PNG, "", "a", "image/png"),
        (JPEG, "image/jpg", "a.jpg", "image/jpeg"),
        (PNG, "image/gif", "a.gif", "image/png"),
        (MP4, "audio/mp4", "a.m4a", "audio/mp4"),
        (OPUS, "audio/ogg; codecs=opus", "a.ogg", "audio/ogg"),
        (ZIP, "application/octet-stream", "a.docx", filetypes.DOCX),
        (b"Hello", "text/plain; charset=utf-8", "a", "text/plain"),
        ("Žluťoučký kůň 🐴".encode("utf-16"), "text/plain", "a.txt", "text/plain"),
    ],
)
def test_a_client_that_does_not_know_the_type_is_helped(rehearsing, content, called, name, kind):
    """Python's requests sends no type for files={"file": open(…)}."""
    answer = upload(rehearsing, content, called, name)
    assert answer.status_code == 201, answer.content
    assert answer.json()["data"]["mimeType"] == kind


@pytest.mark.parametrize(
    ("content", "called", "says"),
    [
        (b"Hello", "image/png", "called image/png, but its content is not"),
        (PNG, "image/jpeg", "looks like image/png"),
        (b"MZ\x90\0", "application/pdf", "called application/pdf"),
        (PDF, "text/plain", "looks like application/pdf"),
        (EXE, "audio/ogg", "called audio/ogg, but its content is not; it looks like a Windows program"),
        (EXE, "audio/mpeg", "called audio/mpeg"),
        (EXE, "text/plain", "called text/plain"),
        (EXE, filetypes.DOCX, "called application/vnd"),
        (b"Hello", "video/mp4", "called video/mp4"),
        (b"He\0lo", "text/plain", "called text/plain"),
        (b"\xff\xfe" + EXE + b"\3\0\0\0", "text/plain", "called text/plain"),
        (b"\xfe\xff\xd8\0\xd8\0", "text/plain", "called text/plain"),
        (OPUS, "video/mp4", "looks like audio/ogg"),
        (VORBIS, "audio/ogg", "Opus audio only"),
        (VORBIS, "", "Opus audio only"),
        (bytes.fromhex("4f67675300020000"), "video/mp4", "Opus audio only"),
        (iso(b"isom", *FILM), "audio/mp4", "looks like video/mp4"),
        (iso(b"M4A ", *SOUND), "audio/aac", "looks like audio/mp4"),
        (zipped("a"), filetypes.XLSX, "looks like application/zip"),
        (ole("Workbook"), filetypes.DOC, "looks like application/vnd.ms-excel"),
        (b"GIF89a", "image/gif", "of type image/gif"),
        (b"\0\0\0\x18ftypheic", "application/octet-stream", "of type image/heic"),
        (b"a,b", "text/csv", "of type text/csv"),
        (b"Hello", "application/octet-stream", "Name it"),
        (b"", "image/png", "is empty"),
    ],
)
def test_a_file_that_whatsapp_would_not_take_is_refused_with_the_reason(rehearsing, content, called, says):
    answer = upload(rehearsing, content, called)
    assert faulty_fields(answer) == ["file"]
    assert says in answer.json()["details"][0]["message"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"x", "multipart/form-data", 400),
        (b"--b\r\nx", "multipart/form-data; boundary=b", 400),
        (b"", "multipart/form-data; boundary=b", 400),
    ],
)
def test_a_body_that_holds_no_file_is_told_how_to_send_one(rehearsing, body, kind, status):
    answer = rehearsing.generic("POST", "/media", body, content_type=kind)
    assert answer.status_code == status
    assert "multipart/form-data in a part named file" in answer.content.decode()
    assert (faulty_fields(answer) == ["file"]) == (status == 400)


@pytest.mark.django_db(transaction=True)
def test_a_test_key_uploads_nothing_and_gets_an_id_that_its_sends_take(meta, alice, number):
    rehearsal = api(make_key(alice, kind=ApiKey.Kind.SK_TEST)[1])
    before = len(meta.sandbox.world.media)
    ident = upload(rehearsal, PNG, "image/png").json()["data"]["id"]
    sent = rehearsal.post_json("/send-message", {"to": "14155552671", "image": {"id": ident}})
    assert sent.status_code == 202
    assert len(meta.sandbox.world.media) == before
    real = upload(api(alice), PNG, "", name="setup.mp4").json()["data"]
    assert (real["mimeType"], len(meta.sandbox.world.media)) == ("image/png", before + 1)
    assert meta.sandbox.world.media[real["id"]].file_name == "setup.png"


@pytest.mark.django_db
def test_a_live_key_needs_credentials_to_upload():
    account = make_account()
    assert faulty_fields(upload(api(account), PNG, "image/png")) == ["credentials"]
    connect(account)
    assert faulty_fields(upload(api(account), b"", "image/png")) == ["file"]
    assert max(LIMITS.values()) == media.LARGEST
