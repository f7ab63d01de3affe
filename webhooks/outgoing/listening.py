"""Events of a Hermod somewhere, forwarded to a program on this machine: pulled, signed, posted.

It needs no address that the Internet can reach and no database: only a key. Both ends are named by the
person who runs it, so the rules for customers' addresses (``webhooks.outgoing.egress``) do not apply here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests

from core.secret import Secret
from webhooks.outgoing import signing

#: seconds between two questions while nothing happens; fifteen a minute fit into every plan
IDLE_SECONDS = 4.0
#: seconds to wait after a question that failed
TROUBLE_SECONDS = 5.0
LONGEST_WAIT = 300.0
TIMEOUT = 30.0


class Refused(Exception):
    """The service said no in a way that waiting does not change; the text is its own."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What became of one event: the receiver's status, or why there was none."""

    event: dict[str, Any]
    status: int | None
    error: str = ""
    milliseconds: int = 0


def secret_for(key: Secret) -> Secret:
    """Return the signing secret of a listener: always the same for one key, and telling nothing of it."""
    derived = hmac.digest(key.reveal().encode(), b"hermod listen", hashlib.sha256)
    return Secret(signing.PREFIX + base64.b64encode(derived).decode())


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


@dataclass
class Listener:
    """Pulls from ``url`` with ``key``, posts to ``forward_to``; ``say`` is told of waits, in sentences."""

    url: str
    key: Secret
    forward_to: str
    secret: Secret
    types: frozenset[str] = frozenset()
    after: str | None = "latest"
    idle_seconds: float = IDLE_SECONDS
    say: Callable[[str], None] = lambda sentence: None
    sleep: Callable[[float], None] = time.sleep
    _remote: requests.Session = field(default_factory=_session)
    _local: requests.Session = field(default_factory=_session)

    def run(self) -> Iterator[Forwarded]:
        """Forward events for as long as it is iterated, each as it comes. Raises ``Refused``."""
        while True:
            events, more = self._pull()
            for event in events:
                if not self.types or event["event"] in self.types:
                    yield self._forward(event)
            if not more:
                self.sleep(self.idle_seconds)

    def _pull(self) -> tuple[list[dict[str, Any]], bool]:
        """Ask once, however often that takes; trouble on the way is waited out."""
        while True:
            wait = TROUBLE_SECONDS
            try:
                with self._remote.get(
                    f"{self.url}/events",
                    params={"after": self.after} if self.after else {},
                    headers={"Authorization": f"Bearer {self.key.reveal()}"},
                    timeout=TIMEOUT,
                    allow_redirects=False,
                ) as answer:
                    body = orjson.loads(answer.content)
                    if answer.status_code == 200:
                        self.after = body["pagination"]["nextAfter"]
                        return body["data"], body["pagination"]["hasMore"]
                    said = str(body.get("error", ""))
                    wait = _retry_after(answer.headers.get("Retry-After"), wait)
                    if answer.status_code < 500 and answer.status_code != 429:
                        raise Refused(said)
            except (requests.RequestException, orjson.JSONDecodeError, LookupError, TypeError) as error:
                said = f"{self.url} gave no answer that could be read ({type(error).__name__})."
            self.say(f"{said} Asking again in {wait:g} seconds.")
            self.sleep(wait)

    def _forward(self, event: dict[str, Any]) -> Forwarded:
        body = orjson.dumps(event)
        headers = signing.headers(
            [signing.key_of(self.secret)], event_id=event["id"], timestamp=int(time.time()), body=body
        )
        began = time.monotonic()
        try:
            with self._local.post(
                self.forward_to,
                data=body,
                headers={"Content-Type": "application/json", "User-Agent": "Hermod (listen)", **headers},
                timeout=10,
                allow_redirects=False,
            ) as answer:
                status, error = answer.status_code, ""
        except requests.RequestException as trouble:
            status, error = None, type(trouble).__name__
        return Forwarded(event, status, error, round((time.monotonic() - began) * 1000))


def _retry_after(text: str | None, otherwise: float) -> float:
    if text and text.isascii() and text.isdigit():
        return min(float(text[:6]), LONGEST_WAIT)
    return otherwise
