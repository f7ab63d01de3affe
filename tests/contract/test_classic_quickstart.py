"""The developer guide's quickstart, step by step, against the running service and the sandbox."""

from __future__ import annotations

import re

import pytest

from devstack.meta import seed
from tests.support.service import Service
from tests.support.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

TO = "14155552671"
SEND = {"to": TO, "template": {"name": "hello_world", "language": "en_US"}}


def register(service: Service, email: str = "your.name@example.com") -> str:
    """Step 1: get an API key."""
    answer = service.call("POST", "/auth/register", json={"name": "Your Name", "email": email})
    assert answer.status_code == 201
    assert answer.json()["success"] is True
    assert answer.json()["data"]["plan"] == "free"
    key = answer.json()["data"]["apiKey"]
    assert re.fullmatch(r"sk_live_[0-9a-f]{48}", key)
    return key


def connect(service: Service, key: str, number: seed.SeedNumber) -> None:
    """Step 2: save the credentials and verify them."""
    saved = service.call(
        "PUT",
        "/auth/me/credentials",
        key=key,
        json={"whatsappAccessToken": number.access_token, "whatsappPhoneNumberId": number.phone_number_id},
    )
    assert saved.status_code == 200
    checked = service.call("POST", "/auth/me/credentials/verify", key=key)
    assert checked.status_code == 200
    assert checked.json()["data"]["verified"] is True, checked.json()


def message(service: Service, key: str, ident: str) -> dict:
    answer = service.call("GET", f"/messages/{ident}", key=key)
    assert answer.status_code == 200
    return answer.json()["data"]


def test_the_quickstart_ends_with_a_delivered_message(service):
    key = register(service)

    before = service.call("GET", "/auth/me", key=key).json()["data"]
    assert before == {
        "name": "Your Name",
        "email": "your.name@example.com",
        "plan": "free",
        "messagesSent": 0,
        "byocConfigured": False,
        "webhookUrl": None,
    }
    connect(service, key, seed.number(1))
    assert service.call("GET", "/auth/me", key=key).json()["data"]["byocConfigured"] is True

    # Step 3: send the first message.
    accepted = service.call("POST", "/send-message", key=key, json=SEND)
    assert accepted.status_code == 202
    assert accepted.json()["data"]["status"] == "queued"
    assert accepted.json()["data"]["scheduledFor"] is None
    ident = accepted.json()["data"]["id"]
    assert message(service, key, ident)["status"] == "queued"

    # Delivery happens in the background.
    service.send_what_is_due()
    assert message(service, key, ident)["status"] in ("sent", "delivered")

    # Step 4: check that it was delivered.
    def delivered() -> dict | None:
        service.apply_callbacks()
        found = message(service, key, ident)
        return found if found["status"] == "delivered" else None

    found = eventually(delivered)
    assert [entry["status"] for entry in found["timeline"]] == ["queued", "sent", "delivered"]
    assert found["to"] == TO
    assert found["sentAt"] and found["deliveredAt"]
    assert found["readAt"] is found["failedAt"] is found["errorMessage"] is None
    assert service.call("GET", "/auth/me", key=key).json()["data"]["messagesSent"] == 1

    # Meta has it once, from the customer's own number.
    (sent,) = service.sandbox.world.messages
    assert sent.phone_number_id == seed.number(1).phone_number_id
    assert found["wamid"] == sent.wamid


def test_the_first_message_without_credentials_says_which_step_was_left_out(service):
    key = register(service)
    answer = service.call("POST", "/send-message", key=key, json=SEND)
    assert answer.status_code == 400
    assert "PUT /auth/me/credentials" in answer.json()["error"]
    assert not service.sandbox.world.messages


def test_a_wrong_token_is_explained_by_verify(service):
    key = register(service)
    wrong = {"whatsappAccessToken": "EAA" + "x" * 60, "whatsappPhoneNumberId": seed.number(1).phone_number_id}
    assert service.call("PUT", "/auth/me/credentials", key=key, json=wrong).status_code == 200
    answer = service.call("POST", "/auth/me/credentials/verify", key=key)
    assert answer.status_code == 200
    data = answer.json()["data"]
    assert data["verified"] is False
    failed = [check for check in data["checks"] if check["ok"] is False]
    assert failed and all(check["message"] and check["fix"] for check in failed)
    assert "EAA" + "x" * 60 not in answer.text


def test_a_second_customer_brings_a_number_of_their_own(service):
    """One callback address serves all: each status finds its own account's message."""
    first = register(service, "first@example.com")
    second = register(service, "second@example.com")
    connect(service, first, seed.number(1))
    connect(service, second, seed.number(2))
    idents = {
        key: service.call("POST", "/send-message", key=key, json=SEND).json()["data"]["id"]
        for key in (first, second)
    }
    service.send_what_is_due()

    def both_delivered() -> bool:
        service.apply_callbacks()
        return all(message(service, key, ident)["status"] == "delivered" for key, ident in idents.items())

    eventually(both_delivered)
    assert service.call("GET", f"/messages/{idents[first]}", key=second).status_code == 404
    assert {sent.phone_number_id for sent in service.sandbox.world.messages} == {
        seed.number(1).phone_number_id,
        seed.number(2).phone_number_id,
    }
