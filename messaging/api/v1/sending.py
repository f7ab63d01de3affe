"""What both sending faces of the Mojeeb dialect share: from a request to one accepted message."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from accounts import agents
from accounts.api.views_v1 import V1View
from accounts.authentication import caller, key_of
from accounts.models import Connection
from core.errors import invalid
from core.http import lookalikes
from core.http.wire import body_of
from messaging.api.accept_once import Accepted
from messaging.api.v1.base import (
    REQUIRED,
    accept,
    new_message,
    read_flag,
    read_id,
    read_phone,
    refuse_lookalikes,
)
from messaging.compose.drafts import Draft, Text, What
from messaging.message_templates.named_values import NotReady
from messaging.models import Message
from messaging.queue import queueing

#: what the documents' examples begin with
EXAMPLE = {
    "agent_id": "12345678-1234-1234-1234-123456789012",
    "from": "+15557654321",
    "to": "+15551234567",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for, read and resolved."""

    draft: Draft
    agent_id: uuid.UUID
    sender: Connection


class Send(V1View):
    """What both ways of sending have in common; ``read`` is what they do not."""

    read: Callable[[Mapping[str, Any]], What]

    def send(self, request: Request) -> HttpResponse:
        """Accept one message, once per Idempotency-Key.

        The Idempotency-Key is looked at first (J43): a replay does not depend on today's numbers.
        """
        body_of(request)
        try:
            return accept(request, lambda: self._accepted(request, final=False))
        except NotReady as missing:
            missing.fetch()  # asks Meta, which must not happen while the key is held
            return accept(request, lambda: self._accepted(request, final=True))

    def _accepted(self, request: Request, *, final: bool) -> Accepted:
        asked = self._asked(request)
        key = key_of(request)
        draft = asked.draft
        queued = queueing.queue(
            caller(request),
            queueing.as_test(draft) if key.is_test else draft,
            source=Message.Source.MOJEEB,
            api_key=key,
            sender=asked.sender,
            final=final,
        )
        return 202, new_message(
            ident=queued.id,
            agent_id=asked.agent_id,
            to=draft.to,
            kind="text" if isinstance(draft.what, Text) else "template",
            created_at=queued.created_at,
            dry_run=key.is_test or draft.dry_run,
        )

    def _asked(self, request: Request) -> Asked:
        data = body_of(request)
        key, account = key_of(request), caller(request)
        refuse_lookalikes(data, lookalikes.SEND_V1)
        for part in ("text", "template"):
            if isinstance(data.get(part), dict):
                refuse_lookalikes(data[part], lookalikes.INSIDE_V1, path=f"{part}.")
        agent_id = read_id(data, "agent_id", code="invalid_agent_id")
        if agent_id is None and key.is_scoped:
            raise invalid("agent_id", REQUIRED)
        phone = read_phone(data, "from", code="invalid_from_phone")
        to = read_phone(data, "to", code="invalid_phone_number")
        what = type(self).read(data)
        draft = Draft(to=to, what=what, dry_run=read_flag(data, "dry_run", alias="dryRun"))
        if agent_id is None:
            agent_id = agents.default_agent(account).pk  # sk_ keys come from an API without agents
        return Asked(draft, agent_id, agents.sender(account, key, agent_id=agent_id, phone=phone))
