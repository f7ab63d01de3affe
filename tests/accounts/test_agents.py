"""Agents and their numbers: made, renamed, listed; numbers given away, switched off, added."""

from __future__ import annotations

import uuid

import pytest

from accounts import agents
from accounts.connections import Proof, add_number, default_number, save_credentials
from accounts.credentials import Credentials
from accounts.models import Number
from accounts.plans import LIMITS, Plan
from core.errors import Invalid, Refusal
from core.secret import Secret
from tests import factories
from tests.support.v1 import AGENTS, MESSAGES, PHONE, Customer, add, make_customer, refused

pytestmark = pytest.mark.django_db

SHOWN = Proof(number=True, again=False)


def test_an_account_begins_with_one_agent_and_has_as_many_as_it_makes(org: Customer) -> None:
    made = org.api("*").post_json(AGENTS, {"name": "  Cairo branch "})
    assert made.status_code == 201
    assert made.json() | {"id": "", "created_at": ""} == {
        "id": "",
        "name": "Cairo branch",
        "is_default": False,
        "numbers": [],
        "created_at": "",
    }
    listed = org.api().get(AGENTS).json()["data"]
    assert [one["name"] for one in listed] == [org.agent.name, "Cairo branch"]
    assert [one["is_default"] for one in listed] == [True, False]
    assert listed[0]["numbers"] == [
        {
            "phone": PHONE,
            "verified_name": None,
            "active": True,
            "status": "active",
            "business_account_id": org.number.waba_id,
        }
    ]


def test_the_list_costs_the_same_queries_however_long_it_is(org, django_assert_num_queries) -> None:
    who = org.api()
    who.get(AGENTS)
    with django_assert_num_queries(3):
        who.get(AGENTS)
    for index in range(5):
        org.another(f"Agent {index}", f"+1555000000{index}")
    with django_assert_num_queries(3):
        assert len(who.get(AGENTS).json()["data"]) == 6


@pytest.mark.parametrize("name", [None, "", "  ", "x" * 201, 5, ["x"]])
def test_an_agent_has_a_name(org: Customer, name: object) -> None:
    refused(org.api("*").post_json(AGENTS, {"name": name}), 422, "invalid_request_body", param="name")


def test_an_agent_can_be_renamed_and_keeps_its_id_and_numbers(org: Customer) -> None:
    answer = org.api("*").send("PATCH", f"{AGENTS}/{org.agent.pk}", {"name": "Main"})
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["name"]) == (str(org.agent.pk), "Main")
    assert answer.json()["numbers"][0]["phone"] == PHONE
    for nobody in ("x", str(uuid.uuid4()), str(make_customer("+15550001111").agent.pk)):
        refused(org.api("*").send("PATCH", f"{AGENTS}/{nobody}", {"name": "X"}), 404, "agent_not_found")


def test_there_is_an_end_to_agents(org: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "MOST_AGENTS", 1)
    refused(org.api("*").post_json(AGENTS, {"name": "One more"}), 409, "conflict")


def test_a_plan_has_room_for_so_many_agents(org: Customer) -> None:
    who, room = org.api("*"), LIMITS[Plan.PRO].agents
    assert room is not None
    made = [who.post_json(AGENTS, {"name": f"Agent {index}"}) for index in range(room)]
    assert {one.status_code for one in made[:-1]} == {201}
    refused(made[-1], 403, "plan_not_eligible", kind="permission_error")
    assert org.account.agents.count() == room


def test_a_number_goes_to_another_agent_and_only_within_the_account(org: Customer) -> None:
    branch = org.another(phone=None)
    agents.assign(org.account, org.number.pk, branch.pk)
    body = org.text()
    refused(org.api().post_json(MESSAGES, body), 422, "from_phone_not_found_for_agent", available_phones=[])
    assert org.api().post_json(MESSAGES, body | {"agent_id": str(branch.pk)}).status_code == 202
    stranger = make_customer("+15550001111")
    for number, agent, code in (
        (stranger.number.pk, branch.pk, "not_found"),
        (org.number.pk, stranger.agent.pk, "agent_not_found"),
    ):
        with pytest.raises(Refusal) as caught:
            agents.assign(org.account, number, agent)
        assert caught.value.code == code


def test_a_number_that_is_switched_off_takes_nothing_until_it_is_on_again(org: Customer) -> None:
    for active, status in ((False, 422), (True, 202)):
        agents.switch(org.account, org.number.pk, active=active)
        assert org.api().post_json(MESSAGES, org.text()).status_code == status
        assert org.api().get(AGENTS).json()["data"][0]["numbers"][0]["active"] is active
    with pytest.raises(Refusal):
        agents.switch(make_customer("+15550001111").account, org.number.pk, active=False)


def test_a_held_number_still_takes_messages_which_wait(org: Customer) -> None:
    Number.objects.filter(pk=org.number.pk).update(status=Number.Status.HELD)
    assert org.api().post_json(MESSAGES, org.text()).status_code == 202


def test_a_message_goes_out_from_the_number_that_was_named(org: Customer) -> None:
    second = add(org.account, org.agent, "+15550000009")
    ident = org.api().post_json(MESSAGES, org.text(**{"from": "+15550000009"})).json()["id"]
    assert second.messages.get().pk == uuid.UUID(ident)
    assert default_number(org.account) == org.number


# --- several numbers


def given(phone_number_id: str, token: str = factories.TOKEN) -> Credentials:
    return Credentials(Secret(token), phone_number_id)


def test_the_first_number_is_the_default_and_the_next_one_is_not(org: Customer) -> None:
    account = factories.make_account("pro")
    agent = agents.default_agent(account)
    first, second = add_number(account, agent, given("80010")), add_number(account, agent, given("80020"))
    assert (first.is_default, second.is_default) == (True, False)


def test_the_same_number_again_renews_its_token_and_may_change_its_agent(org: Customer) -> None:
    branch = org.another(phone=None)
    again = add_number(org.account, branch, given(org.number.phone_number_id, factories.TOKEN + "new"))
    assert again.pk == org.number.pk
    assert (again.agent_id, again.is_default) == (branch.pk, True)
    assert again.access_token.reveal().endswith("new")


def test_a_number_that_another_account_has_proven_is_refused(org: Customer) -> None:
    stranger = make_customer("+15550001111")
    with pytest.raises(Refusal) as caught:
        add_number(stranger.account, stranger.agent, given(org.number.phone_number_id), SHOWN)
    assert caught.value.code == "conflict"


def test_saving_another_numbers_credentials_makes_it_the_default_one(org: Customer) -> None:
    second = add(org.account, org.agent, "+15550000009")
    saved = save_credentials(
        org.account, access_token=Secret(factories.TOKEN), phone_number_id=second.phone_number_id
    )
    assert (saved.pk, saved.is_default) == (second.pk, True)
    org.number.refresh_from_db()
    assert org.number.removed_at is not None


def test_a_wrong_name_is_refused_by_the_core_too(org: Customer) -> None:
    with pytest.raises(Invalid):
        agents.create(org.account, " ")
    with pytest.raises(Invalid):
        agents.rename(org.account, org.agent.pk, "x" * 201)
