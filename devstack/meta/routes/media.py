"""Media: upload, look up, download, delete; and the resumable upload that makes template samples."""

import contextlib
import hashlib
from typing import Any

from aiohttp import web

from .. import ids
from ..errors import GraphError, invalid, no_such_object
from ..graph import WORLD, Call, check_token, route
from ..inbound import media_url, store_media
from ..models import Media, Number
from ..parts import MEDIA_SIZES, MEDIA_TYPES
from ..validation import check_product

_KEPT_FOR = 30 * 24 * 3600.0
_KIND_OF = {mime_type: kind for kind, types in MEDIA_TYPES.items() for mime_type in types}
_SAMPLE_TYPES = {"image/jpeg", "image/jpg", "image/png", "video/mp4", "application/pdf"}


@route("POST", "number", "media")
async def upload(call: Call) -> Any:
    """`POST /{phone_number_id}/media` as multipart form."""
    if call.request.content_type != "multipart/form-data":
        raise GraphError(100, message="(#100) The parameter file is required.", plain=True)
    form = await call.request.post()
    check_product(dict(form))
    file = form.get("file")
    if not isinstance(file, web.FileField):
        raise GraphError(100, message="(#100) The parameter file is required.", plain=True)
    content = file.file.read()
    declared = form.get("type")
    mime_type = file.content_type if file.content_type != "application/octet-stream" else ""
    if not mime_type and isinstance(declared, str) and "/" in declared:
        mime_type = declared
    kind = _KIND_OF.get(mime_type.split(";")[0].strip())
    if kind is None:
        known = ", ".join(sorted(_KIND_OF))
        raise GraphError(
            100,
            f"(#100) Param file must be a file with one of the following types: {known}. "
            f"Received file of type '{file.content_type}'.",
        )
    if len(content) > MEDIA_SIZES[kind]:
        raise GraphError(100, f"(#100) Param file is larger than {MEDIA_SIZES[kind]} bytes.")
    if not content:
        raise invalid("The file is empty.")
    number: Number = call.node
    media = store_media(call.world, number.waba_id, content, mime_type, _KEPT_FOR, file.filename)
    return {"id": media.id}


def _alive(call: Call) -> Media:
    """The medium, unless its days are over or the given number is not its own."""
    media: Media = call.node
    if call.world.clock.now() > media.made_at + media.lifetime:
        call.world.media.pop(media.id, None)
        raise no_such_object(media.id, call.request.method)
    number_id = call.query.get("phone_number_id")
    if number_id is not None:
        number = call.world.numbers.get(number_id)
        if number is None or number.waba_id != media.waba_id:
            raise no_such_object(media.id, call.request.method)
    return media


@route("GET", "media")
async def look_up(call: Call) -> Any:
    """The medium's facts and an address that works for five minutes."""
    media = _alive(call)
    return {
        "messaging_product": "whatsapp",
        "url": media_url(call.world, media, call.host_url),
        "mime_type": media.mime_type,
        "sha256": media.sha256,
        "file_size": len(media.content),
        "id": media.id,
    }


@route("DELETE", "media")
async def delete(call: Call) -> Any:
    """Forget the medium."""
    del call.world.media[_alive(call).id]
    return {"success": True}


async def download(request: web.Request) -> web.Response:
    """The file itself: needs the token again, and an address younger than five minutes."""
    world = request.app[WORLD]
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    token = world.tokens.get(value.strip()) if scheme.lower() == "bearer" else None
    if token is not None:
        try:
            check_token(token, world.clock.now())
        except GraphError:
            token = None
    if token is None:
        return web.Response(status=401, text="Unauthorized")
    media = world.media.get(request.query.get("mid", ""))
    until = media.keys.get(request.query.get("hash", ""), 0.0) if media else 0.0
    if media is None or media.waba_id not in token.waba_ids or until <= world.clock.now():
        return web.Response(status=404, text="Not Found")
    return web.Response(body=media.content, headers={"Content-Type": media.mime_type})


@route("POST", "app", "uploads")
async def begin_upload(call: Call) -> Any:
    """Open a resumable upload for a template's sample file."""
    given = await call.params()
    size, mime_type = str(given.get("file_length", "")), str(given.get("file_type", ""))
    if not size.isdigit() or int(size) < 1:
        raise GraphError(100, message="(#100) The parameter file_length is required.", plain=True)
    if mime_type not in _SAMPLE_TYPES:
        raise GraphError(100, f"Param file_type must be one of {', '.join(sorted(_SAMPLE_TYPES))}.")
    upload_id = f"upload:{ids.alphanumeric(ids.trace_id(), 60)}"
    call.world.uploads[upload_id] = {"size": int(size), "type": mime_type, "content": b""}
    return {"id": upload_id}


def _upload_of(call: Call) -> dict[str, Any]:
    found = call.world.uploads.get(call.node)
    if found is None:
        raise no_such_object(call.node, call.request.method)
    return found


@route("POST", "upload")
async def go_on_uploading(call: Call) -> Any:
    """Take the bytes from `file_offset` on; the handle comes with the last one."""
    session = _upload_of(call)
    offset = -1
    with contextlib.suppress(ValueError):
        offset = int(call.request.headers.get("file_offset", "0"))
    if offset != len(session["content"]):
        raise GraphError(100, "Header file_offset does not match the bytes already received.")
    session["content"] += await call.raw()
    if len(session["content"]) > session["size"]:
        raise GraphError(100, "More bytes than file_length announced.")
    if len(session["content"]) < session["size"]:
        return {"id": call.node, "file_offset": len(session["content"])}
    handle = f"4::aW{hashlib.sha256(session['content']).hexdigest()}:{ids.trace_id()}"
    call.world.samples[handle] = (session["type"], session["content"])
    return {"h": handle}


@route("GET", "upload")
async def upload_progress(call: Call) -> Any:
    """How many bytes have come."""
    return {"id": call.node, "file_offset": len(_upload_of(call)["content"])}
