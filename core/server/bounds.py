"""Bounds of a client: how long it may take and how much memory it may have."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

#: a body, and what is read of one that nobody wanted, comes at least this fast on the whole
SLOWEST_BYTES_PER_SECOND = 4 * 1024
#: an answer is prepared this far ahead of what its client takes
AHEAD = 128 * 1024
#: unfinished bodies on the disk of one process
HELD_MOST = 256 * 1024 * 1024
#: what clients have not taken of their answers, in the memory of one process
UNREAD_MOST = 64 * 1024 * 1024
#: a closed connection is kept for a moment, or a client that still sends would lose its answer
LINGER_SECONDS = 5.0
#: as long as nothing else is set
CLIENT_SECONDS = 10.0
#: how long a stopping process keeps idle connections, for requests that are on their way
STOP_LINGER_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds that an operator may move."""

    #: for a request's head, and for a pause in its body
    client_seconds: float = CLIENT_SECONDS
    trusted_proxies: tuple[str, ...] = ()

    @property
    def reading_seconds(self) -> float:
        """For a pause in taking the answer: people's networks pause, and no thread waits."""
        return 3 * self.client_seconds

    @classmethod
    def of(cls, env: Mapping[str, str] = os.environ) -> Bounds:
        """Read them from the environment, as the settings do."""
        proxies = (one.strip() for one in env.get("TRUSTED_PROXIES", "").split(","))
        seconds = float(env.get("CLIENT_SECONDS") or CLIENT_SECONDS)
        return cls(seconds, tuple(one for one in proxies if one))
