"""A client that a generator makes of the document: it imports, sends a rehearsal and reads the answer."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests

from tests.support.v1 import Customer

GENERATOR = Path(sys.executable).with_name("openapi-python-client")


def generate(document: dict[str, Any], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Generate a client and make it importable; returns the package's name."""
    source, config = tmp_path / "openapi.json", tmp_path / "config.yml"
    source.write_text(json.dumps(document))
    config.write_text(f"package_name_override: {name}\npost_hooks: []\n")
    done = subprocess.run(
        [
            *(GENERATOR, "generate", "--meta", "none", "--fail-on-warning"),
            *("--path", source, "--config", config, "--output-path", tmp_path / name),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_a_generated_client_sends_a_message(
    document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, live_server: Any
) -> None:
    generated = generate(document, "hermod_generated", tmp_path, monkeypatch)
    package = importlib.import_module(generated)
    models = importlib.import_module(f"{generated}.models")
    send = importlib.import_module(f"{generated}.api.messages.send_message")
    read = importlib.import_module(f"{generated}.api.messages.get_message")
    client = package.AuthenticatedClient(base_url=live_server.url, token=key)
    body = models.SendBodyRequest(
        to="14155552671",
        template=models.TemplateBodyRequest(name="hello_world", language="en_US"),
        dry_run=True,
    )

    sent = send.sync_detailed(client=client, body=body)
    assert sent.status_code == 202
    assert isinstance(sent.parsed.data.id, UUID)
    assert sent.parsed.data.status == "queued"

    found = read.sync(client=client, message_id=sent.parsed.data.id)
    assert found.data.to == "14155552671"
    assert found.data.dry_run is True

    refused = send.sync(client=client, body=models.SendBodyRequest(to="+1", message="Hello"))
    assert refused.success is False
    assert refused.details[0].field == "to"


def test_a_client_generated_from_the_v1_document_sends_a_template(
    org: Customer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, live_server: Any
) -> None:
    document = requests.get(f"{live_server.url}/v1/openapi.json", timeout=20).json()
    name = generate(document, "hermod_v1_generated", tmp_path, monkeypatch)
    package = importlib.import_module(name)
    models = importlib.import_module(f"{name}.models")
    send = importlib.import_module(f"{name}.api.v1_sending.send_whats_app_template")
    read = importlib.import_module(f"{name}.api.v1_reading.get_whats_app_message")
    client = package.AuthenticatedClient(base_url=live_server.url, token=org.key())
    values = models.TemplateV1RequestParameters()
    values["customer_name"] = "Sara"
    template = models.TemplateV1Request(name="order_shipped", language="en", parameters=values)

    def ask(to: str) -> Any:
        body = models.SendTemplateBodyRequest(
            agent_id=org.agent.pk, from_="+15557654321", to=to, template=template
        )
        return send.sync_detailed(client=client, body=body)

    sent = ask("+15551234567")
    assert sent.status_code == 202
    assert isinstance(sent.parsed.id, UUID)
    assert (sent.parsed.status, sent.parsed.type_) == ("queued", "template")

    found = read.sync(client=client, message_id=sent.parsed.id)
    assert (found.to, found.agent_id) == ("+15551234567", org.agent.pk)
    assert found.sent_at is None

    refused = ask("15551234567")
    assert refused.status_code == 422
    assert (refused.parsed.error.code, refused.parsed.error.param) == ("invalid_phone_number", "to")
