"""Sample files of templates: kept as handed in, shown by signed addresses that expire."""

import hashlib
import hmac
from typing import Any

from aiohttp import web

from .graph import WORLD
from .models import Template
from .world import World

PATH = "/v/samples/"
_KEPT_FOR = 3600.0
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000 1f15c489"
    "0000000d49444154789c63606060f80f0001040100 5fe5c34b0000000049454e44ae426082"
)
_PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n%%EOF\n"
)
_MP4 = bytes.fromhex("0000001866747970 6d703432000000006d70343269736f6d 00000008 6d646174")
_STAND_INS = {
    "IMAGE": ("image/png", _PNG),
    "VIDEO": ("video/mp4", _MP4),
    "DOCUMENT": ("application/pdf", _PDF),
}


def shown_components(world: World, template: Template, host_url: str) -> list[dict[str, Any]]:
    """The components as reading returns them: a media header's sample is an address, not a handle."""
    return [
        {**component, "example": {"header_handle": [_address(world, template, host_url)]}}
        if component.get("format") in _STAND_INS and component.get("example")
        else component
        for component in template.components
    ]


def _address(world: World, template: Template, host_url: str) -> str:
    until = int(world.clock.now() + _KEPT_FOR)
    return f"{host_url}{PATH}{template.id}?oe={until}&oh={_signature(template.id, until)}"


def _signature(template_id: str, until: int) -> str:
    return hmac.new(b"sandbox samples", f"{template_id} {until}".encode(), hashlib.sha256).hexdigest()[:20]


async def show(request: web.Request) -> web.Response:
    """The file behind a sample's address, as long as that is valid."""
    world = request.app[WORLD]
    template = world.templates.get(request.match_info["template_id"])
    until = request.query.get("oe", "")
    genuine = until.isdigit() and hmac.compare_digest(
        _signature(request.match_info["template_id"], int(until)).encode(),
        request.query.get("oh", "").encode(),
    )
    if template is None or not genuine or int(until) <= world.clock.now():
        return web.Response(status=403, text="URL signature expired")
    mime_type, content = _file_of(world, template)
    return web.Response(body=content, headers={"Content-Type": mime_type})


def _file_of(world: World, template: Template) -> tuple[str, bytes]:
    for component in template.components:
        handles = (component.get("example") or {}).get("header_handle") or [""]
        if handles[0] in world.samples:
            return world.samples[handles[0]]
        if component.get("format") in _STAND_INS:
            return _STAND_INS[component["format"]]
    return _STAND_INS["IMAGE"]
