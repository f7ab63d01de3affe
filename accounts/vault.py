"""Vault, the only cipher: seals credentials with AES-256-GCM, bound to the row and column they stand in.

A sealed value is ``v1.<key id>.<base64 of nonce and ciphertext>``; sealed bytes have the same head and
then the bytes as they are. The context (table, account, row, column) is authenticated with it, so a value
copied into another row does not open there. Keys come from ``CREDENTIALS_KEYS``: the first seals, all of
them open, which is what makes rotation possible.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

from core.secret import Secret

_VERSION = "v1"
_NONCE_BYTES = 12


class BadKey(Exception):
    """A text in CREDENTIALS_KEYS is not a key."""


class CannotOpen(Exception):
    """The value was not sealed for this place, was altered, or its key is not in the ring."""


class KeyRing:
    """The keys in use: the first one seals."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys:
            raise BadKey("the list is empty")
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.sealing_id = key_id(keys[0])

    @classmethod
    def from_texts(cls, texts: Sequence[str]) -> KeyRing:
        """Read keys as they stand in the environment. Raises ``BadKey``."""
        return cls([_decode_key(text) for text in texts])

    def seal(self, value: str, *, context: str) -> str:
        """Encrypt ``value`` for the place called ``context``."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self.sealing_id].encrypt(nonce, value.encode(), context.encode())
        return f"{_VERSION}.{self.sealing_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, context: str) -> str:
        """Decrypt what ``seal`` made for the same context. Raises ``CannotOpen``."""
        version, _, rest = sealed.partition(".")
        ident, _, payload = rest.partition(".")
        cipher = self._ciphers.get(ident)
        if version != _VERSION or cipher is None:
            raise CannotOpen(f"no key {ident!r} in CREDENTIALS_KEYS")
        try:
            data = base64.b64decode(payload.encode(), altchars=b"-_", validate=True)
            return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, binascii.Error, ValueError):
            raise CannotOpen("the value was altered or stands in the wrong row") from None

    def seal_bytes(self, value: bytes, *, context: str) -> bytes:
        """Encrypt a document for the place called ``context``."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self.sealing_id].encrypt(nonce, value, context.encode())
        return f"{_VERSION}.{self.sealing_id}.".encode() + nonce + sealed

    def open_bytes(self, sealed: bytes, *, context: str) -> bytes:
        """Decrypt what ``seal_bytes`` made for the same context. Raises ``CannotOpen``."""
        version, _, rest = sealed.partition(b".")
        ident, _, data = rest.partition(b".")
        cipher = self._ciphers.get(ident.decode("ascii", "replace")[:8])
        if version != _VERSION.encode() or cipher is None:
            raise CannotOpen("no key in CREDENTIALS_KEYS opens this document")
        try:
            return cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], context.encode())
        except (InvalidTag, ValueError):
            raise CannotOpen("the document was altered or stands in the wrong row") from None


def new_key() -> str:
    """Return a fresh key in the form that CREDENTIALS_KEYS wants."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def key_id(key: bytes) -> str:
    """Name a key by eight hex digits of its hash; safe to show."""
    return hashlib.sha256(b"hermod credentials key " + key).hexdigest()[:8]


def _decode_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text.strip().encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadKey("not URL-safe base64") from None
    if len(key) != 32:
        raise BadKey("not 32 bytes long")
    return key


@cache
def _ring_of(texts: tuple[str, ...]) -> KeyRing:
    return KeyRing.from_texts(texts)


def ring() -> KeyRing:
    """Return the ring that the settings describe."""
    return _ring_of(tuple(settings.CREDENTIALS_KEYS))


def seal(value: Secret, *, context: str) -> str:
    """Seal a secret for ``context``; an empty one stays an empty text."""
    return ring().seal(value.reveal(), context=context) if value else ""


def unseal(sealed: str, *, context: str) -> Secret:
    """Open what ``seal`` made; an empty text gives an empty secret. Raises ``CannotOpen``."""
    return Secret(ring().open(sealed, context=context) if sealed else "")


def is_current(sealed: str) -> bool:
    """Tell whether ``sealed`` was made with the key that seals today."""
    return not sealed or sealed.startswith(f"{_VERSION}.{ring().sealing_id}.")


def current_head() -> bytes:
    """Return how bytes begin that were sealed with the key that seals today."""
    return f"{_VERSION}.{ring().sealing_id}.".encode()
