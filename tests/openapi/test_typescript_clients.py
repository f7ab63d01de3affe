"""Clients in TypeScript that generators make of both documents: they compile, call the server, read it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import requests

from tests.support.v1 import Customer

PINNED = Path(__file__).with_name("generators")
#: the oldest that the generators in package.json run on
NODE = (20, 19)

SEND = """
import { sendMessage, getMessage } from './client';

async function main() {
  const sent = await sendMessage({
    auth: process.env.HERMOD_KEY,
    body: { to: '14155552671', template: { name: 'hello_world', language: 'en_US' }, dry_run: true },
  });
  const id = sent.data!.data.id;
  const found = await getMessage({ auth: process.env.HERMOD_KEY, path: { message_id: id } });
  const refused = await sendMessage({ auth: process.env.HERMOD_KEY, body: { to: '+1', message: 'Hello' } });
  const fault = refused.error as { details: { field: string }[] };
  console.log(JSON.stringify([sent.response!.status, found.data!.data.to, fault.details[0]!.field]));
}
main();
"""
SEND_V1 = """
import { sendWhatsAppTemplate, getWhatsAppMessage } from './client';

async function main() {
  const auth = process.env.HERMOD_KEY;
  const parameters = { customer_name: 'Sara' };
  const template = { name: 'order_shipped', language: 'en', parameters };
  const body = { agent_id: process.env.AGENT!, from: '+15557654321', to: '+15551234567', template };
  const sent = await sendWhatsAppTemplate({ auth, body });
  const found = await getWhatsAppMessage({ auth, path: { message_id: sent.data!.id } });
  const refused = await sendWhatsAppTemplate({ auth, body: { ...body, to: '15551234567' } });
  const fault = refused.error as { error: { param: string } };
  console.log(JSON.stringify([sent.response!.status, found.data!.to, fault.error.param]));
}
main();
"""


def run(command: Sequence[str | Path], folder: Path, **more: Any) -> str:
    """Run a command in a folder; returns what it printed, and fails with that."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, **more
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def generators() -> Path:
    """Install the generators once, beside the packages of Python; skip where nothing can run them."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node.js and npm are not on this machine, and the TypeScript generators need them.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if tuple(int(part) for part in version.strip("v\n").split(".")[:2]) < NODE:
        pytest.skip(f"The TypeScript generators need Node.js {NODE[0]}.{NODE[1]}; this is {version.strip()}.")
    stamp = crc32((PINNED / "package-lock.json").read_bytes())
    installed = Path(sys.prefix) / "generators"
    if not (installed / f"{stamp}").exists():
        shutil.rmtree(installed, ignore_errors=True)
        shutil.copytree(PINNED, installed)
        done = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"],
            cwd=installed,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"npm could not install the TypeScript generators: {done.stderr.strip()[-300:]}")
        (installed / f"{stamp}").touch()
    return installed / "node_modules"


def answer_of(document: dict[str, Any], script: str, generators: Path, folder: Path, **env: str) -> Any:
    """Generate types and a client of a document, compile them with a script, run it; returns what it printed.

    The client is told no address: it calls the one that the document names first.
    """
    (folder / "node_modules").symlink_to(generators)
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "main.ts").write_text(script)
    tools = generators / ".bin"
    run([tools / "openapi-typescript", "openapi.json", "-o", "types.ts"], folder)
    run([tools / "openapi-ts", "-i", "openapi.json", "-o", "client", "--no-log-file"], folder)
    strict = ["--strict", "--noUncheckedIndexedAccess", "--skipLibCheck"]
    kind = ["--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "commonjs"]
    (folder / "globals.d.ts").write_text(
        "declare const process: { env: Record<string, string | undefined> };"
    )
    run([tools / "tsc", *strict, *kind, "--outDir", "out", "main.ts", "types.ts", "globals.d.ts"], folder)
    return json.loads(run(["node", "out/main.js"], folder, env={"PATH": _path(), **env}))


def _path() -> str:
    return str(Path(shutil.which("node") or "node").parent)


def test_a_client_in_typescript_sends_a_message(
    generators: Path, document: dict[str, Any], tmp_path: Path, key: str, live_server: Any
) -> None:
    document["servers"][0]["url"] = live_server.url
    told = answer_of(document, SEND, generators, tmp_path, HERMOD_KEY=key)
    assert told == [202, "14155552671", "to"]


def test_a_client_in_typescript_of_the_v1_document_sends_a_template(
    generators: Path, org: Customer, tmp_path: Path, live_server: Any
) -> None:
    document = requests.get(f"{live_server.url}/v1/openapi.json", timeout=20).json()
    document["servers"][0]["url"] = live_server.url
    key, agent = org.key(), str(org.agent.pk)
    told = answer_of(document, SEND_V1, generators, tmp_path, HERMOD_KEY=key, AGENT=agent)
    assert told == [202, "+15551234567", "to"]
