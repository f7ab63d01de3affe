"""The developer guide's examples: requests as printed there, answers with the keys and types it prints."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Account
from devstack.meta import seed
from messaging.models import Message, Status
from messaging.status.timeline import Change, record
from tests.factories import connect, make_account, make_key, make_message, refusal
from tests.support.service import Service

pytestmark = pytest.mark.django_db(transaction=True)

ISO = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SITE = "https://whatsapi.cc"
PATIENCE = 90  # seconds a program may take on a busy machine


@pytest.fixture
def customer() -> tuple[Account, str]:
    """A paying customer with credentials, and a key's text."""
    account = make_account("pro")
    number = seed.number(1)
    connect(account, token=number.access_token, phone_number_id=number.phone_number_id)
    return account, make_key(account)[1]


def like(found: Any, example: Any, where: str = "data") -> None:
    """Check that everything an example shows is there, of the same type; more is allowed."""
    if isinstance(example, dict):
        assert isinstance(found, dict), where
        for name, inner in example.items():
            assert name in found, f"{where}.{name} is missing"
            like(found[name], inner, f"{where}.{name}")
    elif isinstance(example, list):
        assert isinstance(found, list) and found, where
        for one in found:
            like(one, example[0], f"{where}[]")
    elif isinstance(example, re.Pattern):
        assert isinstance(found, str) and example.fullmatch(found), f"{where}: {found!r}"
    elif example is None:
        assert found is None, f"{where}: {found!r}"
    else:
        assert type(found) is type(example), f"{where}: {found!r}"


# --- answers


def test_the_example_of_register(service: Service):
    """``POST /auth/register``."""
    answer = service.call(
        "POST", "/auth/register", json={"name": "Your Name", "email": "your.name@example.com"}
    )
    assert answer.headers["Content-Type"].startswith("application/json")
    example = {
        "success": True,
        "data": {"apiKey": re.compile(r"sk_live_[0-9a-f]{48}"), "plan": re.compile("free")},
    }
    like(answer.json(), example)


def test_the_example_of_a_send(service: Service, customer):
    """``POST /send-message`` with the document's own body."""
    body = {
        "to": "14155552671",
        "message": "Hi Sarah! Your order #1234 has shipped.",
        "metadata": {"orderId": "1234"},
    }
    answer = service.call("POST", "/send-message", key=customer[1], json=body)
    assert answer.status_code == 202
    like(
        answer.json(),
        {
            "success": True,
            "data": {"id": re.compile(UUID), "status": re.compile("queued"), "scheduledFor": None},
        },
    )


def test_the_example_of_a_template_with_values(service: Service, customer):
    """``POST /send-message`` with components."""
    parameters = [{"type": "text", "text": "Sarah"}, {"type": "text", "text": "#1042"}]
    template = {
        "name": "order_ready",
        "language": "en_US",
        "components": [{"type": "body", "parameters": parameters}],
    }
    answer = service.call(
        "POST", "/send-message", key=customer[1], json={"to": "14155552671", "template": template}
    )
    assert answer.status_code == 202
    assert Message.objects.get().content["template"]["components"] == template["components"]


def test_the_example_of_a_bulk(service: Service, customer):
    """``POST /messages/bulk`` and the list of its batch."""
    items = [
        {"to": "14155552671", "message": "Hi Alice, your code is 1234"},
        {"to": "14155552672", "message": "Hi Bob, your code is 5678"},
    ]
    answer = service.call("POST", "/messages/bulk", key=customer[1], json={"messages": items})
    assert answer.status_code == 202
    data = answer.json()["data"]
    like(data, {"batchId": re.compile(UUID), "totalMessages": 2, "queued": 2, "failedCount": 0})
    assert (data["totalMessages"], data["queued"], data["failedCount"]) == (2, 2, 0)
    listed = service.call("GET", f"/messages?batchId={data['batchId']}", key=customer[1]).json()["data"]
    assert {one["to"] for one in listed} == {"14155552671", "14155552672"}


def test_the_example_of_a_schedule(service: Service, customer):
    """``sendAt`` with milliseconds, as the document writes it, on a day to come."""
    moment = f"{timezone.now() + timedelta(days=17):%Y-%m-%dT08:00:00}"
    body = {
        "to": "14155552671",
        "message": "Reminder: your appointment is tomorrow at 9am.",
        "sendAt": f"{moment}.000Z",
    }
    answer = service.call("POST", "/send-message", key=customer[1], json=body)
    assert answer.status_code == 202, answer.text
    assert answer.json()["data"]["scheduledFor"] == f"{moment}Z"
    assert answer.json()["data"]["status"] == "scheduled"


