"""Memory of processes that serve many small requests in several threads for a long time."""

from __future__ import annotations

import contextlib
import ctypes
import gc

#: mallopt's name for the greatest number of arenas (glibc, malloc.h)
_M_ARENA_MAX = -8


def share() -> None:
    """Let all threads take memory from one arena; call before there are any.

    glibc gives each thread its own, and what one thread frees the others do not get: a worker grew by 2 MB
    with every 10,000 messages until all of its arenas had seen their largest batch. Python's own lock lets
    one thread at a time allocate anyway. Where the C library knows no arenas this does nothing.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """Stop the search for circular garbage from walking what is loaded; call once everything is.

    It stays for the life of the process: searching it was a twelfth of a callback's processor time.
    """
    gc.collect()
    gc.freeze()
