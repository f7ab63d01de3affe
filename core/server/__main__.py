"""``python -m core.server``: become the web server that HTTP_SERVER names."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import environ

from core.server.command import PROCESSES, SERVERS, THREADS, UnknownServer, command


def main() -> None:
    """Replace this process by the server."""
    env_file = Path(__file__).resolve().parents[2] / ".env"
    if env_file.exists():
        environ.Env.read_env(str(env_file))
    parser = argparse.ArgumentParser(prog="python -m core.server", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    port, processes = os.environ.get("PORT") or "8000", os.environ.get("WEB_CONCURRENCY") or str(PROCESSES)
    parser.add_argument("--port", type=int, default=port, help="PORT (%(default)s)")
    parser.add_argument("--processes", type=int, default=processes, help="WEB_CONCURRENCY (%(default)s)")
    parser.add_argument("--threads", type=int, default=THREADS, help="of each process (%(default)s)")
    server = os.environ.get("HTTP_SERVER") or SERVERS[0]
    parser.add_argument("--server", default=server, help="HTTP_SERVER (%(default)s)")
    given = parser.parse_args()
    try:
        line = command(
            given.host, given.port, server=given.server, processes=given.processes, threads=given.threads
        )
    except UnknownServer as error:
        sys.exit(f"hermod: {error}")
    sys.stdout.flush()
    os.execv(line[0], line)  # noqa: S606  (our own command, no shell)


if __name__ == "__main__":
    main()
