"""Wire format: the strict JSON parser and the fast renderer, and what both APIs write alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.utils.http import parse_header_parameters
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from core.errors import Refusal
from core.json import MAX_KEYS, MAX_VALUES, read_object

if TYPE_CHECKING:
    from rest_framework.request import Request

MAX_BODY_BYTES = 256 * 1024


class JSONRenderer(BaseRenderer):
    """Writes JSON with orjson; dates never reach it, views write them as text."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return ``data`` as bytes; ``None`` becomes an empty body."""
        return b"" if data is None else orjson.dumps(data, option=orjson.OPT_NON_STR_KEYS)


class StrictJSONParser(BaseParser):
    """Reads bytes itself: the client chooses neither the charset nor how much we read.

    A view may set ``max_body_bytes``, ``max_keys`` and ``max_values``.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return the body as a dict; raises ``Refusal`` (too large, charset) or ``Invalid``."""
        context = parser_context or {}
        view, request = context.get("view"), context["request"]
        _, parameters = parse_header_parameters(media_type or "")
        if parameters.get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise Refusal("unsupported_media_type", "Send JSON in UTF-8; other charsets are not read.")
        if request.META.get("HTTP_CONTENT_ENCODING", "identity").lower() != "identity":
            raise Refusal("unsupported_media_type", "Send the body without Content-Encoding.")
        limit = getattr(view, "max_body_bytes", MAX_BODY_BYTES)
        if content_length(request) > limit:
            raise Refusal("body_too_large", f"The body is larger than {limit} bytes.")
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise Refusal("body_too_large", f"The body is larger than {limit} bytes.")
        return read_object(
            raw,
            max_keys=getattr(view, "max_keys", MAX_KEYS),
            max_values=getattr(view, "max_values", MAX_VALUES),
        )


def content_length(request: Any) -> int:
    """Return the announced length of a body; 0 when there is none or it is not a number."""
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() else 0


def body_of(request: Request) -> dict[str, Any]:
    """Return the request's JSON object; raises ``Refusal`` or ``Invalid`` when there is none to read."""
    data = request.data  # no body at all never reaches the parser and comes as an empty mapping
    return data if isinstance(data, dict) else {}


def doc_url(code: str) -> str:
    """Return the address of the page that explains an error code."""
    return f"{settings.PUBLIC_URL}/developers/errors/{code}"


def when(moment: datetime | None) -> str | None:
    """Write a moment as both documents do: UTC, whole seconds, ``Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
