"""Classic API views of media: upload a file, get the id to send it by."""

from __future__ import annotations

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.views import SEND, KeyView
from accounts.authentication import caller, key_of
from accounts.connections import default_number
from core.errors import Refusal, invalid
from core.http.classic import ok
from core.http.openapi import answers
from core.http.wire import content_length
from messaging import media
from messaging.api.classic import schemas

#: the largest file and what a multipart body adds to it
MOST_BYTES = media.LARGEST + 64 * 1024


class Media(KeyView):
    """``POST /media``."""

    scope = SEND

    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="uploadMedia",
        summary="Upload a file to send",
        tags=["Media"],
        request={"multipart/form-data": schemas.MediaBody},
        responses=answers(201, schemas.MediaObject, 429),
    )
    def post(self, request: Request) -> Response:
        """Goes straight to WhatsApp, which keeps it for 30 days; use the id in `image`, `document`, …

        With a test key the file is checked and dropped; the id is good for other simulated sends.
        """
        if content_length(request) > MOST_BYTES:
            raise Refusal("body_too_large", f"The body is larger than {MOST_BYTES} bytes.")
        file = _file(
            request
        )  # first: what follows may refuse, and a large body has to be read to be answered
        assert file.file is not None
        as_test = key_of(request).is_test
        number = None if as_test else default_number(caller(request))
        if number is None and not as_test:
            raise invalid("credentials", "Save your credentials first: PUT /auth/me/credentials.")
        found = media.upload(
            number,
            file=file.file,
            name=file.name or "file",
            mime_type=(file.content_type or "").lower(),
            size=file.size or 0,
        )
        return ok({"id": found.id, "mimeType": found.mime_type, "size": found.size}, status=201)


_HOW = "Send the file as multipart/form-data in a part named file."


def _file(request: Request) -> UploadedFile:
    """Return the part named ``file``. Raises ``Refusal`` and ``Invalid`` that say how it is sent."""
    try:
        file = request.FILES.get("file")
    except exceptions.UnsupportedMediaType:
        raise Refusal("unsupported_media_type", _HOW) from None
    except exceptions.ParseError:
        raise invalid("file", f"The body is no multipart/form-data. {_HOW}") from None
    if not isinstance(file, UploadedFile) or file.file is None:
        raise invalid("file", _HOW)
    return file
