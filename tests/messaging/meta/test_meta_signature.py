"""Only Meta's own signature over exactly these bytes is taken."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from core.secret import Secret
from messaging.meta.callbacks import is_signature, named_in, signature_ok

SECRET = Secret("app-secret")
# Escaped the way Meta does it, which no JSON library writes again by itself.
RAW = b'{"entry":[{"text":"\\u00e4 \\ud83d\\ude00 http:\\/\\/x\\u0040y"}]}'


def signed(raw: bytes = RAW, secret: str = "app-secret") -> str:
    return "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


GOOD = [
    ("as text", signed()),
    ("as bytes", signed().encode()),
    ("with upper case hex", "sha256=" + signed()[7:].upper()),
    ("with white space around", f" {signed()} "),
]

BAD = [
    ("missing", None),
    ("empty", ""),
    ("empty bytes", b""),
    ("only the prefix", "sha256="),
    ("without the prefix", signed()[7:]),
    ("with the old prefix", "sha1=" + signed()[7:]),
    ("truncated", signed()[:-1]),
    ("with one digit more", signed() + "0"),
    ("twice", signed() + "," + signed()),
    ("forged", "sha256=" + "0" * 64),
    ("of another secret", signed(secret="other")),
    ("of the empty secret", signed(secret="")),
    ("of a re-serialised body", signed(json.dumps(json.loads(RAW)).encode())),
    ("not ASCII", "sha256=" + "é" * 64),
    ("not ASCII bytes", b"sha256=" + "é".encode() * 32),
    ("half a surrogate pair", "sha256=\ud800" + signed()[8:]),
    ("with other digits", "sha256=" + "٣" * 64),
    ("with a line break inside", signed()[:20] + "\n" + signed()[20:]),
]


@pytest.mark.parametrize("header", [header for _, header in GOOD], ids=[name for name, _ in GOOD])
def test_it_takes_a_genuine_signature(header):
    assert signature_ok(RAW, header, [SECRET]) is True


@pytest.mark.parametrize("header", [header for _, header in BAD], ids=[name for name, _ in BAD])
def test_it_refuses_a_signature(header):
    assert signature_ok(RAW, header, [SECRET]) is False


def test_one_changed_bit_breaks_the_signature():
    for position in range(len(RAW)):
        changed = bytearray(RAW)
        changed[position] ^= 1
        assert not signature_ok(bytes(changed), signed(), [SECRET])


def test_it_takes_either_secret_during_a_rotation():
    secrets = [Secret("new"), SECRET]
    assert signature_ok(RAW, signed(), secrets)
    assert signature_ok(RAW, signed(secret="new"), secrets)
    assert not signature_ok(RAW, signed(secret="older"), secrets)


@pytest.mark.parametrize("secrets", [[], [Secret("")], [Secret(""), Secret("")]])
def test_without_a_secret_the_endpoint_is_closed(secrets):
    assert not signature_ok(RAW, signed(secret=""), secrets)
    assert not signature_ok(RAW, "sha256=", secrets)
    assert not signature_ok(RAW, None, secrets)


def test_an_empty_secret_beside_a_real_one_opens_nothing():
    assert not signature_ok(RAW, signed(secret=""), [Secret(""), SECRET])
    assert signature_ok(RAW, signed(), [Secret(""), SECRET])


def test_it_takes_a_secret_beyond_ascii():
    assert signature_ok(RAW, signed(secret="schlüssel"), [Secret("schlüssel")])


@pytest.mark.parametrize(("what", "header"), GOOD)
def test_a_signature_is_known_by_its_form(what, header):
    assert is_signature(header.decode() if isinstance(header, bytes) else header)


@pytest.mark.parametrize("header", ["", "x", "sha256=", signed()[:-1], signed() + "0", "sha256=" + "é" * 64])
def test_what_has_not_the_form_of_a_signature_is_none(header):
    assert not is_signature(header)


def test_ids_are_found_in_the_bytes_and_not_in_what_somebody_wrote():
    said = json.dumps('"phone_number_id":"666","id":"667"').encode()
    raw = (
        b'{"entry":[{"id" : "42","changes":[{"value":{"metadata":{"phone_number_id":"7"},"text":%s}}]}]}'
        % said
    )
    named = named_in(raw.replace(b'"7"', b"7"))
    assert (named.phones, named.wabas) == (["7"], ["42"])
    assert named_in(raw) == named
    assert named_in(b"\xff{") == named_in(b"")
