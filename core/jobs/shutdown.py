"""A flag that says this process was asked to stop: drains finish what is in flight and claim no more."""

from __future__ import annotations

import threading

_asked = threading.Event()


def request() -> None:
    """Ask every drain of this process to finish."""
    _asked.set()


def asked() -> bool:
    """Tell whether the process is stopping."""
    return _asked.is_set()


def reset() -> None:
    """Forget the request (a test that stopped a drain starts the next one)."""
    _asked.clear()
