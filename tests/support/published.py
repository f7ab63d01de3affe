"""The receivers on the page of events, taken from it and run as a reader would run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from core.secret import Secret
from tests import factories
from tests.support.processes import listens
from tests.support.waiting import eventually


def markdown() -> str:
    """Return the page as text."""
    return factories.api().get("/developers/events.md").content.decode()


def sample(language: str) -> str:
    """Take the first sample of a language from the published page."""
    match = re.search(rf"^```{language}\n(.*?)^```$", markdown(), re.MULTILINE | re.DOTALL)
    assert match
    return match[1]


def receiver(language: str, port: int) -> list[str]:
    """Return the command that runs the published receiver on a port."""
    code = sample(language)
    assert "3000" in code
    runs = [sys.executable, "-c"] if language == "python" else [shutil.which("node") or "", "-e"]
    if not runs[0]:
        pytest.skip("there is no Node on this machine")
    return [*runs, code.replace("3000", str(port))]


@contextmanager
def running(command: list[str], port: int, secret: Secret) -> Iterator[subprocess.Popen[bytes]]:
    """Run a receiver that knows a secret for as long as the block lasts."""
    environment = {"PATH": os.environ["PATH"], "HERMOD_WEBHOOK_SECRET": secret.reveal()}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(port))
        yield process
    finally:
        process.terminate()
        process.wait(10)
