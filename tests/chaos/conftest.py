"""What the promises are tested with: a sandbox without callbacks, a number of its own, callbacks by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from accounts.models import Account, Number
from core.jobs import shutdown
from devstack.meta import seed
from devstack.meta.callbacks import escaped, signature
from devstack.meta.server import SandboxThread
from messaging.models import Contact, Heartbeat, Message, MessageEvent, Status
from messaging.send import worker as send_worker
from messaging.tasks import apply_meta
from tests import factories
from tests.chaos.defects import Copy
from tests.support.meta import know_template
from webhooks.incoming import inbox
from webhooks.models import InboundEvent

#: what the tests' settings say of the engine's times
LEASE = 30.0


@dataclass
class Stage:
    """An account with a number at the sandbox, and everything that a promise needs to be seen."""

    sandbox: SandboxThread
    account: Account
    number: Number

    def due(self, count: int = 1, **fields: Any) -> list[Message]:
        """Store messages that are due now."""
        now = timezone.now() - timedelta(seconds=5)
        made = [
            Message(
                **{
                    "account": self.account,
                    "connection": self.number,
                    "source": Message.Source.CLASSIC,
                    "recipient": f"1415666{1000 + index}",
                    "type": "text",
                    "content": {"type": "text", "text": {"body": "Hello"}},
                    "status": Status.QUEUED,
                    "sequence": 1,
                    "due_at": now,
                    "created_at": now,
                }
                | fields
            )
            for index in range(count)
        ]
        Message.objects.bulk_create(made)
        MessageEvent.objects.bulk_create(
            MessageEvent(message=one, sequence=1, status=Status.QUEUED, at=now, recorded_at=now)
            for one in made
        )
        return made

    def lost_answer(self, **fields: Any) -> Message:
        """Store a message whose answer was lost and whose waiting time is over."""
        ago = timezone.now() - timedelta(minutes=11)
        return self.due(
            **{"status": Status.UNKNOWN, "submitted_at": ago, "attempts": 1, "lease_token": 1, **fields}
        )[0]

    def template(self, name: str, category: str) -> dict[str, Any]:
        """Know a template; returns the content of a message with it."""
        know_template(self.number, category, name)
        return {"type": "template", "template": {"name": name, "language": "en_US"}}

    def person(self, phone: str) -> Contact:
        """Know somebody."""
        return Contact.objects.create(account=self.account, connection=self.number, phone=phone)

    def drain(self) -> None:
        """Run the engine until nothing is due."""
        send_worker.drain(seconds=8, linger=0.1)

    def at_meta(self, message: Message) -> int:
        """Return how often Meta accepted a message."""
        # A manual retry has a longer reference that begins like the first.
        return sum(1 for line in list(self.sandbox.world.messages) if line.ref.startswith(f"hm:{message.pk}"))

    @staticmethod
    def row(message: Message) -> Message:
        """Read a message again."""
        return Message.objects.get(pk=message.pk)

    @staticmethod
    def receiver_was_well() -> None:
        """Let our own receiver have been reachable for hours."""
        now = timezone.now()
        Heartbeat.objects.update_or_create(
            name="receiver", defaults={"ok_since": now - timedelta(hours=9), "last_ok_at": now}
        )

    # --- callbacks

    def report(self, status: str, *, wamid: str, ref: str = "", number: Number | None = None) -> bytes:
        """Write a status callback as Meta does."""
        item = {"id": wamid, "status": status, "timestamp": str(int(time.time())), "recipient_id": "1"}
        if ref:
            item["biz_opaque_callback_data"] = ref
        return self.envelope({"statuses": [item]}, number)

    def envelope(self, value: dict[str, Any], number: Number | None = None) -> bytes:
        """Write a callback's body with Meta's own escaping."""
        about = number or self.number
        metadata = {"display_phone_number": "15550001", "phone_number_id": about.phone_number_id}
        value = {"messaging_product": "whatsapp", "metadata": metadata, **value}
        entry = {"id": about.waba_id, "changes": [{"value": value, "field": "messages"}]}
        return escaped({"object": "whatsapp_business_account", "entry": [entry]})

    @staticmethod
    def call_back(
        raw: bytes, *, secret: str | None = seed.APP_SECRET, path: str = "/webhooks/whatsapp"
    ) -> HttpResponse:
        """Post a callback, signed with ``secret`` (None: not at all)."""
        headers = {} if secret is None else {"HTTP_X_HUB_SIGNATURE_256": signature(secret.encode(), raw)}
        client = Client(raise_request_exception=False)
        return client.generic("POST", path, raw, content_type="application/json", **headers)

    @staticmethod
    def apply() -> int:
        """Apply what the inbox holds."""
        return inbox.drain(source=InboundEvent.Source.META, apply=apply_meta)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Copy]:
    """Give the tests of a module a copy of the project to break."""
    made = Copy(tmp_path_factory.mktemp("defects"), worker_id.replace("master", "gw0"))
    yield made
    made.close()


@pytest.fixture
def stage(transactional_db: None, sandbox: SandboxThread, settings: Any) -> Iterator[Stage]:
    """Connect an account to the sandbox's first spare number."""
    sandbox.run(sandbox.world.reset)
    settings.META_GRAPH_URL = sandbox.url
    settings.META_APP_SECRET = seed.APP_SECRET
    settings.SEND_LEASE_SECONDS = LEASE
    given = seed.number(1)
    account = factories.make_account("enterprise")
    number = factories.connect(
        account, token=given.access_token, phone_number_id=given.phone_number_id, waba_id=given.waba_id
    )
    yield Stage(sandbox, account, number)
    shutdown.asked.clear()
