"""Viewer: what the documentation may fill into its samples for a person signed in; never a whole key."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from accounts.models import Account, Agent, ApiKey, Membership, Number, User


@dataclass(frozen=True, slots=True)
class Viewer:
    """Values of one account; empty text where it has none yet."""

    account_id: uuid.UUID
    account: str
    phone_number_id: str
    waba_id: str
    #: with the plus
    phone: str
    #: as customers see the business
    verified_name: str
    agent_id: str
    agents: list[tuple[str, str]]
    #: beginning and last four digits of live keys, with their names
    keys: list[tuple[str, str]]


def viewer_of(user: User, chosen: str | None) -> Viewer | None:
    """Return what the samples may show to ``user``, of the account that is looked at; None without one.

    ``chosen`` is the account's id as the session keeps it; another's id counts like none.
    """
    seats = Membership.objects.filter(user=user, account__is_active=True).exclude(account__claimed_at=None)
    found = list(seats.select_related("account").order_by("pk"))
    seat = next((one for one in found if str(one.account_id) == chosen), None) or next(iter(found), None)
    return _of(seat.account) if seat else None


def _of(account: Account) -> Viewer:
    agents = list(Agent.objects.filter(account=account).order_by("-is_default", "pk")[:20])
    number = Number.objects.filter(account=account, removed_at=None).order_by("-is_default", "-pk").first()
    keys = ApiKey.objects.filter(account=account, revoked_at=None).order_by("-pk")[:5]
    agent = next((one for one in agents if number and one.pk == number.agent_id), None)
    agent = agent or next(iter(agents), None)
    return Viewer(
        account_id=account.pk,
        account=account.name,
        phone_number_id=number.phone_number_id if number else "",
        waba_id=number.waba_id if number else "",
        phone=f"+{number.display_phone}" if number and number.display_phone else "",
        verified_name=number.verified_name if number else "",
        agent_id=str(agent.pk) if agent else "",
        agents=[(one.name, str(one.pk)) for one in agents],
        keys=[(one.name, str(one)) for one in keys],
    )
