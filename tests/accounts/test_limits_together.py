"""Limits that are counted hold for requests that come at the same moment."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from accounts import agents, keys, team
from accounts.models import Account, Invitation, Membership, User
from accounts.registration import prove
from billing import overview
from billing.overview import room_for_agent
from core.errors import Refusal
from core.secret import Secret
from tests.factories import api, make_account, make_key
from tests.support.meta import together
from webhooks.models import Endpoint
from webhooks.outgoing import endpoints

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 6


def all_together(work: Callable[[int], Any]) -> None:
    """Do it six times at the same moment; a refusal is an answer."""

    def one(index: int) -> None:
        with contextlib.suppress(Refusal):
            work(index)

    together(AT_ONCE, one)


@pytest.fixture
def account() -> Account:
    return make_account("enterprise")


def test_keys(account, monkeypatch):
    monkeypatch.setattr(keys, "MOST_KEYS", len(keys.active(account)) + 2)
    all_together(lambda index: keys.create(account, name=f"Key {index}"))
    assert len(keys.active(account)) == keys.MOST_KEYS


def test_keys_made_through_the_api(account, monkeypatch):
    who = make_key(account)[1]
    monkeypatch.setattr(keys, "MOST_KEYS", len(keys.active(account)) + 2)
    answers = together(AT_ONCE, lambda index: api(who).post_json("/auth/me/keys", {"name": "x"}).status_code)
    assert sorted(answers) == [201] * 2 + [409] * 4
    assert len(keys.active(account)) == keys.MOST_KEYS


def test_keys_that_live_on_beside_their_successors(account, monkeypatch):
    """Each rotation with a time of grace leaves one key more."""
    made = [make_key(account)[0] for _ in range(AT_ONCE)]
    monkeypatch.setattr(keys, "MOST_KEYS", len(keys.active(account)) + 2)
    all_together(lambda index: keys.rotate(made[index], grace=timedelta(days=1)))
    assert len(keys.active(account)) == keys.MOST_KEYS
    # As they are now: what was made knows nothing of its rotation.
    keys.rotate(next(key for key in keys.active(account) if key in made and key.revoked_at is None))


def test_agents(account, monkeypatch):
    monkeypatch.setattr(agents, "MOST_AGENTS", account.agents.count() + 2)
    all_together(lambda index: agents.create(account, f"Agent {index}"))
    assert account.agents.count() == agents.MOST_AGENTS


def test_agents_of_a_plan(account, monkeypatch):
    monkeypatch.setattr(overview, "agents_limit", lambda _: 3)

    def add(index: int) -> None:
        with room_for_agent(account):
            agents.create(account, f"Agent {index}")

    all_together(add)
    assert account.agents.count() == 3


def test_members_and_invitations(account, monkeypatch):
    owner = account.memberships.get().user
    monkeypatch.setattr(team, "LARGEST_TEAM", 3)

    def invite(index: int) -> Secret:
        return team.invite(account, email=f"guest{index}@example.com", role="member", by=owner)[1]

    all_together(invite)
    assert account.invitations.count() == 2


def test_invitations_that_are_taken_while_others_are_made(account, monkeypatch):
    owner = account.memberships.get().user
    guest = User.objects.create_user("guest@example.com", "a long enough password")
    prove(guest, guest.email)
    monkeypatch.setattr(team, "LARGEST_TEAM", 3)
    invitation = team.invite(account, email=guest.email, role="member", by=owner)[0]

    def work(index: int) -> None:
        if index % 2:
            team.accept(guest, invitation.pk)
        else:
            team.invite(account, email=f"other{index}@example.com", role="member", by=owner)

    all_together(work)
    open_ = Invitation.objects.filter(account=account, accepted_at=None).count()
    assert Membership.objects.filter(account=account).count() + open_ == team.LARGEST_TEAM


@pytest.mark.parametrize("plan_has", [2, endpoints.MOST_ENDPOINTS])
def test_endpoints(account, monkeypatch, plan_has):
    monkeypatch.setattr(endpoints, "MOST_ENDPOINTS", 2 if plan_has > 2 else 3)
    given = endpoints.Given(url="https://example.com/hook")
    all_together(lambda _: endpoints.create(account, given, plan_has=plan_has))
    assert Endpoint.objects.filter(account=account, removed_at=None).count() == 2


def test_the_last_owner(account):
    first = account.memberships.get()
    others = [User.objects.create_user(f"owner{index}@example.com", "a long one 123") for index in range(5)]
    owners = [first]
    owners += [Membership.objects.create(account=account, user=one, role="owner") for one in others]
    all_together(lambda index: team.remove(account, owners[index].pk, by=owners[index]))
    assert account.memberships.filter(role="owner").count() == 1


def test_the_last_live_key(account):
    made = [make_key(account)[0] for _ in range(AT_ONCE - 1)] + keys.active(account)[-1:]
    all_together(lambda index: keys.revoke(account, made[index].pk))
    assert len(keys.active(account)) == 1
