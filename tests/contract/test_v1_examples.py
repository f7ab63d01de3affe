"""The four pages of the Mojeeb document: their curls as printed, their answers, against a running service."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import requests

from accounts import agents, keys
from accounts.connections import add_number
from accounts.credentials import Credentials
from accounts.models import Account, Agent, ApiKey
from core.secret import Secret
from devstack.meta import inbound, seed
from messaging.message_templates import store as template_store
from messaging.models import Contact, Message
from messaging.numbers import verification
from tests import factories
from tests.support.service import Service
from tests.support.v1 import MESSAGES, TEMPLATES, TRACE
from tests.support.waiting import eventually

pytestmark = pytest.mark.django_db(transaction=True)

SITE = "https://api.mojeeb.app"
KEY = "mk_live_YOUR_KEY_HERE"
AGENT = "12345678-1234-1234-1234-123456789012"
PHONE, TO = "+15557654321", "+15551234567"
EXAMPLE_ID = "01c45011-d803-4eb0-a762-3228a4c392f3"


def template_curl(template: str, headers: str = "") -> str:
    """Write a template send as the pages do; ``template`` is the part that differs."""
    return f"""curl -X POST https://api.mojeeb.app/v1/whatsapp/templates \\
-H "Authorization: Bearer mk_live_YOUR_KEY_HERE" \\
-H "Content-Type: application/json" \\
{headers}-d '{{
"agent_id": "12345678-1234-1234-1234-123456789012",
"from": "+15557654321",
"to": "+15551234567",
"template": {{
{template}
}}
}}'"""


#: what each page prints → what Meta is given for it
TEMPLATE_CURLS: dict[str, tuple[str, str, list[dict[str, Any]]]] = {
    "minimal": ('"name": "arabic_signup_message",\n"language": "ar"', "", []),
    "body parameters": (
        """"name": "order_shipped",
"language": "en",
"parameters": {
"customer_name": "Sara",
"tracking_url": "https://example.com/track/A123"
}""",
        '-H "Idempotency-Key: order-12345-shipped" \\\n',
        [
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "parameter_name": "customer_name", "text": "Sara"},
                    {
                        "type": "text",
                        "parameter_name": "tracking_url",
                        "text": "https://example.com/track/A123",
                    },
                ],
            }
        ],
    ),
    "header text": (
        """"name": "promo_with_header",
"language": "en",
"header_parameters": { "promo_label": "Summer Sale" },
"parameters": { "customer_name": "Sara", "discount_pct": "30" }""",
        "",
        [
            {
                "type": "header",
                "parameters": [{"type": "text", "parameter_name": "promo_label", "text": "Summer Sale"}],
            },
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "parameter_name": "customer_name", "text": "Sara"},
                    {"type": "text", "parameter_name": "discount_pct", "text": "30"},
                ],
            },
        ],
    ),
    "one-time password": (
        """"name": "otp_verification_v1",
"language": "en",
"parameters": { "1": "493281" },
"buttons": [
{ "index": 0, "otp_code": "493281" }
]""",
        "",
        [
            {"type": "body", "parameters": [{"type": "text", "text": "493281"}]},
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": "493281"}],
            },
        ],
    ),
    "header image": (
        """"name": "order_shipped_with_photo",
"language": "en",
"header_media_url": "https://cdn.customer.example.com/shipments/A12345.jpg",
"parameters": { "tracking_no": "EG-A12345" }""",
        "",
        [
            {
                "type": "header",
                "parameters": [
                    {
                        "type": "image",
                        "image": {"link": "https://cdn.customer.example.com/shipments/A12345.jpg"},
                    }
                ],
            },
            {
                "type": "body",
                "parameters": [{"type": "text", "parameter_name": "tracking_no", "text": "EG-A12345"}],
            },
        ],
    ),
    # The page prints the buttons by themselves; the template around them is ours.
    "dynamic URL": (
        '"name": "order_link", "language": "en",\n'
        '"buttons": [\n{ "index": 0, "url_suffix": "orders/12345" }\n]',
        "",
        [
            {
                "type": "button",
                "sub_type": "url",
                "index": "0",
                "parameters": [{"type": "text", "text": "orders/12345"}],
            }
        ],
    ),
    "quick reply": (
        """"name": "ask_for_feedback", "language": "en",
"buttons": [
{ "index": 0, "quick_reply_payload": "FEEDBACK_GOOD" },
{ "index": 1, "quick_reply_payload": "FEEDBACK_BAD" }
]""",
        "",
        [
            {
                "type": "button",
                "sub_type": "quick_reply",
                "index": str(index),
                "parameters": [{"type": "payload", "payload": payload}],
            }
            for index, payload in enumerate(("FEEDBACK_GOOD", "FEEDBACK_BAD"))
        ],
    ),
    "coupon": (
        '"name": "spring_coupon", "language": "en",\n'
        '"buttons": [\n{ "index": 0, "coupon_code": "SPRING30" }\n]',
        "",
        [
            {
                "type": "button",
                "sub_type": "copy_code",
                "index": "0",
                "parameters": [{"type": "coupon_code", "coupon_code": "SPRING30"}],
            }
        ],
    ),
    "flow": (
        """"name": "signup_flow", "language": "en_US",
"buttons": [
{
"index": 0,
"action": {
"flow_token": "tok_3f4a91",
"flow_action_data": { "branch_id": "cairo-downtown" }
}
}
]""",
        "",
        [
            {
                "type": "button",
                "sub_type": "flow",
                "index": "0",
                "parameters": [
                    {
                        "type": "action",
                        "action": {
                            "flow_token": "tok_3f4a91",
                            "flow_action_data": {"branch_id": "cairo-downtown"},
                        },
                    }
                ],
            }
        ],
    ),
}
STATUS_CURL = f"""curl https://api.mojeeb.app/v1/whatsapp/messages/{EXAMPLE_ID} \\
-H "Authorization: Bearer mk_live_YOUR_KEY_HERE" """


