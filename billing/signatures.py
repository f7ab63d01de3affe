"""Stripe's signature over the raw bytes of an event (docs.stripe.com/webhooks/signature). Pure.

Written here, and not taken from Stripe's library: that one believes timestamps of the future and digits of
other scripts, and its exception carries the header and the body into logs.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

#: how old a signature may be, and how far our clock may lag behind Stripe's
TOLERANCE_SECONDS = 300
AHEAD_SECONDS = 60
#: Stripe signs with each secret of an endpoint while one is being replaced: two
MOST_SIGNATURES = 8
LONGEST_HEADER = 2_000
_TIME = re.compile(r"[0-9]{1,12}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


def genuine(raw: bytes, header: str, secrets: Sequence[str], *, now: float) -> bool:
    """Tell whether one of ``secrets`` signed ``raw`` a moment ago; ``now`` in Unix seconds.

    No secret, an empty one, two timestamps or none: not genuine.
    """
    if not header or len(header) > LONGEST_HEADER:
        return False
    times: list[str] = []
    digests: list[str] = []
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t":
            times.append(value)
        elif name == "v1" and _DIGEST.fullmatch(value):
            digests.append(value)
    if len(times) != 1 or not _TIME.fullmatch(times[0]) or not 0 < len(digests) <= MOST_SIGNATURES:
        return False
    if not now - TOLERANCE_SECONDS <= int(times[0]) <= now + AHEAD_SECONDS:
        return False
    signed = times[0].encode() + b"." + raw
    found = False
    for secret in secrets:
        if not secret:
            continue
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        for digest in digests:
            found |= hmac.compare_digest(expected, digest)
    return found
