"""The service as a customer has it, an address; and who works its queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from devstack.meta.server import SandboxThread
from messaging.send import worker as send_worker
from messaging.tasks import apply_meta
from webhooks.incoming import inbox
from webhooks.models import InboundEvent


@dataclass
class Service:
    """What a customer has: an address. What the service has: workers."""

    url: str
    sandbox: SandboxThread

    def call(self, method: str, path: str, *, key: str | None = None, **more: Any) -> requests.Response:
        """Call the service over HTTP as a customer's program does."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return requests.request(method, self.url + path, headers=headers, timeout=20, **more)

    @staticmethod
    def send_what_is_due() -> None:
        """Do the messages worker's work once."""
        send_worker.drain(linger=0.3)

    @staticmethod
    def apply_callbacks() -> None:
        """Do the inbox worker's work once."""
        inbox.drain(source=InboundEvent.Source.META, apply=apply_meta)