def test_the_example_of_a_message(service: Service, customer):
    """``GET /messages/:id`` of a delivered one."""
    body = {"to": "14155552671", "message": "Hi", "metadata": {"orderId": "1234"}}
    ident = service.call("POST", "/send-message", key=customer[1], json=body).json()["data"]["id"]
    record([Change(uuid.UUID(ident), Status.SENT, wamid="wamid.X")])
    record([Change(uuid.UUID(ident), Status.DELIVERED, wamid="wamid.X")])
    answer = service.call("GET", f"/messages/{ident}", key=customer[1])
    assert answer.status_code == 200
    moment = re.compile(ISO)
    like(
        answer.json(),
        {
            "success": True,
            "data": {
                "id": re.compile(UUID),
                "to": re.compile("14155552671"),
                "body": "Hi",
                "status": re.compile("delivered"),
                "sentAt": moment,
                "deliveredAt": moment,
                "readAt": None,
                "failedAt": None,
                "errorMessage": None,
                "metadata": {"orderId": re.compile("1234")},
                "timeline": [{"status": "queued", "at": moment}],
            },
        },
    )
    steps = [entry["status"] for entry in answer.json()["data"]["timeline"]]
    assert steps == ["queued", "sent", "delivered"]


def test_the_example_of_me(service: Service):
    """``GET /auth/me``."""
    _, key = make_key(make_account("free"))
    answer = service.call("GET", "/auth/me", key=key)
    example = {
        "name": "",
        "email": "",
        "plan": "",
        "messagesSent": 42,
        "byocConfigured": False,
        "webhookUrl": None,
    }
    like(answer.json()["data"], example)
    assert key not in answer.text


def test_the_example_of_the_summary(service: Service, customer):
    """``GET /analytics/summary``."""
    message = make_message(customer[0], status=Status.QUEUED)
    record([Change(message.pk, Status.DELIVERED)])
    answer = service.call("GET", "/analytics/summary", key=customer[1])
    like(
        answer.json()["data"],
        {"total": 1, "byStatus": {"delivered": 1}, "deliveryRate": 0.94, "failureRate": 0.05},
    )


def test_the_example_of_rotate(service: Service, customer):
    """``POST /auth/me/rotate-key``: no body, as curl sends it; the old key is dead at once."""
    answer = service.call("POST", "/auth/me/rotate-key", key=customer[1])
    assert answer.status_code == 200
    like(answer.json(), {"success": True, "data": {"apiKey": re.compile(r"sk_live_[0-9a-f]{48}")}})
    assert service.call("GET", "/auth/me", key=customer[1]).status_code == 401
    assert service.call("GET", "/auth/me", key=answer.json()["data"]["apiKey"]).status_code == 200


def test_the_examples_of_lists_and_retry(service: Service, customer):
    """``GET /messages?status=failed&limit=50`` and ``POST /messages/:id/retry``."""
    failed = make_message(customer[0], status=Status.FAILED)
    make_message(customer[0], status=Status.SENT)
    listed = service.call("GET", "/messages?status=failed&limit=50", key=customer[1])
    assert [one["id"] for one in listed.json()["data"]] == [str(failed.pk)]
    answer = service.call("POST", f"/messages/{failed.pk}/retry", key=customer[1])
    assert answer.status_code == 202


# --- errors and headers


def test_every_error_has_the_one_shape_and_details_only_on_400(service: Service, customer):
    """Error codes."""
    sent = make_message(customer[0], status=Status.SENT)
    closed = make_account("pro", name="Closed")
    _, closed_key = make_key(closed)
    Account.objects.filter(pk=closed.pk).update(is_active=False)
    slow = make_key(customer[0], rate_limit_per_minute=1)[1]
    for _ in range(3):
        service.call("GET", "/auth/me", key=slow)
    answers = [
        (400, service.call("POST", "/send-message", key=customer[1], json={"to": "+1"})),
        (401, service.call("GET", "/auth/me")),
        (401, service.call("GET", "/auth/me", key="sk_live_wrong")),
        (403, service.call("GET", "/auth/me", key=closed_key)),
        (404, service.call("GET", f"/messages/{uuid.uuid4()}", key=customer[1])),
        (409, service.call("POST", f"/messages/{sent.pk}/retry", key=customer[1])),
        (429, service.call("GET", "/auth/me", key=slow)),
    ]
    for status, answer in answers:
        assert answer.status_code == status, answer.text
        assert answer.headers["Content-Type"].startswith("application/json")
        body = answer.json()
        assert body["success"] is False
        assert isinstance(body["error"], str) and body["error"]
        assert ("details" in body) == (status == 400)
    assert answers[2][1].json()["error"] == "Invalid API key."
    for entry in answers[0][1].json()["details"]:
        like(entry, {"field": "to", "message": "…"})
    assert int(answers[-1][1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "sk_live_" + "a" * 48,
        "Basic YTpi",
        "Bearer sk_live_" + "A" * 48,
        "Bearer sk_live_" + "a" * 47,
        "Bearer  x y",
        "Token sk_live_" + "a" * 48,
        "Bearer " + "é" * 20,
    ],
)
def test_an_authorization_header_that_is_no_key_is_401(client, header):
    """Authentication."""
    answer = client.get("/auth/me", HTTP_AUTHORIZATION=header)
    assert answer.status_code == 401
    assert answer.json() == refusal("Invalid API key.", "invalid_api_key")