class Org:
    """A customer whose number is the sandbox's own +15557654321, with a key made on its API Keys page."""

    def __init__(self, service: Service, *, plan: str = "pro", index: int = 0) -> None:
        self.service = service
        self.account: Account = factories.make_account(plan)
        self.agent: Agent = agents.default_agent(self.account)
        given = seed.number(index)
        self.number = add_number(
            self.account,
            self.agent,
            Credentials(Secret(given.access_token), given.phone_number_id, given.waba_id),
        )
        assert verification.verify(self.number).verified
        template_store.sync(self.number)
        self.key = keys.create(self.account, name="Server")[1].reveal()

    def run(self, command: str, ident: str = "") -> tuple[int, dict[str, str], dict[str, Any]]:
        """Run a page's curl with this service's address and this customer's key, agent and message."""
        command = command.replace(SITE, self.service.url).replace(KEY, self.key)
        command = command.replace(AGENT, str(self.agent.pk)).replace(EXAMPLE_ID, ident)
        done = subprocess.run(
            ["sh", "-c", f"{command.rstrip()} -s -i"], capture_output=True, text=True, timeout=60, check=True
        )
        head, _, body = done.stdout.replace("\r", "").rpartition("\n\n")
        lines = head.splitlines()
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        return int(lines[0].split()[1]), headers, json.loads(body)

    def call(self, method: str, path: str, **more: Any) -> requests.Response:
        """Call the service with this customer's key."""
        return self.service.call(method, path, key=self.key, **more)


def queued(body: dict[str, Any], org: Org, kind: str) -> None:
    """Check the pages' 202, member by member and in their order."""
    assert list(body) == [
        "id",
        "status",
        "agent_id",
        "to",
        "type",
        "platform_message_id",
        "created_at",
        "sent_at",
        "failed_at",
    ]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", body["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", body["created_at"])
    expected = {"status": "queued", "agent_id": str(org.agent.pk), "to": TO, "type": kind}
    assert {name: body[name] for name in expected} == expected
    assert body["platform_message_id"] is body["sent_at"] is body["failed_at"] is None


