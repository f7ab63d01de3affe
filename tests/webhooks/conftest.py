"""The fixtures of tests/webhooks: the sandbox, Alice with her number, Charlie."""

from __future__ import annotations

from tests.support.fixtures import alice, app_secret, charlie, meta, number, sandbox
from tests.webhooks.receiver import receiver, server

__all__ = ["alice", "app_secret", "charlie", "meta", "number", "receiver", "sandbox", "server"]
