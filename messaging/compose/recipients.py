"""Recipients of a request: their contact, and whether they opted out."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from core.ids import uuid7
from core.sql import rows

# One statement for all of it, because it is part of every accepted request. A contact may be known by the
# number that was dialled or by WhatsApp's own form of it; who is new is added on the way.
_MEET = """
WITH known AS MATERIALIZED (
    SELECT u.phone, u.fresh, coalesce(p.id, w.id) AS contact_id, s.marketing_only
    FROM unnest(%s::text[], %s::uuid[]) AS u(phone, fresh)
    LEFT JOIN messaging_contact p ON p.connection_id = %s::uuid AND p.phone = u.phone
    LEFT JOIN messaging_contact w ON w.connection_id = %s::uuid AND w.wa_id = u.phone
    LEFT JOIN messaging_suppression s ON s.account_id = %s::uuid AND s.phone = u.phone
), added AS (
    INSERT INTO messaging_contact (id, account_id, connection_id, phone, profile_name, created_at)
    SELECT fresh, %s::uuid, %s::uuid, phone, '', now() FROM known
    WHERE contact_id IS NULL AND %s::uuid IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING phone, id
)
SELECT k.phone, coalesce(k.contact_id, a.id), k.marketing_only
FROM known k LEFT JOIN added a USING (phone)
"""


@dataclass(frozen=True, slots=True)
class Recipient:
    """``contact_id`` None: no number to write from. ``opted_out`` of everything, or of marketing only."""

    contact_id: uuid.UUID | None
    opted_out: bool
    opted_out_of_marketing: bool


def meet(
    *, account_id: uuid.UUID, connection_id: uuid.UUID | None, phones: Iterable[str]
) -> dict[str, Recipient]:
    """Return what is known of each dialled number, having added contacts for those that are new."""
    wanted = list(dict.fromkeys(phones))
    number = connection_id
    values = [wanted, [uuid7() for _ in wanted], number, number, account_id, account_id, number, number]
    found = rows(_MEET, values)
    if number is not None and any(contact_id is None for _, contact_id, _ in found):
        found = rows(_MEET, values)  # somebody else added one at the same moment
    return {
        phone: Recipient(contact_id, marketing_only is False, marketing_only is not None)
        for phone, contact_id, marketing_only in found
    }
