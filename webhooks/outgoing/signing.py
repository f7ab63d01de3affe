"""Signatures of outgoing webhooks, in the Standard Webhooks format (specification 1.0).

A secret is ``whsec_`` and base64 of its bytes. What is signed is ``<id>.<timestamp>.<body>`` with
HMAC-SHA256; the header lists one signature for each secret that is valid now, parted by spaces, so that a
receiver may change to a new secret at any moment of the overlap.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Sequence

from core.secret import Secret

PREFIX = "whsec_"
#: the specification asks for 24 to 64 random bytes
SECRET_BYTES = 32


def new_secret() -> Secret:
    """Return a fresh signing secret."""
    return Secret(PREFIX + base64.b64encode(os.urandom(SECRET_BYTES)).decode())


def key_of(secret: Secret) -> bytes:
    """Return the bytes that a secret signs with. Raises ``ValueError`` when it is not one."""
    return base64.b64decode(secret.reveal().removeprefix(PREFIX), validate=True)


def signature(key: bytes, *, event_id: str, timestamp: int, body: bytes) -> str:
    """Sign one request: ``v1,`` and base64. ``timestamp`` is in seconds since 1970."""
    signed = b"%s.%d.%s" % (event_id.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def headers(keys: Sequence[bytes], *, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers; the newest secret's signature comes first."""
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            signature(key, event_id=event_id, timestamp=timestamp, body=body) for key in keys
        ),
    }
