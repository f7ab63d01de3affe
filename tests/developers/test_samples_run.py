"""Every sample of the guides, as a reader would run it: curl, Python and JavaScript against a live server."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import Account, ApiKey, Number
from developers.guide import EXAMPLE_AGENT, EXAMPLE_NUMBER_ID, EXAMPLE_PHONE, EXAMPLE_WABA_ID, library
from devstack.meta import seed
from messaging.message_templates import store as template_store
from messaging.models import Message, Status
from tests import factories

EXAMPLE_ID = "01a1fbfa-7c1e-7d11-8c5e-2f6f0a9be001"
EXAMPLE_TOKEN = "EAAJBexampletokenexample"
EXAMPLE_SECRET = "0123456789abcdef0123456789abcdef"
ANSWER = re.compile(r"\b(200|201|202|204)\b")
#: what a sample of each language begins with in the guide
FENCE = re.compile(r"^```(sh|python|js)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def alice(transactional_db: None) -> Account:
    """A reader of the guides, with a number of the sandbox (``number``)."""
    return factories.make_account("pro", name="Alice")


def _message(alice: Account, number: Number, sample: str) -> str:
    """Make the message that a sample speaks of, in the state that it needs."""
    state = {"retry": Status.FAILED, "cancel": Status.SCHEDULED}
    wanted = next((status for word, status in state.items() if f"/{word}" in sample), Status.SENT)
    later = timezone.now() + timedelta(hours=1)
    waits = {"due_at": later, "scheduled_for": later} if wanted == Status.SCHEDULED else {}
    source = Message.Source.V1 if "/v1/" in sample else Message.Source.CLASSIC
    return str(factories.make_message(alice, connection=number, status=wanted, source=source, **waits).pk)


def _samples(language: str, base: str) -> Iterator[str]:
    for found, code in FENCE.findall(library(base, 1000).whole):
        if found == language and re.search(rf"{base}/", code):
            yield code


def _own(code: str, alice: Account, number: Number, language: str) -> str:
    """Fill in what belongs to the reader, as the page does for whoever is signed in, and more."""
    if EXAMPLE_ID in code:
        code = code.replace(EXAMPLE_ID, _message(alice, number, code))
    given = seed.number(1)
    for example, own in (
        (EXAMPLE_TOKEN, str(given.access_token)),
        (EXAMPLE_NUMBER_ID, number.phone_number_id),
        (EXAMPLE_WABA_ID, number.waba_id),
        (EXAMPLE_SECRET, str(seed.APP_SECRET)),
        (EXAMPLE_AGENT, str(number.agent_id)),
        (EXAMPLE_PHONE, f"+{number.display_phone}"),
        ("you@example.com", f"reader-{language}@example.com"),
        # One key of the guide stands in two samples; each reader's request has its own.
        ("Idempotency-Key: ", f"Idempotency-Key: {language}-"),
        ('"Idempotency-Key": "', f'"Idempotency-Key": "{language}-'),
        ("'Idempotency-Key': '", f"'Idempotency-Key': '{language}-"),
        ("https://yourapp.com/webhooks/hermod", "http://127.0.0.1:9/webhooks/hermod"),
    ):
        code = code.replace(example, own)
    return code


@pytest.fixture
def reader(meta, alice, number, live_server, settings, tmp_path, monkeypatch) -> dict[str, str]:
    """A person with a key in the environment, in a folder with the file that the samples upload."""
    settings.PUBLIC_URL = live_server.url
    settings.WEBHOOK_ALLOW_PRIVATE = True  # the reader's own server is on this machine
    template_store.sync(number)
    number.display_phone = "".join(filter(str.isdigit, seed.number(1).phone))
    number.status = Number.Status.ACTIVE
    number.save()
    _, key = factories.make_key(alice, kind=ApiKey.Kind.SK, rate_limit_per_minute=100_000)
    (tmp_path / "invoice-1042.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    monkeypatch.setenv("HERMOD_KEY", key)
    monkeypatch.chdir(tmp_path)
    return {"base": live_server.url}


def _prepared(language: str, reader: dict[str, str], alice: Account, number: Number) -> list[str]:
    found = [_own(code, alice, number, language) for code in _samples(language, reader["base"])]
    assert len(found) > 20, "the guides lost their samples"
    return found


def test_every_curl_of_the_guides_runs(reader, alice, number, tmp_path: Path) -> None:
    samples = _prepared("sh", reader, alice, number)
    script = ["curl() { command curl -sS -o /dev/null -w '%{http_code} ' \"$@\"; }"]
    for index, code in enumerate(samples):
        script += [f"printf '\\n{index} '", code]
    (tmp_path / "all.sh").write_text("\n".join(script))
    done = subprocess.run(["/bin/sh", "all.sh"], capture_output=True, text=True, timeout=120, check=False)
    assert not done.stderr, done.stderr
    _all_answered(done.stdout, samples)


def test_every_python_of_the_guides_runs(reader, alice, number) -> None:
    samples = _prepared("python", reader, alice, number)
    said = []
    for index, code in enumerate(samples):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, f"sample {index}", "exec"), {})
        # The upload prints the id alone, as its reader needs it.
        said.append(f"{index} {'200 ' if out.getvalue().strip().isdigit() else ''}{out.getvalue()}")
    _all_answered("\n".join(said), samples)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node to run JavaScript")
def test_every_javascript_of_the_guides_runs(reader, alice, number, tmp_path: Path) -> None:
    samples = _prepared("js", reader, alice, number)
    parts = ["import { openAsBlob } from 'node:fs';"]
    for index, code in enumerate(samples):
        body = code.replace("import { openAsBlob } from 'node:fs';", "")
        parts.append(f"console.log(''); process.stdout.write('{index} ');\n{{\n{body}\n}}")
    (tmp_path / "all.mjs").write_text("\n".join(parts))
    done = subprocess.run(
        ["node", "all.mjs"], capture_output=True, text=True, timeout=120, check=False, env=os.environ.copy()
    )
    assert done.returncode == 0, done.stderr
    _all_answered(re.sub(r"(?m)^(\d+) (\d{10,})$", r"\1 200 \2", done.stdout), samples)


def _all_answered(said: str, samples: list[str]) -> None:
    """Fail when a sample had no answer, or a refusal."""
    answers = dict(re.findall(r"(?m)^(\d+) +(\d{3})\b", said))
    refused = {
        code.strip(): answers.get(str(index))
        for index, code in enumerate(samples)
        if not ANSWER.match(answers.get(str(index), ""))
    }
    assert not refused, json.dumps(refused, indent=2) + said[-3000:]


def test_the_answers_that_the_guides_show_are_json() -> None:
    shown = re.findall(r"(?ms)^```json\n(.*?)^```", library("http://hermod.example", 1000).whole)
    assert len(shown) > 7
    for text in shown:
        json.loads(text)
