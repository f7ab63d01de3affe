"""The command line of the web process, in one place for everybody who starts one."""

from __future__ import annotations

import sys

from core.server.bounds import CLIENT_SECONDS

#: what HTTP_SERVER may say
SERVERS = ("gunicorn", "granian")
PROCESSES = 2
THREADS = 8
#: longer than load balancers and clients keep an idle connection: whoever closes first must not be us, or a
#: request that is on its way at that moment is lost
KEEP_ALIVE_SECONDS = 75
APPLICATION = "config.wsgi:application"


class UnknownServer(ValueError):
    """HTTP_SERVER names no server that there is."""


def command(
    host: str,
    port: int,
    *,
    server: str = "",
    processes: int = PROCESSES,
    threads: int = THREADS,
    application: str = APPLICATION,
) -> list[str]:
    """Return the command that serves ``application``; gunicorn's unless ``server`` says otherwise.

    Raises ``UnknownServer``.
    """
    server = server or SERVERS[0]
    if server not in SERVERS:
        raise UnknownServer(f"HTTP_SERVER={server} is none of {', '.join(SERVERS)}.")
    if server == "granian":
        # It reads heads, but not bodies, before it takes a thread, and waits for readers with one: only
        # behind a proxy that buffers both (docs/proxy.md).
        return [
            *(sys.executable, "-m", "granian", "--interface", "wsgi", "--http", "1", "--no-ws"),
            *("--host", host, "--port", str(port), "--workers", str(processes)),
            *("--blocking-threads", str(threads), "--respawn-failed-workers"),
            *("--http1-header-read-timeout", str(int(CLIENT_SECONDS * 1000))),
            *("--workers-kill-timeout", "30", "--log-level", "warning", application),
        ]
    return [
        *(sys.executable, "-m", "gunicorn", application, "--bind", f"{host}:{port}"),
        *("--worker-class", "core.server.worker.Worker", "--workers", str(processes)),
        *("--threads", str(threads), "--keep-alive", str(KEEP_ALIVE_SECONDS)),
        *("--no-control-socket", "--log-level", "warning"),
    ]