def test_rate_headers_come_over_the_wire_and_not_on_metas_webhook(service: Service, customer):
    """Rate limits."""
    answer = service.call("GET", "/auth/me", key=customer[1])
    for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"):
        assert re.fullmatch(r"\d+", answer.headers[name])
    assert "Retry-After" not in answer.headers
    hook = service.call("POST", "/webhooks/whatsapp", json={})
    assert not [name for name in hook.headers if name.lower().startswith("x-ratelimit")]


# --- programs, as printed

PYTHON = {
    "register": """
import requests
r = requests.post('https://whatsapi.cc/auth/register',
    json={'name': 'Your Name', 'email': 'your.name@example.com'})
api_key = r.json()['data']['apiKey']
print(api_key)  # save this!
""",
    "template": """
import os, requests
r = requests.post('https://whatsapi.cc/send-message',
    headers={'Authorization': 'Bearer ' + os.environ['WHATSAPI_KEY']},
    json={
        'to': '14155552671',
        'template': {'name': 'hello_world', 'language': 'en_US'},
    })
print(r.json()['data']['id'])  # message id
""",
    "text": """
import os, requests
r = requests.post('https://whatsapi.cc/send-message',
    headers={
        'Authorization': 'Bearer ' + os.environ['WHATSAPI_KEY'],
        'Idempotency-Key': 'order-1234-shipped',
    },
    json={
        'to': '14155552671',
        'message': 'Hi Sarah! Your order #1234 has shipped.',
        'metadata': {'orderId': '1234'},
    })
print(r.json()['data']['id'])
""",
}

JAVASCRIPT = {
    "register": """
const res = await fetch('https://whatsapi.cc/auth/register', {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ name: 'Your Name', email: 'your.name@example.com' }),
});
const { data } = await res.json();
console.log(data.apiKey); // save this — it won't be shown again
""",
    "template": """
const res = await fetch('https://whatsapi.cc/send-message', {
  method: 'POST',
  headers: {
    'Authorization': 'Bearer ' + process.env.WHATSAPI_KEY,
    'Content-Type': 'application/json',
  },
  body: JSON.stringify({
    to: '14155552671',
    template: { name: 'hello_world', language: 'en_US' },
  }),
});
const { data } = await res.json();
console.log(data.id); // save — use to check delivery later
""",
    "text": """
const res = await fetch('https://whatsapi.cc/send-message', {
  method: 'POST',
  headers: {
    'Authorization': 'Bearer ' + process.env.WHATSAPI_KEY,
    'Content-Type': 'application/json',
    'Idempotency-Key': 'order-1234-shipped',
  },
  body: JSON.stringify({
    to: '14155552671',
    message: 'Hi Sarah! Your order #1234 has shipped.',
    metadata: { orderId: '1234' },
  }),
});
const { data } = await res.json();
console.log(data.id);
""",
}

