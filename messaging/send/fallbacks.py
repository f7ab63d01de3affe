"""Fallback templates: a text whose window has closed by now becomes the template given for that case."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from django.db import connection

from messaging.send.claims import Claim

_CLOSED = """
UPDATE messaging_message m SET content = m.content->'fallback', type = 'template'
FROM unnest(%s::uuid[], %s::bigint[]) AS u(id, token)
WHERE m.id = u.id AND m.lease_token = u.token AND NOT EXISTS (
    SELECT 1 FROM messaging_contact c
    WHERE c.id = m.contact_id AND c.last_inbound_at > now() - interval '24 hours')
RETURNING m.id
"""


def wanted(claim: Claim) -> bool:
    """Tell whether a claimed message has a fallback."""
    return "fallback" in claim.content


def apply(claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims with their fallback in place where the customer service window is closed."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSED, [[claim.id for claim in claims], [claim.token for claim in claims]])
        closed: set[uuid.UUID] = {row[0] for row in cursor.fetchall()}
    return [
        replace(claim, content=claim.content["fallback"]) if claim.id in closed else claim for claim in claims
    ]
