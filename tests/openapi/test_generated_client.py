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

GENERATOR = Path(sys.executable).with_name("openapi-python-client")


@pytest.fixture
def generated(document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Generate the client and make it importable; returns the package's name."""
    source, config = tmp_path / "openapi.json", tmp_path / "config.yml"
    source.write_text(json.dumps(document))
    config.write_text("package_name_override: hermod_generated\npost_hooks: []\n")
    done = subprocess.run(
        [
            *(GENERATOR, "generate", "--meta", "none", "--fail-on-warning"),
            *("--path", source, "--config", config, "--output-path", tmp_path / "hermod_generated"),
        ],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    return "hermod_generated"


def test_a_generated_client_sends_a_message(generated: str, key: str, live_server: Any) -> None:
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
