"""A real Chromium for the pages, and what each page did: its console, its reports, whom it asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:  # every test loads this file, few draw a page
    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]
# Nothing of the browser's own may leave the machine or be counted as a request of the page.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_COLLECT_REPORTS = """
window.reports = [];
addEventListener("securitypolicyviolation", report => {
  window.reports.push(`${report.violatedDirective} ${report.blockedURI}`);
});
"""


@dataclass
class Visit:
    """One tab of a fresh browser profile, and everything that it should not have done."""

    page: Page
    base_url: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.page.add_init_script(_COLLECT_REPORTS)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)
        self.page.on("requestfailed", self._failed)

    def _said(self, message: ConsoleMessage) -> None:
        # htmx tells of a request that ended with the page: that is us, too, leaving it in the middle of one.
        if message.text.startswith(("htmx:afterRequest", "htmx:sendError", "htmx:sendAbort")):
            return
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if urlsplit(request.url).scheme not in ("data", "blob"):
            self.hosts.add(urlsplit(request.url).netloc)

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status}: {response.url}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # that is us, leaving a page before its last icon came
            self.complaints.append(f"{request.failure}: {request.url}")

    def open(self, path: str) -> None:
        """Go to a page of ours."""
        self.page.goto(self.base_url + path)

    def assert_clean(self) -> None:
        """Fail when a page complained, broke its security policy or asked another host for anything."""
        self.page.wait_for_load_state("networkidle")
        assert self.complaints == []
        assert self.page.evaluate("window.reports") == []
        assert self.hosts == {urlsplit(self.base_url).netloc}


@contextmanager
def launched() -> Iterator[Browser]:
    """Start the Chromium that CHROMIUM_PATH names, or the one on the path, for as long as the block lasts."""
    from playwright.sync_api import expect, sync_playwright

    program = os.environ.get("CHROMIUM_PATH") or next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "no Chromium was found: run `apt-get install -y chromium`, or set CHROMIUM_PATH"
    # A loaded machine needs time to draw; a wait ends as soon as what it waits for is there.
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()
