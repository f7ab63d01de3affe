"""The sandbox as a server: the application, a way to run it beside tests, and the command line."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from aiohttp import web

# Importing the route modules registers their handlers in devstack.meta.graph.
from . import page, samples
from .callbacks import Courier
from .graph import COURIER, LIVES, WORLD, handle
from .options import Options
from .routes import accounts, control, media, messages, numbers, templates
from .statuses import Lives
from .world import World

_LARGEST_BODY = 110 << 20
GRAPH_ROUTES = (accounts, messages, numbers, templates)


def build_app(world: World) -> web.Application:
    """The application around a world: Graph API, control API and page."""
    app = web.Application(client_max_size=_LARGEST_BODY)
    courier = Courier(world)
    app[WORLD] = world
    app[COURIER] = courier
    app[LIVES] = Lives(world, courier)

    async def carry(_app: web.Application) -> AsyncIterator[None]:
        await courier.start()
        yield
        await courier.stop()

    app.cleanup_ctx.append(carry)
    page.add_routes(app)
    control.add_routes(app)
    app.router.add_get("/whatsapp_business/attachments/", media.download)
    app.router.add_get(samples.PATH + "{template_id}", samples.show)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


class RunningSandbox:
    """A sandbox that listens."""

    def __init__(self, runner: web.AppRunner, host: str, port: int, world: World, courier: Courier) -> None:
        self._runner = runner
        self.port = port
        self.url = f"http://{host}:{port}"
        self.world = world
        self.courier = courier

    async def stop(self) -> None:
        """Close the port and drop what is under way."""
        await self._runner.cleanup()


async def start(world: World, host: str = "127.0.0.1", port: int = 0) -> RunningSandbox:
    """Serve a world; port 0 takes any free one."""
    # A client that gives up ends its handler, so that hanging answers do not pile up.
    app = build_app(world)
    runner = web.AppRunner(
        app,
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=0.05,
        handle_signals=False,
    )
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    taken = runner.addresses[0][1]
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104  compared, not bound
    world.base_url = f"http://{shown}:{taken}"
    return RunningSandbox(runner, shown, taken, world, app[COURIER])


class SandboxThread:
    """A sandbox with an event loop of its own in a thread, for tests and tools that are not asynchronous."""

    def __init__(self, world: World | None = None, port: int = 0, host: str = "127.0.0.1") -> None:
        self.world = world or World.default()
        self._host, self._wanted_port = host, port
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._running: RunningSandbox | None = None

    def start(self) -> "SandboxThread":
        """Start and wait until the port is open."""
        self._thread = threading.Thread(target=self._turn, name="sandbox", daemon=True)
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(
            start(self.world, self._host, self._wanted_port), self._loop
        )
        try:
            self._running = opening.result(timeout=20)
        except BaseException:
            self.stop()
            raise
        return self

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    @property
    def url(self) -> str:
        """The base address, without a slash at its end."""
        assert self._running is not None, "the sandbox has not been started"
        return self._running.url

    @property
    def port(self) -> int:
        """The port that was taken."""
        assert self._running is not None, "the sandbox has not been started"
        return self._running.port

    @property
    def courier(self) -> Courier:
        """Who carries its callbacks; to be used inside its loop (``run``)."""
        assert self._running is not None, "the sandbox has not been started"
        return self._running.courier

    def run(self, action: Callable[..., Any], *given: Any) -> Any:
        """Call `action(*given)` inside the sandbox's loop and return what it returns."""

        async def inside() -> Any:
            return action(*given)

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(timeout=20)

    def stop(self) -> None:
        """Stop and wait until the port is closed."""
        if self._thread is None:
            return
        if self._running is not None:
            asyncio.run_coroutine_threadsafe(self._running.stop(), self._loop).result(timeout=20)
            self._running = None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=20)
        self._thread = None
        self._loop.close()

    def __enter__(self) -> "SandboxThread":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def default_callback_url() -> str:
    """Where the service listens unless told otherwise: PUBLIC_URL, or this machine at PORT."""
    base = os.environ.get("PUBLIC_URL") or f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}"
    return base.rstrip("/") + "/webhooks/whatsapp"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command line, shared with the management command."""
    parser.add_argument(
        "--host", default=os.environ.get("SANDBOX_HOST") or "127.0.0.1", help="address to listen on"
    )
    parser.add_argument("--port", type=int, default=int(os.environ.get("SANDBOX_PORT") or 9000))
    parser.add_argument("--callback-url", default=default_callback_url(), help="where callbacks are sent to")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="how long a send takes to be answered")
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other option of the sandbox, for example callback_loss=5; may be given several times",
    )


def run(host: str, port: int, callback_url: str, latency_ms: float = 0.0, option: Sequence[str] = ()) -> None:
    """Serve until SIGTERM or SIGINT."""
    options = Options(latency_ms=latency_ms)
    for text in option:
        name, _, value = text.partition("=")
        options.change({name.strip(): _value(value.strip())})
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(World.default(callback_url, options), host, port))


def _value(text: str) -> Any:
    words: dict[str, Any] = {"true": True, "false": False, "none": None, "": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


async def _serve(world: World, host: str, port: int) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    sandbox = await start(world, host, port)
    sys.stdout.write(f"Sandbox at {sandbox.url}  callbacks to {world.callback_url}\n")
    sys.stdout.flush()
    await ended.wait()
    await sandbox.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m devstack.meta.server`."""
    parser = argparse.ArgumentParser(prog="sandbox", description="A stand-in for Meta's WhatsApp Cloud API.")
    add_arguments(parser)
    given = parser.parse_args(argv)
    try:
        run(given.host, given.port, given.callback_url, given.latency_ms, given.option)
    except (OSError, ValueError) as trouble:
        sys.stderr.write(f"The sandbox cannot start: {trouble}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
