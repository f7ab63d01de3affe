"""Crowd control: with too many connections, one of the address that has most of them is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from core.server.bounds import UNREAD_MOST
from core.server.connection import Connection, Stage


class Crowd:
    """All connections of a process, by address.

    A flood from one address costs that address its own connections, the one that waits longest first.
    Addresses of trusted proxies stand for many clients and have no bound of their own.
    """

    def __init__(
        self,
        most: int,
        most_of_one: int,
        most_held: int,
        trusted: Callable[[str], bool],
        most_unread: int = UNREAD_MOST,
    ) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._most_held, self._most_unread = most_held, most_unread
        self._trusted = trusted
        self._by_address: dict[str, dict[Connection, None]] = {}
        self.all: dict[Connection, None] = {}
        self.held = 0  # bytes of unfinished bodies on the disk

    def __len__(self) -> int:
        return len(self.all)

    def add(self, one: Connection) -> None:
        """Take in a connection."""
        self.all[one] = None
        self._by_address.setdefault(one.address, {})[one] = None

    def remove(self, one: Connection) -> None:
        """Forget a connection."""
        self.all.pop(one, None)
        here = self._by_address.get(one.address, {})
        here.pop(one, None)
        if not here:
            self._by_address.pop(one.address, None)

    def too_many(self, newcomer: Connection) -> Connection | None:
        """Return the connection that has to make room for a new one; None while there is room."""
        here = self._by_address[newcomer.address]
        if len(here) > self._most_of_one and newcomer.address and not self._trusted(newcomer.peer[0]):
            return _longest_waiting(here) or newcomer
        if len(self.all) > self._most:
            fullest = max(self._by_address.values(), key=len)
            return _longest_waiting(fullest) or _longest_waiting(self.all) or newcomer
        return None

    def least(self) -> Connection | None:
        """Return the connection that can best be spared."""
        return _longest_waiting(self.all)

    def too_large(self) -> Connection | None:
        """Return the connection whose body has to make room on the disk; None while there is room."""
        if self.held <= self._most_held:
            return None
        most, _ = self._greediest(_held)
        return max(
            (one for one in self._by_address.get(most, ()) if one.stage is Stage.READING),
            key=_held,
            default=None,
        )

    def too_deaf(self) -> Connection | None:
        """Return the connection whose unread answer has to make room in memory; None while there is room.

        Of the address that leaves most unread it is the one that has taken nothing for the longest time.
        """
        most, unread = self._greediest(_unread)
        if unread <= self._most_unread:
            return None
        return min(filter(_unread, self._by_address[most]), key=lambda one: one.deadline)

    def _greediest(self, size: Callable[[Connection], int]) -> tuple[str, int]:
        """Return the address whose connections are the largest together, and the size of all there are."""
        sums: dict[str, int] = {"": 0}
        for one in self.all:
            sums[one.address] = sums.get(one.address, 0) + size(one)
        return max(sums, key=lambda address: sums[address]), sum(sums.values())


def _unread(one: Connection) -> int:
    return one.outbox.waiting if one.stage is Stage.WRITING else 0


def _held(one: Connection) -> int:
    held: int = one.arriving.held if one.arriving is not None else 0
    return held


def _longest_waiting(some: Iterable[Connection]) -> Connection | None:
    return min((one for one in some if one.stage is not Stage.BUSY), key=lambda one: one.since, default=None)
