"""A customer of the ``/v1`` API: account, agents, numbers, keys; and what a refusal looks like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from accounts import agents
from accounts.connections import Proof, add_number
from accounts.credentials import Credentials
from accounts.models import Account, Agent, ApiKey, Number
from core.secret import Secret
from tests import factories
from tests.factories import Api

PHONE = "+15557654321"
TO = "+15551234567"
MESSAGES, TEMPLATES, LOOKUP, AGENTS = (
    "/v1/whatsapp/messages",
    "/v1/whatsapp/templates",
    "/v1/whatsapp/messages/lookup",
    "/v1/agents",
)
TRACE = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")


@dataclass
class Customer:
    """One organisation with its default agent and that agent's number."""

    account: Account
    agent: Agent
    number: Number

    def key(self, *scopes: str, kind: ApiKey.Kind = ApiKey.Kind.MK, **fields: Any) -> str:
        """Issue a key, by default one that may send."""
        return factories.make_key(self.account, kind=kind, scopes=scopes or ("whatsapp:send",), **fields)[1]

    def api(self, *scopes: str, **fields: Any) -> Api:
        """Return a client with a fresh key."""
        return Api(self.key(*scopes, **fields))

    def text(self, **fields: Any) -> dict[str, Any]:
        """Return the body of a text."""
        return self._body({"text": {"body": "Hello"}} | fields)

    def template(self, **fields: Any) -> dict[str, Any]:
        """Return the body of a template send; ``fields`` are the template's."""
        return self._body({"template": {"name": "order_shipped", "language": "en"} | fields})

    def _body(self, fields: dict[str, Any]) -> dict[str, Any]:
        body = {"agent_id": str(self.agent.pk), "from": PHONE, "to": TO} | fields
        return {name: value for name, value in body.items() if value is not ...}

    def another(self, name: str = "Branch", phone: str | None = "+15557650001") -> Agent:
        """Add an agent, with a number of its own unless ``phone`` is None."""
        agent = agents.create(self.account, name)
        if phone:
            add(self.account, agent, phone)
        return agent


def add(account: Account, agent: Agent, phone: str, **fields: Any) -> Number:
    """Connect a number that Meta has told us the digits of."""
    waba_id = f"9{account.pk.int % 10**9}"
    given = Credentials(Secret(factories.TOKEN), "8" + phone[1:], waba_id=waba_id)
    number = add_number(account, agent, given, Proof(number=True, waba_id=waba_id, again=False))
    fields = {"display_phone": phone[1:], "status": Number.Status.ACTIVE} | fields
    Number.objects.filter(pk=number.pk).update(**fields)
    number.refresh_from_db()
    return number


def make_customer(phone: str = PHONE, plan: str = "pro") -> Customer:
    """Register an organisation and connect its number."""
    account = factories.make_account(plan)
    agent = account.agents.get()
    return Customer(account, agent, add(account, agent, phone))


def refused(answer: Any, status: int, code: str, *, kind: str = "", **more: Any) -> dict[str, Any]:
    """Check that an answer is this refusal, whole and in its envelope; returns the error."""
    body = answer.json()
    assert answer.status_code == status, body
    assert set(body) == {"error"}
    error = body["error"]
    assert error["code"] == code, error
    assert {"type", "code", "message", "correlation_id", "doc_url"} <= set(error)
    assert error["doc_url"].endswith(f"/developers/errors/{code}")
    assert error["correlation_id"] == answer.headers["X-Correlation-ID"]
    assert answer.headers["Content-Type"] == "application/json"
    if kind:
        assert error["type"] == kind
    for name, value in more.items():
        assert error.get(name) == value, error
    return error
