"""Django's backend for Postgres with a cheaper look at an idle connection (``CONN_HEALTH_CHECKS``).

Django asks ``SELECT 1`` before the first statement of every request: a tenth of what accepting a message
costs. A server that ends, restarts or drops a session tells its clients so, and a connection that has
nothing to say while nobody asks is quiet; so only one that has something to say is asked in full. What no
look can see, a peer that vanished without a word, would keep ``SELECT 1`` waiting just the same.
"""

from __future__ import annotations

import select
from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.operations import DatabaseOperations


class _Operations(DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: str, params: Any) -> str:
        """Return the text that query counters show; of a prepared statement the driver keeps none."""
        return super().last_executed_query(cursor, sql, params) or str(sql)


class DatabaseWrapper(base.DatabaseWrapper):
    """One thread's connection."""

    ops_class = _Operations

    health_check_enabled: bool
    health_check_done: bool

    def close_if_health_check_failed(self) -> None:
        """Close the connection if it was lost since it was last used."""
        if (
            self.connection is None
            or not self.health_check_enabled
            or self.health_check_done
            or not _is_quiet(self.connection.pgconn.socket)
        ):
            super().close_if_health_check_failed()
            return
        self.health_check_done = True


def _is_quiet(socket: int) -> bool:
    """Tell whether the server has said nothing unasked and the socket is open."""
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return not poll.poll(0)
