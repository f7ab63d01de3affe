"""Memory of processes that serve many small requests in several threads for a long time."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import time

#: mallopt's names (glibc, malloc.h)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
#: bytes; a piece of memory from this size on goes back to the system when it is freed
_LARGE = 256 * 1024
_given_back = 0.0


def share() -> None:
    """Let all threads take memory from one arena; call before there are any.

    glibc gives each thread its own, and what one thread frees the others do not get: a worker grew by 2 MB
    with every 10,000 messages until all of its arenas had seen their largest batch. Python's own lock lets
    one thread at a time allocate anyway.

    glibc also takes a large piece that is freed for a sign that such pieces are usual, and keeps up to 64 MB
    of them from then on: one large body would be remembered for the life of the process. Saying what is large
    keeps that from happening. Where the C library knows none of this, nothing is done.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_ARENA_MAX, 1)
        library.mallopt(_M_MMAP_THRESHOLD, _LARGE)
        library.mallopt(_M_TRIM_THRESHOLD, 2 * _LARGE)


def give_back() -> None:
    """Return what is free inside the heap to the system, too; at most once a second, for it is not cheap."""
    global _given_back
    if time.monotonic() - _given_back < 1.0:
        return
    _given_back = time.monotonic()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def settle() -> None:
    """Stop the search for circular garbage from walking what is loaded; call once everything is.

    It stays for the life of the process: searching it was a twelfth of a callback's processor time.
    """
    gc.collect()
    gc.freeze()
