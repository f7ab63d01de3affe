"""Shutdown flag of this process: once set, drains finish what is in flight and claim no more."""

from __future__ import annotations

import threading

#: set for good by the worker's shutdown
asked = threading.Event()
