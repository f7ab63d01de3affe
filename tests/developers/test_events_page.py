"""The page of events: each type with a schema that its example fits, receivers that run, true vectors."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

import jsonschema
import pytest
import requests
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from core.secret import Secret
from tests import factories
from tests.support.processes import free_port
from tests.support.published import markdown, receiver, running, sample
from webhooks.outgoing import signing
from webhooks.outgoing.catalogue import CATALOGUE, TYPES

pytestmark = pytest.mark.django_db
VECTORS = "/developers/events/vectors.json"


def get(path: str) -> Any:
    return factories.api().get(path)


# --- schemas


@pytest.mark.parametrize("one", TYPES, ids=lambda one: one.name)
def test_a_type_has_a_schema_that_its_example_fits(one):
    answer = get(f"/developers/events/{one.name}.json")
    assert answer["Content-Type"] == "application/schema+json"
    schema = answer.json()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(one.body())
    for name in schema["required"]:
        assert not validator.is_valid({key: value for key, value in one.body().items() if key != name})
    assert not validator.is_valid(one.body() | {"event": "another"})
    assert validator.is_valid(one.body() | {"later": "added"}), "members may be added"


def test_every_type_is_in_the_json_and_the_markdown_and_on_the_page():
    listed = get("/developers/events.json").json()["events"]
    assert [one["event"] for one in listed] == list(CATALOGUE)
    text, page = markdown(), get("/developers/events").content.decode()
    for one in listed:
        assert one["schema"]["$id"] == f"http://127.0.0.1:8000/developers/events/{one['event']}.json"
        assert f"\n## {one['event']}\n" in text
        assert one["event"] in page
        for name in one["schema"]["properties"]["data"]["properties"]:
            assert f"`{name}`" in text


def test_a_type_that_is_not_there_is_a_404():
    assert get("/developers/events/message.eaten.json").status_code == 404


def test_examples_in_the_markdown_are_json():
    blocks = re.findall(r"^```json\n(.*?)^```$", markdown(), re.MULTILINE | re.DOTALL)
    assert len(blocks) == len(TYPES) + 1
    for block in blocks:
        assert json.loads(block)["event"] in CATALOGUE


@pytest.mark.parametrize("path", ["/llms.txt", "/developers.md"])
def test_it_is_found_from(path):
    assert "/developers/events" in get(path).content.decode()


def test_the_openapi_document_names_every_event():
    webhooks = get("/openapi.json").json()["webhooks"]
    assert list(webhooks) == list(CATALOGUE)
    for name, one in webhooks.items():
        content = one["post"]["requestBody"]["content"]["application/json"]
        jsonschema.Draft202012Validator(content["schema"]).validate(content["example"])
        assert content["example"]["event"] == name


# --- vectors


def vectors() -> list[dict[str, Any]]:
    return get(VECTORS).json()["vectors"]


def headers_of(vector: dict[str, Any]) -> dict[str, str]:
    return {
        "webhook-id": vector["id"],
        "webhook-timestamp": str(vector["timestamp"]),
        "webhook-signature": vector["signature"],
    }


def test_the_library_agrees_with_every_vector():
    assert {one["valid"] for one in vectors()} == {True, False}
    for one in vectors():
        hook = Webhook(one["secret"])
        with time_machine.travel(one["timestamp"], tick=False):
            if one["valid"]:
                assert hook.verify(one["body"], headers_of(one)) == json.loads(one["body"])
            else:
                with pytest.raises(WebhookVerificationError):
                    hook.verify(one["body"], headers_of(one))
        with time_machine.travel(one["timestamp"] + 600, tick=False), pytest.raises(WebhookVerificationError):
            hook.verify(one["body"], headers_of(one))


def test_we_sign_as_the_vectors_say():
    for one in vectors():
        if one["valid"]:
            made = signing.headers(
                [signing.key_of(Secret(one["secret"]))],
                event_id=one["id"],
                timestamp=one["timestamp"],
                body=one["body"].encode(),
            )
            assert made["webhook-signature"] in one["signature"].split(" ")


# --- receivers


def signed(secret: Secret, body: bytes, *, at: float = 0.0) -> dict[str, str]:
    return signing.headers(
        [signing.key_of(secret)],
        event_id="evt_019d0a3c5e8a7c31b2d4f60718293a4b",
        timestamp=int(time.time() + at),
        body=body,
    )


def accepted(port: int, body: bytes, headers: dict[str, str]) -> bool:
    try:
        return requests.post(f"http://127.0.0.1:{port}/", data=body, headers=headers, timeout=5).ok
    except requests.ConnectionError:  # it raised, and closed the connection without an answer
        return False


def test_the_python_receiver_has_ten_lines():
    assert len(sample("python").strip().splitlines()) == 10


@pytest.mark.parametrize("language", ["python", "js"])
def test_the_published_receiver_believes_us_and_nobody_else(language):
    secret, foreign, port = signing.new_secret(), signing.new_secret(), free_port()
    body = json.dumps(TYPES[0].body(), ensure_ascii=False).encode()
    text = TYPES[1].body()
    text["data"]["text"] = "Grüße, 世界 👋"
    wide = json.dumps(text, ensure_ascii=False).encode()
    with running(receiver(language, port), port, secret) as process:
        assert accepted(port, body, signed(secret, body))
        assert accepted(port, wide, signed(secret, wide))
        good = signed(secret, body)
        for position in (0, len(body) // 2, len(body) - 1):
            flipped = bytearray(body)
            flipped[position] ^= 1
            assert not accepted(port, bytes(flipped), good)
        assert not accepted(port, body, signed(secret, body, at=-3600))
        assert not accepted(port, body, signed(secret, body, at=3600))
        assert not accepted(port, body, signed(foreign, body))
        for missing in good:
            assert not accepted(port, body, {name: good[name] for name in good if name != missing})
        both = signed(foreign, body)["webhook-signature"] + " " + good["webhook-signature"]
        assert accepted(port, body, good | {"webhook-signature": both})
    assert b"message.status_updated" in process.stdout.read()


def test_the_shell_sample_sends_what_the_python_receiver_believes():
    if not (shutil.which("openssl") and shutil.which("curl")):
        pytest.skip("there is no openssl or no curl on this machine")
    secret, port = signing.new_secret(), free_port()
    with running(receiver("python", port), port, secret):
        done = subprocess.run(
            ["sh", "-c", sample("sh").replace("3000", str(port))],
            env={"PATH": os.environ["PATH"], "HERMOD_WEBHOOK_SECRET": secret.reveal()},
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert "204" in done.stdout.splitlines()[0], done.stderr


# --- our signatures and the library's


@pytest.mark.parametrize("attempt", range(5))
def test_a_signature_of_ours_is_the_librarys(attempt):
    secret = signing.new_secret()
    assert len(base64.b64decode(secret.reveal().removeprefix("whsec_"))) >= 24
    body = json.dumps({"event": "x", "n": attempt, "text": "é" * attempt})
    at = int(time.time())
    ours = signing.headers([signing.key_of(secret)], event_id="evt_1", timestamp=at, body=body.encode())
    theirs = Webhook(secret.reveal()).sign("evt_1", datetime.fromtimestamp(at, UTC), body)
    assert ours["webhook-signature"] == theirs
