"""Agents: who in an account is speaking, and from which of its numbers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Prefetch

from accounts.models import Account, Agent, ApiKey, Number
from core.errors import Refusal, invalid
from core.json import character_problem

MOST_AGENTS = 1_000
#: one sentence for an agent that is not there, is somebody else's or is not on the key's list (J6)
NOT_YOURS = "This API key may not use this agent."
NO_AGENT = "No agent found with this id."


def _checked(name: str) -> str:
    if not 1 <= len(name.strip()) <= 200:
        raise invalid("name", "Must be 1 to 200 characters.")
    if problem := character_problem(name):
        raise invalid("name", problem)
    return name.strip()


def create(account: Account, name: str) -> Agent:
    """Add an agent. Raises ``Invalid`` (``name``), ``Refusal`` (``conflict``) when there are too many."""
    name = _checked(name)
    with transaction.atomic():
        Account.objects.select_for_update(no_key=True).get(pk=account.pk)
        if account.agents.count() >= MOST_AGENTS:
            raise Refusal("conflict", f"An account has at most {MOST_AGENTS} agents.")
        return Agent.objects.create(account=account, name=name)


def rename(account: Account, agent_id: uuid.UUID, name: str) -> Agent:
    """Give an agent another name. Raises ``Invalid`` (``name``), ``Refusal`` (``agent_not_found``)."""
    name = _checked(name)
    agent = find(account, agent_id)
    agent.name = name
    agent.save(update_fields=["name"])
    return agent


def find(account: Account, agent_id: uuid.UUID) -> Agent:
    """Return an account's agent. Raises ``Refusal`` (``agent_not_found``)."""
    agent = account.agents.filter(pk=agent_id).first()
    if agent is None:
        raise Refusal("agent_not_found", NO_AGENT)
    return agent


def default_agent(account: Account) -> Agent:
    """Return the agent that a caller has who names none."""
    return account.agents.get(is_default=True)


def listed(account: Account, only: Sequence[str] | None = None) -> list[Agent]:
    """Return the agents with their ``numbers``, the default one first; ``only`` these ids when given."""
    agents = account.agents.order_by("-is_default", "name", "id")
    if only is not None:
        agents = agents.filter(pk__in=only)
    present = Number.objects.filter(removed_at=None).order_by("-is_default", "created_at")
    return list(agents.prefetch_related(Prefetch("connections", present, to_attr="numbers")))


def _number(account: Account, connection_id: uuid.UUID) -> Number:
    number = (
        account.connections.select_for_update(no_key=True).filter(pk=connection_id, removed_at=None).first()
    )
    if number is None:
        raise Refusal("not_found", "No number found with this id.")
    return number


@transaction.atomic
def assign(account: Account, connection_id: uuid.UUID, agent_id: uuid.UUID) -> Number:
    """Give a number to another agent; what was sent before stays the former one's.

    Raises ``Refusal`` (``not_found``, ``agent_not_found``).
    """
    number = _number(account, connection_id)
    number.agent = find(account, agent_id)
    number.save(update_fields=["agent", "updated_at"])
    return number


@transaction.atomic
def switch(account: Account, connection_id: uuid.UUID, *, active: bool) -> Number:
    """Let a number take new messages under /v1, or not; what waits still goes out.

    Raises ``Refusal`` (``not_found``).
    """
    number = _number(account, connection_id)
    number.is_active = active
    number.save(update_fields=["is_active", "updated_at"])
    return number


def number_for(account: Account, key: ApiKey, *, agent_id: uuid.UUID, phone: str) -> Number:
    """Return the agent's active number that ``phone`` (digits) is.

    A number that Meta refuses for the moment is active, too: its messages wait for new credentials.
    Raises ``Refusal``: ``agent_not_authorized`` (first, so that the numbers of a forbidden agent stay
    unknown), ``from_phone_not_found_for_agent`` with every number that would do (J26).
    """
    if not key.may_use(agent_id):
        raise Refusal("agent_not_authorized", NOT_YOURS)
    numbers = list(
        account.connections.filter(agent_id=agent_id, is_active=True, removed_at=None)
        .exclude(display_phone="")
        .order_by("display_phone")
    )
    for number in numbers:
        if number.display_phone == phone:
            return number
    if not numbers and not account.agents.filter(pk=agent_id).exists():
        raise Refusal("agent_not_authorized", NOT_YOURS)
    phones = [f"+{number.display_phone}" for number in numbers]
    raise Refusal(
        "from_phone_not_found_for_agent",
        f"+{phone} is not an active WhatsApp number of this agent. "
        + (f"Send from one of: {', '.join(phones)}." if phones else "It has none: connect and verify one."),
        param="from",
        available_phones=phones,
    )
