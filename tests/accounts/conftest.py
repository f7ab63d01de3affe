"""The fixtures of tests/accounts: the sandbox, for what Meta's answer decides."""

from __future__ import annotations

from tests.support.fixtures import alice, meta, sandbox

__all__ = ["alice", "meta", "sandbox"]
