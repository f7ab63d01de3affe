"""A customer's receiver for P8: ``/fast`` answers at once, ``/hang`` never."""

from __future__ import annotations

import argparse
import asyncio

from aiohttp import web


async def _fast(request: web.Request) -> web.Response:
    await request.read()
    return web.Response()


async def _hang(request: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    return web.Response()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    app = web.Application()
    app.router.add_post("/fast", _fast)
    app.router.add_post("/hang", _hang)
    app.router.add_get("/", lambda request: web.json_response({"ok": True}))
    web.run_app(app, host="127.0.0.1", port=parser.parse_args().port, print=None, access_log=None)


if __name__ == "__main__":
    main()
