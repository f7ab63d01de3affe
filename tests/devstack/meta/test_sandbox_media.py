"""Media live in the sandbox as at Meta: upload, look-up, a download address of five minutes, deletion."""

import hashlib

import pytest
import requests

from devstack.meta import seed
from tests.support.waiting import eventually

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100


def _upload(meta, content=PNG, mime_type="image/png", token=None, **fields):
    form = {"messaging_product": "whatsapp"} | fields
    files = {"file": ("a.png", content, mime_type)}
    return meta.call("POST", f"{meta.number.phone_number_id}/media", data=form, files=files, token=token)


def test_it_keeps_and_returns_a_file(meta, refused):
    media_id = _upload(meta).json()["id"]
    found = meta.call("GET", media_id, params={"phone_number_id": meta.number.phone_number_id}).json()
    assert found["mime_type"] == "image/png" and found["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert found["file_size"] == len(PNG) and found["messaging_product"] == "whatsapp"
    mine = {"Authorization": f"Bearer {meta.number.access_token}"}
    answer = requests.get(found["url"], headers=mine, timeout=5)
    assert answer.content == PNG and answer.headers["Content-Type"] == "image/png"
    assert requests.get(found["url"], timeout=5).status_code == 401
    other = {"Authorization": f"Bearer {seed.number(2).access_token}"}
    assert requests.get(found["url"], headers=other, timeout=5).status_code == 404
    meta.control("POST", "clock", {"advance": 301})
    assert requests.get(found["url"], headers=mine, timeout=5).status_code == 404
    fresh = meta.call("GET", media_id).json()["url"]
    assert requests.get(fresh, headers=mine, timeout=5).status_code == 200
    refused(meta.call("GET", media_id, params={"phone_number_id": seed.number(2).phone_number_id}), 100)
    refused(meta.call("GET", media_id, token=seed.number(2).access_token), 100)
    assert meta.call("DELETE", media_id).json() == {"success": True}
    refused(meta.call("GET", media_id), 100)


def test_it_forgets_a_file_after_thirty_days(meta, refused):
    media_id = _upload(meta).json()["id"]
    meta.control("POST", "clock", {"advance": 31 * 86400})
    refused(meta.call("GET", media_id), 100)


def test_it_sends_what_was_uploaded(meta):
    media_id = _upload(meta).json()["id"]
    meta.writes("14155552671", text="hi")
    base = {"messaging_product": "whatsapp", "to": "+14155552671"}
    good = meta.wamid(meta.send(base | {"type": "image", "image": {"id": media_id}}))
    eventually(lambda: len(meta.receiver.statuses(good)) == 3)
    wrong = meta.wamid(meta.send(base | {"type": "video", "video": {"id": media_id}}))
    eventually(lambda: meta.receiver.names(wrong) == ["failed"])
    header = {"type": "header", "parameters": [{"type": "image", "image": {"id": media_id}}]}
    body = {"type": "body", "parameters": [{"type": "text", "text": "a vase"}]}
    assert meta.template("+14155552671", "product_photo", [header, body]).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"mime_type": "application/octet-stream"},
        {"mime_type": "image/webp", "content": b"x" * (501 << 10)},
        {"mime_type": "image/png", "content": b"x" * ((5 << 20) + 1)},
        {"messaging_product": "sms"},
    ],
)
def test_it_refuses_a_file_that_is_not_allowed(meta, refused, change):
    refused(_upload(meta, **change), 100)


def test_it_takes_the_type_from_the_older_form_field(meta):
    answer = _upload(meta, mime_type="application/octet-stream", type="image/png")
    assert meta.call("GET", answer.json()["id"]).json()["mime_type"] == "image/png"


def test_it_refuses_an_upload_without_file(meta, refused):
    path = f"{meta.number.phone_number_id}/media"
    refused(meta.call("POST", path, json={"messaging_product": "whatsapp"}), 100)
    refused(meta.call("POST", path, files={"messaging_product": (None, "whatsapp")}), 100)
    refused(_upload(meta, content=b""), 131009)


def test_it_takes_template_samples_in_pieces(meta, refused):
    given = {"file_length": 6, "file_type": "image/png", "file_name": "a.png"}
    upload = meta.call("POST", f"{seed.APP_ID}/uploads", params=given).json()["id"]
    assert upload.startswith("upload:")
    first = meta.call("POST", upload, data=b"abc", headers={"file_offset": "0"}).json()
    assert first["file_offset"] == 3 == meta.call("GET", upload).json()["file_offset"]
    refused(meta.call("POST", upload, data=b"def", headers={"file_offset": "0"}), 100)
    done = meta.call(
        "POST",
        upload,
        data=b"def",
        headers={"file_offset": "3", "Authorization": f"OAuth {meta.number.access_token}"},
    )
    assert done.json()["h"].startswith("4::aW")
    refused(meta.call("POST", f"{seed.APP_ID}/uploads", params=given | {"file_type": "text/plain"}), 100)
    refused(meta.call("POST", "upload:nothing", data=b"x"), 100)


def test_it_serves_what_a_customer_sent(meta):
    meta.writes("14155552671", type="image", image={"caption": "Taj Mahal"})
    image = eventually(lambda: meta.receiver.messages())[0]["image"]
    assert image["caption"] == "Taj Mahal" and image["mime_type"] == "image/png"
    mine = {"Authorization": f"Bearer {meta.number.access_token}"}
    content = requests.get(image["url"], headers=mine, timeout=5).content
    assert hashlib.sha256(content).hexdigest() == image["sha256"]
    assert meta.call("GET", image["id"]).json()["id"] == image["id"]
