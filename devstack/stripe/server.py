"""The stand-in as a server: the application, a way to run it beside tests, and the command line."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from . import pages, routes
from .courier import Courier
from .keys import WORLD
from .world import World


def build_app(world: World) -> web.Application:
    """The application around a world: API, pages and control."""
    app = web.Application(middlewares=[routes.keeps_state])
    app[WORLD] = world
    courier = Courier(world)

    async def carry(_app: web.Application) -> AsyncIterator[None]:
        await courier.start()
        yield
        await courier.stop()
        world.save()

    app.cleanup_ctx.append(carry)
    pages.add_routes(app)
    routes.add_routes(app)
    return app


async def _start(world: World, host: str, port: int) -> tuple[web.AppRunner, int]:
    runner = web.AppRunner(build_app(world), access_log=None, shutdown_timeout=0.05, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    taken: int = runner.addresses[0][1]
    world.base_url = f"http://{host}:{taken}"
    return runner, taken


class StandInThread:
    """A stand-in with an event loop of its own in a thread, for tests."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="stripe stand-in", daemon=True)
        self._runner: web.AppRunner | None = None

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    @property
    def url(self) -> str:
        """The base address."""
        return self.world.base_url

    def run(self, action: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Call ``action`` inside the loop and return what it returns."""

        async def inside() -> Any:
            return action(*given, **named)

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(timeout=20)

    def __enter__(self) -> StandInThread:
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(_start(self.world, "127.0.0.1", 0), self._loop)
        self._runner, _ = opening.result(timeout=20)
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(timeout=20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=20)
        self._loop.close()


def default_webhook_url() -> str:
    """Where the service listens unless told otherwise: PUBLIC_URL, or this machine at PORT."""
    base = os.environ.get("PUBLIC_URL") or f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}"
    return base.rstrip("/") + "/webhooks/stripe"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line, shared with the management command."""
    port = int(os.environ.get("STRIPE_SANDBOX_PORT") or 9001)
    parser.add_argument("--port", type=int, default=port)
    parser.add_argument("--webhook-url", default=default_webhook_url(), help="where events are sent to")
    parser.add_argument("--state", type=Path, default=None, help="a file that keeps everything")


def run(port: int, webhook_url: str, state: Path | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(World(webhook_url, state), port))


async def _serve(world: World, port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    runner, taken = await _start(world, "127.0.0.1", port)
    sys.stdout.write(f"Stand-in for Stripe at http://127.0.0.1:{taken}  events to {world.webhook_url}\n")
    sys.stdout.flush()
    await ended.wait()
    await runner.cleanup()


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m devstack.stripe.server`."""
    parser = argparse.ArgumentParser(prog="stripe-sandbox", description="A stand-in for Stripe.")
    add_arguments(parser)
    given = parser.parse_args(argv)
    try:
        run(given.port, given.webhook_url, given.state)
    except (OSError, ValueError) as trouble:
        sys.stderr.write(f"The stand-in cannot start: {trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
