"""The control API, the page and the process: local only, no secret of the demo's, an end without delay."""

import os
import pathlib
import re
import signal
import subprocess
import sys

import pytest
import requests

from devstack.meta import seed
from devstack.meta.options import Options
from devstack.meta.server import SandboxThread, default_callback_url
from devstack.meta.world import World
from tests.support.waiting import eventually

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_it_counts_what_happened(meta):
    meta.template(meta.customer())
    meta.writes("14155552671", text="x")
    state = meta.control("GET", "state")
    assert state["messages"] == 1 and state["received"] == 1 and state["numbers"] == 10
    assert state["callback_url"] == meta.receiver.url and state["stats"]["accepted"] == 1


def test_it_finds_messages_and_doubles(meta):
    for ref, to in (("a", "+14155552671"), ("b", "+14155552672"), ("a", "+14155552671")):
        meta.template(to, biz_opaque_callback_data=ref)
    assert len(meta.accepted(ref="a")) == 2 and len(meta.accepted(to="+14155552672")) == 1
    assert len(meta.accepted(to="14155552671", ref="b")) == 0
    assert meta.accepted(limit=1, after=1)[0]["to"] == "14155552672"
    assert meta.control("GET", "doubles") == {"references": 2, "doubled": {"a": 2}}
    line = meta.accepted(ref="b")[0]
    assert line["body"]["template"]["name"] == "hello_world" and line["type"] == "template"
    assert meta.control("GET", "messages?phone_number_id=1")["count"] == 0


@pytest.mark.parametrize(
    "values",
    [
        {"colour": 1},
        {"shuffle": "yes"},
        {"latency_ms": -1},
        {"callback_loss": 101},
        {"batch_size": 0},
        {"batch_size": 1001},
        {"api_version": "latest"},
        {"sent_delay": "soon"},
        {"latency_ms": None},
        {"callback_concurrency": 0},
    ],
)
def test_it_refuses_an_option(meta, values):
    before = meta.control("GET", "options")
    meta.control("PUT", "options", {"error_429": 1} | values, expect=400)
    assert meta.control("GET", "options") == before


def test_it_changes_options_and_begins_again(meta):
    assert meta.options(shuffle=True, batch_size=5.0, read_delay=None)["batch_size"] == 5
    meta.template(meta.customer())
    meta.control("POST", "reset")
    state = meta.control("GET", "state")
    assert state["options"] == Options().as_dict() and state["messages"] == 0
    assert state["callback_url"] == meta.receiver.url


def test_it_never_shows_the_demo_token(meta):
    meta.template(meta.customer())
    demo = seed.number(0)
    pages = [
        "",
        "_sandbox/page.js",
        "_sandbox/page.css",
        "_sandbox/numbers",
        "_sandbox/state",
        "_sandbox/messages",
        "_sandbox/magic",
        f"_sandbox/chats?phone_number_id={demo.phone_number_id}",
    ]
    for path in pages:
        answer = requests.get(f"{meta.url}/{path}", timeout=5)
        assert answer.status_code == 200 and demo.access_token not in answer.text
        assert demo.access_token[:12] not in answer.text
    changed = meta.control("PATCH", f"numbers/{demo.phone_number_id}", {"rate": 80})
    assert demo.access_token not in str(changed)
    rows = meta.control("GET", "numbers")["numbers"]
    assert rows[0]["access_token"].startswith("EAA•") and rows[0]["spare"] is False
    assert rows[1]["access_token"] == seed.number(1).access_token and seed.APP_SECRET not in str(rows)


def test_it_makes_numbers(meta):
    made = meta.control("POST", "numbers", {"phone": "+4930123456", "verified_name": "Laden"}, expect=201)
    path = made["phone_number_id"]
    assert meta.call("GET", path, token=made["access_token"]).json()["display_phone_number"] == "+4930123456"
    body = {"messaging_product": "whatsapp", "to": "+14155552671", "type": "template"}
    body["template"] = {"name": "hello_world", "language": {"code": "en_US"}}
    assert meta.call("POST", f"{path}/messages", token=made["access_token"], json=body).status_code == 200
    eventually(lambda: len(meta.receiver.statuses()) == 3)
    meta.control("POST", "numbers", {"phone": "030"}, expect=400)
    meta.control("POST", "numbers", {"app_id": "1"}, expect=404)
    meta.control("PATCH", f"numbers/{path}", {"colour": 1}, expect=400)
    meta.control("PATCH", f"numbers/{path}", {"token": "eat"}, expect=400)
    meta.control("PATCH", "numbers/1", {}, expect=404)


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Host": "10.0.0.1:9000"}]
)
def test_it_is_closed_to_others(meta, headers):
    for method, path in (("GET", "state"), ("POST", "reset"), ("GET", "numbers")):
        answer = requests.request(method, f"{meta.url}/_sandbox/{path}", headers=headers, timeout=5)
        assert answer.status_code == 403
    assert requests.get(f"{meta.url}/", headers=headers, timeout=5).status_code == 403


def test_it_refuses_a_control_body_that_is_no_object(meta):
    answer = requests.put(f"{meta.url}/_sandbox/options", data="[1]", timeout=5)
    assert answer.status_code == 400
    assert requests.put(f"{meta.url}/_sandbox/options", data="{", timeout=5).status_code == 400


def test_it_does_not_turn_back_time(meta):
    before = meta.control("POST", "clock", {})["now"]
    meta.control("POST", "clock", {"advance": -5}, expect=400)
    assert meta.control("POST", "clock", {"advance": 3600})["now"] >= before + 3600


