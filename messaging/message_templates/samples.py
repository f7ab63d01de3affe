"""The file that a media header was approved with, for sends that bring none of their own.

Meta's list names it by a signed address that expires, and a send must bring its own file. So it is
fetched once, uploaded to the number and kept as a media id for as long as Meta keeps it. That happens
before the send is accepted, outside any transaction; if it fails, the signed address itself is sent.
"""

from __future__ import annotations

import io
import uuid
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta

import structlog
from django.utils import timezone

from accounts.models import Number
from accounts.vault import CannotOpen
from core.http import ratelimits
from messaging.compose.approved import MEDIA, Approved, read
from messaging.message_templates import store as template_store
from messaging.meta.graph import GraphError, GraphUnreachable
from messaging.models import HeaderSample, Template

log = structlog.get_logger(__name__)

#: Meta keeps an uploaded file for 30 days; a message may wait for up to three
KEPT = timedelta(days=26)
#: seconds until an upload that failed is tried again
AGAIN_SECONDS = 60
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "video/mp4": "mp4", "application/pdf": "pdf"}


def of(number: Number, parts: Mapping[uuid.UUID, Approved]) -> dict[uuid.UUID, dict[str, str]]:
    """Return what stands for each template's own header file: ``{"id": …}`` or ``{"link": …}``."""
    with_file = {pk: one for pk, one in parts.items() if one.header_format in MEDIA}
    if not with_file:
        return {}
    found = {pk: {"link": one.sample_url} for pk, one in with_file.items() if one.sample_url}
    fresh = HeaderSample.objects.filter(
        connection=number, template__in=with_file, uploaded_at__gt=timezone.now() - KEPT
    )
    return found | {sample.template_id: {"id": sample.media_id} for sample in fresh}


def ensure(number: Number, template: Template) -> None:
    """Upload a template's sample to a number; once a minute at most when it fails. Never raises."""
    name = f"sample:{number.pk}:{template.pk}"
    if not ratelimits.hit(name, limit=1, window=AGAIN_SECONDS).admitted:
        return
    try:
        media_id = _uploaded(number, template)
    except (GraphError, GraphUnreachable, CannotOpen, ValueError) as error:
        log.warning("a template's sample was not uploaded", template=str(template.pk), error=str(error))
        return
    if media_id:
        HeaderSample.objects.update_or_create(
            template=template,
            connection=number,
            defaults={"media_id": media_id, "uploaded_at": timezone.now()},
        )


def _uploaded(number: Number, template: Template) -> str:
    with closing(template_store.graph_for(number, timeout=template_store.ASK_TIMEOUT)) as graph:
        # The stored address may have expired: ask for a fresh one.
        parts = read(graph.template(template.meta_id).get("components"))
        if parts.header_format == "GIF":
            return ""  # Meta takes no upload of its own gifs; the address is sent
        content, mime_type = graph.fetch_sample(parts.sample_url)
        ending = _ENDINGS.get(mime_type, "bin")
        return graph.upload_media(
            number.phone_number_id, name=f"sample.{ending}", mime_type=mime_type, file=io.BytesIO(content)
        )
