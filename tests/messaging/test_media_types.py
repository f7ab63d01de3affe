"""Uploading a file: known by its content, refused in words that help, only rehearsed with a test key."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import ApiKey
from messaging import media
from messaging.compose import filetypes
from messaging.media import LIMITS
from tests.factories import Api, api, connect, faulty_fields, make_account, make_key
from tests.support.fixtures import alice, meta, number, sandbox

__all__ = ["alice", "meta", "number", "sandbox"]

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 50
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + b"\0" * 50
PDF = b"%PDF-1.7\n%\xe2\xe3\n"
MP4 = b"\0\0\0\x20ftypisom" + b"\0" * 20
OGG = b"OggS\0\x02" + b"\0" * 50
ZIP = b"PK\x03\x04" + b"\0" * 50
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 50
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("head", "name", "kind"),
    [
        (PNG, "a", "image/png"),
        (JPEG, "a.png", "image/jpeg"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a", "image/webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "a", None),
        (b"GIF89a\x01", "a", "image/gif"),
        (b"\0\0\0\x18ftypheic", "a", "image/heic"),
        (PDF, "a", "application/pdf"),
        (b"\r\n\r\n" + PDF, "a", "application/pdf"),
        (MP4, "a", "video/mp4"),
        (b"\0\0\0\x20ftyp3gp4", "a", "video/3gpp"),
        (b"\0\0\0\x20ftypM4A ", "a", "audio/mp4"),
        (OGG, "a", "audio/ogg"),
        (b"#!AMR\n", "a", "audio/amr"),
        (b"ID3\x04", "a", "audio/mpeg"),
        (b"\xff\xfb\x90", "a", "audio/mpeg"),
        (b"\xff\xf1\x50", "a", "audio/aac"),
        (ZIP, "a.DOCX", DOCX),
        (ZIP, "a.zip", None),
        (OLE, "a.xls", "application/vnd.ms-excel"),
        (b"Hello", "a.txt", "text/plain"),
        (b"He\0lo", "a.txt", None),
        (b"Hello", "a", None),
        (b"", "", None),
    ],
)
def test_a_file_is_known_by_its_first_bytes(head, name, kind):
    assert filetypes.detected(head, name) == kind
    assert kind in LIMITS or kind in (None, "image/gif", "image/heic")


def test_what_begins_like_a_kind_that_is_certain_is_a_kind_that_whatsapp_takes():
    assert set(LIMITS) >= filetypes.CERTAIN


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
        (OGG, "audio/ogg; codecs=opus", "a.ogg", "audio/ogg"),
        (ZIP, "application/octet-stream", "a.docx", DOCX),
        (b"Hello", "text/plain; charset=utf-8", "a", "text/plain"),
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
    real = upload(api(alice), PNG, "").json()["data"]
    assert (real["mimeType"], len(meta.sandbox.world.media)) == ("image/png", before + 1)


@pytest.mark.django_db
def test_a_live_key_needs_credentials_to_upload():
    account = make_account()
    assert faulty_fields(upload(api(account), PNG, "image/png")) == ["credentials"]
    connect(account)
    assert faulty_fields(upload(api(account), b"", "image/png")) == ["file"]
    assert max(LIMITS.values()) == media.LARGEST
