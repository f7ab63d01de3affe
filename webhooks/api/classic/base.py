"""Base of the classic API views of webhooks: ids in paths."""

from __future__ import annotations

import uuid

from drf_spectacular.utils import OpenApiParameter

from core.http.fields import ID

ENDPOINT_ID = OpenApiParameter("endpoint_id", {"type": "string", "format": "uuid"}, "path")
DELIVERY_ID = OpenApiParameter("delivery_id", {"type": "string", "format": "uuid"}, "path")


def id_of(text: str) -> uuid.UUID | None:
    """Read an id from a path; None for what cannot be one, which is then not found."""
    return uuid.UUID(text) if ID.fullmatch(text) else None
