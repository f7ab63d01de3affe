"""Broken HTTP exchanges: errors, silence and resets, drawn by the options or fixed by the recipient."""

import asyncio
import contextlib
import socket
import struct

from aiohttp import web

from .magic import Fate
from .world import World

# The order in which the options are drawn; what breaks before acceptance comes first.
_IN_ORDER = (
    *("reset_before", "html_503", "error_500_before", "error_429"),
    *("hang_after", "reset_after", "error_500_after"),
)
_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>503 Service Unavailable</title></head>"
    "<body><h1>Sorry, something went wrong.</h1><p>We are working on it.</p></body></html>\n"
)


def drawn(world: World, fate: Fate, tried_before: bool) -> str:
    """The name of the fault this send meets, or an empty string; the recipient's fate comes first."""
    if fate.fault and not (fate.first_only and tried_before):
        return fate.fault
    options = world.options
    for name in _IN_ORDER:
        percent = getattr(options, name)
        if percent and world.random.random() * 100 < percent:
            return name
    return ""


def html_503() -> web.Response:
    """What Meta's edge answers when nothing behind it does."""
    return web.Response(text=_PAGE, status=503, content_type="text/html")


def cut(request: web.Request) -> web.Response:
    """Reset the connection; the answer returned here never leaves the machine."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):
                # Lingering zero seconds makes the kernel send RST instead of an orderly FIN.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response(status=500)


async def hang(world: World, request: web.Request) -> web.Response:
    """Keep silent for `hang_seconds`, then close; the caller usually gives up first."""
    await asyncio.sleep(world.options.hang_seconds)
    return cut(request)