@pytest.mark.slow
def test_every_curl_of_the_pages_runs_unchanged_and_arrives(service: Service) -> None:
    """Pages 000, 002, 004: send, look up, and what Meta was given."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    org = Org(service)
    idents: dict[str, str] = {}
    for name, (template, headers, _) in TEMPLATE_CURLS.items():
        status, sent_headers, body = org.run(template_curl(template, headers))
        assert status == 202, (name, body)
        queued(body, org, "template")
        assert TRACE.fullmatch(sent_headers["x-correlation-id"].upper().replace("REQ_", "req_"))
        idents[name] = body["id"]
    again = org.run(template_curl(*TEMPLATE_CURLS["body parameters"][:2]))
    assert again[1]["idempotent-replayed"] == "true"
    assert again[2]["id"] == idents["body parameters"]

    def all_delivered() -> bool:
        service.send_what_is_due()
        service.apply_callbacks()
        return not Message.objects.exclude(status="delivered").exists()

    eventually(all_delivered)
    for name, ident in idents.items():
        status, _, body = org.run(STATUS_CURL, ident)
        assert status == 200
        assert body["status"] == "delivered", (name, body)
        assert body["platform_message_id"].startswith("wamid.")
        assert body["created_at"] <= body["sent_at"]
        assert body["failed_at"] is None
        assert "failure_reason" not in body
        (line,) = [one for one in service.sandbox.world.messages if one.wamid == body["platform_message_id"]]
        assert line.phone_number_id == org.number.phone_number_id
        assert line.body["to"] == TO
        assert line.body["template"].get("components", []) == TEMPLATE_CURLS[name][2], name


def test_free_text_inside_the_window_arrives_and_outside_it_fails(service: Service) -> None:
    """Page 000: the 202 only means queued; polling tells the rest."""
    org = Org(service)
    world = service.sandbox.world
    people = {"open": "+15551230001", "closed": "+15551239999"}
    until = world.clock.now() + 3600
    service.sandbox.run(world.windows.__setitem__, (org.number.phone_number_id, people["open"][1:]), until)
    idents = {}
    for name, to in people.items():
        answer = org.call(
            "POST",
            MESSAGES,
            json={
                "agent_id": str(org.agent.pk),
                "from": PHONE,
                "to": to,
                "text": {"body": "Your table is ready."},
            },
        )
        assert answer.status_code == 202
        idents[name] = answer.json()["id"]

    def ended() -> dict[str, Any] | None:
        service.send_what_is_due()
        service.apply_callbacks()
        found = org.call("POST", f"{MESSAGES}/lookup", json={"ids": list(idents.values())}).json()
        assert found["not_found"] == []
        by_id = {one["id"]: one for one in found["data"]}
        ends = {name: by_id[ident] for name, ident in idents.items()}
        return ends if {one["status"] for one in ends.values()} <= {"delivered", "failed"} else None

    ends = eventually(ended)
    assert ends["closed"]["status"] == "failed"
    assert ends["closed"]["failed_at"]
    assert ends["closed"]["failure_reason"]


def test_one_customer_has_one_thread_whichever_side_speaks(service: Service) -> None:
    """Page 001: sends of both APIs and the customer's tap on a button join the same conversation."""
    org = Org(service)
    body = {"agent_id": str(org.agent.pk), "from": PHONE, "to": TO}
    first = org.call(
        "POST", TEMPLATES, json=body | {"template": {"name": "arabic_signup_message", "language": "ar"}}
    ).json()["id"]
    service.send_what_is_due()
    number = service.sandbox.world.numbers[org.number.phone_number_id]
    service.sandbox.run(
        inbound.receive,
        service.sandbox.world,
        service.sandbox.courier,
        number,
        {"from": TO[1:], "type": "button", "button": {"payload": "FEEDBACK_GOOD", "text": "Very much"}},
    )

    def replied() -> Message | None:
        service.apply_callbacks()
        return Message.objects.filter(direction="in").first()

    reply = eventually(replied)
    assert reply.content["button"]["payload"] == "FEEDBACK_GOOD"  # J61: kept with what came in
    second = org.call("POST", MESSAGES, json=body | {"text": {"body": "You are welcome"}}).json()["id"]
    factories.api(org.account).post_json("/send-message", {"to": TO[1:], "message": "From the other API"})
    person = Contact.objects.get()
    assert {one.contact_id for one in Message.objects.all()} == {person.pk}
    assert Message.objects.count() == 4
    assert org.call("GET", f"{MESSAGES}/{reply.pk}").status_code == 404
    shown = org.call("POST", f"{MESSAGES}/lookup", json={"ids": [first, second]}).json()
    assert [one["id"] for one in shown["data"]] == [first, second]


def test_a_message_that_meta_refuses_at_once_shows_when_it_was_handed_over(service: Service) -> None:
    """J2, J3, J5: by the sandbox's own refusal."""
    org = Org(service)
    answer = org.call(
        "POST",
        TEMPLATES,
        json={
            "agent_id": str(org.agent.pk),
            "from": PHONE,
            "to": TO,
            "template": {"name": "nobody_knows_this", "language": "en"},
        },
    )
    assert answer.status_code == 202  # J11: Meta decides about what is not here
    service.send_what_is_due()
    shown = org.call("GET", f"{MESSAGES}/{answer.json()['id']}").json()
    assert shown["status"] == "failed"
    assert shown["sent_at"] and shown["failed_at"]
    assert shown["platform_message_id"] is None
    assert shown["failure_reason"]


def test_the_errors_of_the_pages_are_as_printed(service: Service) -> None:
    """Pages 000, 002, 004."""
    org = Org(service)
    missing = org.call("GET", f"{MESSAGES}/{EXAMPLE_ID}")
    assert missing.status_code == 404
    error = missing.json()["error"]
    assert {name: error[name] for name in ("type", "code", "message")} == {
        "type": "not_found_error",
        "code": "message_not_found",
        "message": "No message found with the supplied id.",
    }
    assert TRACE.fullmatch(error["correlation_id"])
    wrong = org.call(
        "POST",
        TEMPLATES,
        json={
            "agent_id": str(org.agent.pk),
            "from": "+15550000000",
            "to": TO,
            "template": {"name": "arabic_signup_message", "language": "ar"},
        },
    )
    assert wrong.status_code == 422
    assert wrong.json()["error"]["code"] == "from_phone_not_found_for_agent"
    assert wrong.json()["error"]["available_phones"] == [PHONE]
    assert org.call("GET", "/v1/agents").json()["data"][0]["numbers"][0]["phone"] == PHONE


def test_a_key_looks_as_the_pages_print_it(service: Service) -> None:
    """Pages 000 and 001: mk_live_ + 22 + _ + 10; the printed one itself is a placeholder and no key."""
    org = Org(service)
    assert re.fullmatch(r"mk_live_[0-9A-Za-z]{22}_[0-9a-z]{10}", org.key)
    printed = "mk_live_8aB3cDe4FgH5iJ6kLm7nOp_a1b2c3d4e5"
    assert service.call("GET", "/v1/agents", key=printed).status_code == 401
    assert ApiKey.objects.filter(account=org.account, kind=ApiKey.Kind.MK).count() == 1
