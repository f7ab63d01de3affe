"""/llms.txt by itself: what a coding agent, given nothing else, reads a message and handles an event with."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema
import pytest
import time_machine

from webhooks.outgoing.catalogue import CATALOGUE, TYPES

VECTORS = "/developers/events/vectors.json"


@pytest.fixture
def text(client: Any) -> str:
    """The text as it is served."""
    return client.get("/llms.txt").content.decode()


def section(text: str, title: str) -> str:
    """Take what stands under a heading."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def block(text: str, language: str) -> str:
    """Take the first sample of a language."""
    match = re.search(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert match
    return match[1]


def test_it_shows_a_message_whole_and_as_the_document_describes_it(text, client):
    document = client.get("/openapi.json").json()
    shown = json.loads(block(section(text, "A message"), "json"))
    schema = {"$ref": "#/components/schemas/MessageObjectAnswer", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(shown)
    assert shown["data"].keys() == document["components"]["schemas"]["MessageObject"]["properties"].keys()


def test_it_names_every_event_with_every_member(text):
    part = section(text, "Events (webhooks)")
    for one in TYPES:
        line = re.search(rf"^- {re.escape(one.name)}: (.*)$", part, re.MULTILINE)
        assert line
        for name in one.data["properties"]:
            assert re.search(rf"\b{name}: ", line[1]), (one.name, name)
    examples = [json.loads(line) for line in block(part, "json").splitlines()]
    assert examples == [CATALOGUE[one["event"]].body() for one in examples]
    assert {one["event"] for one in examples} == {"message.status_updated", "message.received"}


def test_its_verifier_believes_what_we_sign_and_nothing_else(text, client, monkeypatch):
    scope: dict[str, Any] = {}
    exec(block(section(text, "Events (webhooks)"), "python"), scope)
    event_of = scope["event_of"]
    vectors = client.get(VECTORS).json()["vectors"]
    assert {one["valid"] for one in vectors} == {True, False}
    for one in vectors:
        monkeypatch.setenv("HERMOD_WEBHOOK_SECRET", one["secret"])
        headers = {
            "webhook-id": one["id"],
            "webhook-timestamp": str(one["timestamp"]),
            "webhook-signature": one["signature"],
        }
        body = one["body"].encode()
        with time_machine.travel(one["timestamp"], tick=False):
            assert event_of(body, headers) == (json.loads(body) if one["valid"] else None), one["name"]
            strange = headers | {"webhook-signature": "v1,\u00e9 " + one["signature"]}
            assert event_of(body, strange) == event_of(body, headers), "a foreign signature beside ours"
            assert event_of(body, headers | {"webhook-timestamp": "soon"}) is None
        with time_machine.travel(one["timestamp"] + 600, tick=False):
            assert event_of(body, headers) is None, one["name"]
