"""What the tests of the /v1 rows share: sending, looking up, and messages that stand as told."""

from __future__ import annotations

from typing import Any

from messaging.models import Message
from tests.factories import make_message
from tests.support.v1 import (
    MESSAGES,
    Customer,
)


def send(org: Customer, body: dict[str, Any] | None = None, **more: Any) -> Any:
    """Send a text with a fresh key."""
    return org.api().post_json(MESSAGES, org.text() if body is None else body, **more)


def status(org: Customer, ident: object) -> dict[str, Any]:
    """Look a message up."""
    answer = org.api().get(f"{MESSAGES}/{ident}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def sent(org: Customer, **fields: Any) -> Message:
    """Store a message of this API that stands as told."""
    return make_message(
        org.account,
        **{"source": Message.Source.V1, "connection": org.number, "agent_id": org.agent.pk} | fields,
    )