CURL = {
    "register": """curl -X POST https://whatsapi.cc/auth/register \\
  -H "Content-Type: application/json" \\
  -d '{ "name": "Your Name", "email": "your.name@example.com" }'""",
    "credentials": """curl -X PUT https://whatsapi.cc/auth/me/credentials \\
  -H "Authorization: Bearer sk_live_a1b2c3..." -H "Content-Type: application/json" \\
  -d '{ "whatsappAccessToken": "EAAc...", "whatsappPhoneNumberId": "1234567890" }'""",
    "verify": """curl -X POST https://whatsapi.cc/auth/me/credentials/verify \\
  -H "Authorization: Bearer sk_live_a1b2c3..." """,
    "template": """curl -X POST https://whatsapi.cc/send-message \\
  -H "Authorization: Bearer sk_live_a1b2c3..." -H "Content-Type: application/json" \\
  -d '{ "to": "14155552671", "template": { "name": "hello_world", "language": "en_US" } }'""",
    "text": """curl -X POST https://whatsapi.cc/send-message \\
  -H "Authorization: Bearer sk_live_..." -H "Content-Type: application/json" \\
  -H "Idempotency-Key: order-1234-shipped" \\
  -d '{ "to": "14155552671", "message": "Hi Sarah! Your order #1234 has shipped.",
        "metadata": { "orderId": "1234" } }'""",
    "values": """curl -X POST https://whatsapi.cc/send-message \\
  -H "Authorization: Bearer sk_live_..." -H "Content-Type: application/json" \\
  -d '{ "to": "14155552671", "template": { "name": "order_ready", "language": "en_US",
        "components": [{ "type": "body", "parameters": [
          { "type": "text", "text": "Sarah" }, { "type": "text", "text": "#1042" } ] }] } }'""",
    "bulk": """curl -X POST https://whatsapi.cc/messages/bulk \\
  -H "Authorization: Bearer sk_live_..." -H "Content-Type: application/json" \\
  -d '{ "messages": [ { "to": "14155552671", "message": "Hi Alice, your code is 1234" },
        { "to": "14155552672", "message": "Hi Bob, your code is 5678" } ] }'""",
    "message": """curl https://whatsapi.cc/messages/MESSAGE_ID_HERE \\
  -H "Authorization: Bearer sk_live_..." """,
    "list": """curl "https://whatsapi.cc/messages?status=failed&limit=50" \\
  -H "Authorization: Bearer sk_live_..." """,
    "retry": """curl -X POST https://whatsapi.cc/messages/MESSAGE_ID_HERE/retry \\
  -H "Authorization: Bearer sk_live_..." """,
    "summary": """curl https://whatsapi.cc/analytics/summary -H "Authorization: Bearer sk_live_..." """,
    "remove": """curl -X DELETE https://whatsapi.cc/auth/me/credentials \\
  -H "Authorization: Bearer sk_live_..." """,
    "rotate": """curl -X POST https://whatsapi.cc/auth/me/rotate-key \\
  -H "Authorization: Bearer sk_live_OLD_KEY" """,
}
CURL_STATUS = {"register": 201, "template": 202, "text": 202, "values": 202, "bulk": 202, "retry": 202}


def run(command: list[str], **environment: str) -> str:
    """Run a program to its end and return what it printed."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    done = subprocess.run(
        command, env=keep | environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def wanted(name: str, printed: str) -> None:
    """Check what a program of the document prints."""
    if name == "register":
        assert re.fullmatch(r"sk_live_[0-9a-f]{48}", printed)
        assert Account.objects.filter(email="your.name@example.com").count() == 1
    else:
        message = Message.objects.get(pk=printed)
        assert message.type == name
        assert message.recipient == "14155552671"


@pytest.mark.slow
@pytest.mark.parametrize("name", PYTHON)
def test_the_python_of_the_document_runs_unchanged(service: Service, customer, name):
    """Only the address is another."""
    program = PYTHON[name].replace(SITE, service.url)
    wanted(name, run([sys.executable, "-c", program], WHATSAPI_KEY=customer[1]))


@pytest.mark.slow
@pytest.mark.parametrize("name", JAVASCRIPT)
def test_the_javascript_of_the_document_runs_unchanged(service: Service, customer, name):
    """Only the address is another."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node on this machine")
    if int(run([node, "--version"]).lstrip("v").partition(".")[0]) < 18:
        pytest.skip("this node is too old to know fetch")
    program = JAVASCRIPT[name].replace(SITE, service.url)
    printed = run([node, "--input-type=module", "-e", program], WHATSAPI_KEY=customer[1])
    wanted(name, printed)


@pytest.mark.slow
@pytest.mark.parametrize("name", CURL)
def test_the_curl_of_the_document_runs_unchanged(service: Service, customer, name):
    """Only the address, the key and the message's id are others."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on this machine")
    account, key = customer
    failed = make_message(account, status=Status.FAILED)
    command = re.sub(r"sk_live_[\w.]+", key, CURL[name]).replace(SITE, service.url)
    command = command.replace("MESSAGE_ID_HERE", str(failed.pk)).replace("EAAc...", "EAAc" + "x" * 60)
    printed = run(["sh", "-c", command.rstrip() + " -s -w '\\n%{http_code}'"])
    body, _, status = printed.rpartition("\n")
    assert int(status) == CURL_STATUS.get(name, 200), printed
    assert json.loads(body)["success"] is True