def test_it_shows_a_chat_as_the_customer_sees_it(meta):
    to = "+14155552671"
    values = [{"type": "text", "text": "Pablo"}, {"type": "text", "text": "860198"}]
    meta.template(to, "order_ready", [{"type": "body", "parameters": values}])
    image = {
        "type": "header",
        "parameters": [{"type": "image", "image": {"link": "https://example.com/a.jpg"}}],
    }
    vase = {"type": "body", "parameters": [{"type": "text", "text": "a vase"}]}
    meta.template(to, "product_photo", [image, vase])
    meta.writes(to, text="Thanks")
    buttons = [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]
    meta.send(
        {
            "messaging_product": "whatsapp",
            "to": to,
            "type": "interactive",
            "interactive": {"type": "button", "body": {"text": "Sure?"}, "action": {"buttons": buttons}},
        }
    )
    chat = meta.control("GET", f"chat?phone_number_id={meta.number.phone_number_id}&customer=14155552671")
    first, second, third, fourth = chat["entries"]
    assert first["body"] == "Hi Pablo, your order 860198 is ready!" and first["template"] == "order_ready"
    assert second["media"] == "image" and second["link"] == "https://example.com/a.jpg"
    assert second["buttons"] == [
        {"text": "Tell me more", "button": {"payload": "Tell me more", "text": "Tell me more"}}
    ]
    assert third["mine"] and third["body"] == "Thanks"
    assert fourth["buttons"][0]["answer"]["button_reply"] == {"id": "y", "title": "Yes"}
    assert 86000 < chat["window_seconds"] <= 86400
    chats = meta.control("GET", f"chats?phone_number_id={meta.number.phone_number_id}")["chats"]
    assert [one["customer"] for one in chats] == ["14155552671"] and chats[0]["text"] == "Sure?"


def test_it_serves_a_page_without_anything_inline_or_foreign(meta):
    answer = requests.get(f"{meta.url}/", timeout=5)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'") and "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text)
    script = requests.get(f"{meta.url}/_sandbox/page.js", timeout=5).text
    assert "innerHTML" not in script and "insertAdjacentHTML" not in script
    for text in (answer.text, script, requests.get(f"{meta.url}/_sandbox/page.css", timeout=5).text):
        assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text


def test_it_keeps_the_chats_short_and_the_ledger_whole():
    world = World.default()
    with SandboxThread(world) as sandbox:
        number = seed.number(1)
        requests.put(f"{sandbox.url}/_sandbox/options", json={"pair_burst": 0, "number_rate": 0}, timeout=5)
        url = f"{sandbox.url}/v25.0/{number.phone_number_id}/messages"
        body = {"messaging_product": "whatsapp", "to": "+14155552671", "text": {"body": "x"}}
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {number.access_token}"
            for _ in range(210):
                assert session.post(url, json=body, timeout=5).status_code == 200
        assert len(world.messages) == 210 and len(world.chats[number.phone_number_id, "14155552671"]) <= 200
        assert sandbox.run(lambda: len(world.by_wamid)) == 210


def test_it_ends_while_answers_hang():
    sandbox = SandboxThread().start()
    number = seed.number(1)
    url = f"{sandbox.url}/v25.0/{number.phone_number_id}/messages"
    body = {"messaging_product": "whatsapp", "to": "+14155550014", "text": {"body": "x"}}
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(url, json=body, headers={"Authorization": f"Bearer {number.access_token}"}, timeout=0.1)
    sandbox.stop()  # gives up after 20 seconds; the answer would hang for 60
    sandbox.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        requests.get(f"{url}", timeout=1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_runs_from_the_command_line_and_ends_at_once(number):
    command = [
        sys.executable,
        "-m",
        "devstack.meta.server",
        "--port",
        "0",
        "--callback-url",
        "http://127.0.0.1:9/x",
        "--latency-ms",
        "5",
        "--option",
        "callback_loss=5",
        "--option",
        "read_delay=none",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        line = process.stdout.readline()
        url = line.split()[2]
        state = requests.get(f"{url}/_sandbox/state", timeout=5).json()
        assert state["options"]["latency_ms"] == 5 and state["options"]["callback_loss"] == 5
        assert state["options"]["read_delay"] is None and state["callback_url"] == "http://127.0.0.1:9/x"
        process.send_signal(number)
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == ""


def test_it_says_why_it_cannot_start(meta):
    command = [sys.executable, "-m", "devstack.meta.server", "--port", meta.url.rsplit(":", 1)[1]]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=20, check=False)
    assert done.returncode == 1 and done.stderr.startswith("The sandbox cannot start: ")


def test_it_knows_where_the_service_listens(monkeypatch):
    monkeypatch.delenv("PUBLIC_URL", raising=False)
    monkeypatch.setenv("PORT", "8123")
    assert default_callback_url() == "http://127.0.0.1:8123/webhooks/whatsapp"
    monkeypatch.setenv("PUBLIC_URL", "https://hermod.example/")
    assert default_callback_url() == "https://hermod.example/webhooks/whatsapp"


def test_it_imports_nothing_of_ours():
    code = (
        "import sys, devstack.meta.server; "
        "ours = ('django', 'config', 'accounts', 'webhooks', 'billing'); "
        "print([m for m in sys.modules if m.split('.')[0] in ours"
        " or m.startswith('messaging.') and not m.startswith('devstack.meta')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=20,
        check=True,
        env=os.environ,
    )
    assert done.stdout.strip() == "[]"
