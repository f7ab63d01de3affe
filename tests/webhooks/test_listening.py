"""`manage.py listen`: a program on a laptop gets a remote Hermod's events, signed, without a tunnel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from standardwebhooks import Webhook, WebhookVerificationError

from core.secret import Secret
from tests.factories import make_key
from tests.support.events import happen, settled
from tests.support.waiting import eventually
from webhooks.models import Event
from webhooks.models import Listener as Registered
from webhooks.outgoing import pulling, signing
from webhooks.outgoing.listening import Listener, Refused, secret_for

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parent.parent.parent


class Receiver:
    """A program of a developer's: keeps what it got, answers what it was told to."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, dict[str, str]]] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.got.append(
                    (self.rfile.read(int(self.headers["Content-Length"])), dict(self.headers))
                )
                self.send_response(receiver.status)
                self.send_header("Location", "http://127.0.0.1:9/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Stay quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def key(alice) -> Secret:
    pulling.page(alice.pk, after=None)
    return Secret(make_key(alice)[1])


class Patience:
    """Stands for sleeping; ends the listener after so many waits, unless something is still to come."""

    def __init__(self, waits: int = 1) -> None:
        self.waits, self.slept = waits, []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) >= self.waits:
            raise StopIteration


def listener(url: str, key: Secret, receiver: Receiver, **more: Any) -> Listener:
    return Listener(
        url=url, key=key, forward_to=receiver.url, secret=secret_for(key), **{"sleep": Patience(), **more}
    )


def heard(one: Listener) -> list[Any]:
    """Run a listener until its patience ends."""
    found = []
    try:
        for forwarded in one.run():
            found.append(forwarded)
    except RuntimeError as error:  # StopIteration inside a generator
        assert isinstance(error.__cause__, StopIteration)
    return found


def test_events_arrive_in_order_and_verify(alice, live_server, key, receiver):
    happen(alice, "a", "b", "ü — 世界")
    eventually(settled)
    found = heard(listener(live_server.url, key, receiver, after=None))
    assert [one.status for one in found] == [204, 204, 204]
    hook = Webhook(secret_for(key).reveal())
    verified = [hook.verify(body, headers) for body, headers in receiver.got]
    assert [one["data"]["name"] for one in verified] == ["a", "b", "ü — 世界"]
    for (_, headers), one in zip(receiver.got, verified, strict=True):
        assert headers["webhook-id"] == one["id"]
        assert headers["Content-Type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret().reveal()).verify(*receiver.got[0])


def test_what_is_forwarded_is_byte_for_byte_what_an_endpoint_gets(alice, live_server, key, receiver):
    happen(alice, 'ü — 世界 " \\ \u2028 😀')
    eventually(settled)
    heard(listener(live_server.url, key, receiver, after=None))
    assert receiver.got[0][0] == Event.objects.get().body.encode()


def test_it_begins_now_and_goes_on_where_it_stood(alice, live_server, key, receiver):
    happen(alice, "old")
    eventually(settled)
    one = listener(live_server.url, key, receiver)
    assert heard(one) == []
    for name in ("first", "second"):
        happen(alice, name)
        eventually(settled)
        one.sleep = Patience()
        assert [forwarded.event["data"]["name"] for forwarded in heard(one)] == [name]


def test_a_backlog_of_pages_is_forwarded_without_waiting(alice, live_server, key, receiver):
    happen(alice, *map(str, range(pulling.DEFAULT * 2 + 3)))
    eventually(settled)
    one = listener(live_server.url, key, receiver, after=None)
    assert len(heard(one)) == pulling.DEFAULT * 2 + 3
    assert one.sleep.slept == [one.idle_seconds]


def test_only_the_types_asked_for_are_forwarded(alice, live_server, key, receiver):
    happen(alice, "a")
    happen(alice, "b", type="number.held")
    eventually(settled)
    one = listener(live_server.url, key, receiver, after=None, types=frozenset({"number.held"}))
    assert [forwarded.event["event"] for forwarded in heard(one)] == ["number.held"]


@pytest.mark.parametrize("status", [302, 401, 500])
def test_a_receiver_that_refuses_stops_nothing(alice, live_server, key, receiver, status):
    receiver.status = status
    happen(alice, "a", "b")
    eventually(settled)
    found = heard(listener(live_server.url, key, receiver, after=None))
    assert [one.status for one in found] == [status, status]


def test_a_receiver_that_is_down_stops_nothing(alice, live_server, key, receiver):
    happen(alice, "a")
    eventually(settled)
    one = listener(live_server.url, key, receiver, after=None)
    one.forward_to = "http://127.0.0.1:9/"
    (found,) = heard(one)
    assert (found.status, found.error) == (None, "ConnectionError")


def test_a_wrong_key_ends_it_with_the_services_own_words(live_server, receiver):
    with pytest.raises(Refused, match="Invalid API key"):
        heard(listener(live_server.url, Secret("sk_live_" + "0" * 48), receiver))


def test_a_service_that_is_away_is_asked_again(key, receiver):
    told: list[str] = []
    one = listener("http://127.0.0.1:9", key, receiver, sleep=Patience(3), say=told.append)
    assert heard(one) == []
    assert len(told) == 3
    assert "Asking again in 5 seconds" in told[0]
    assert key.reveal() not in "".join(told)


def test_the_rate_limit_is_waited_out(alice, live_server, receiver):
    few = Secret(make_key(alice, rate_limit_per_minute=1)[1])
    one = listener(live_server.url, few, receiver, sleep=Patience(2))
    heard(one)
    idle, limited = one.sleep.slept
    assert idle == one.idle_seconds
    assert 1 <= limited <= 60


def test_the_secret_belongs_to_the_key_and_does_not_tell_it(key):
    secret = secret_for(key)
    assert secret == secret_for(key) != secret_for(Secret(key.reveal()[:-1] + "x"))
    assert len(signing.key_of(secret)) == 32
    assert key.reveal()[8:] not in secret.reveal()


# --- the command


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command as on a laptop: no database, no settings, nothing but a key."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "listen", *arguments],
        env={"PATH": os.environ["PATH"], "DATA_DIR": "/nonexistent", "HOME": "/nonexistent"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def test_the_command_needs_nothing_but_a_key(alice, live_server, key, receiver):
    with running(
        *("--url", live_server.url, "--key", key.reveal(), "--forward-to", receiver.url),
        *("--after", "oldest"),
    ) as process:
        assert process.stdout.readline().startswith(f"Listening to {live_server.url}")
        assert process.stdout.readline().strip() == f"Signing secret: {secret_for(key).reveal()}"
        # Events are kept from the first time somebody asks for them.
        eventually(lambda: Registered.objects.filter(account=alice).exists())
        happen(alice, "a")
        line = process.stdout.readline()
        assert " 204 " in line and "message.received" in line
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().strip().splitlines()[-1] == "Stopped."
        assert process.wait(10) == 0
    Webhook(secret_for(key).reveal()).verify(*receiver.got[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--key", "", "--forward-to", "http://localhost:3000"], "API key"),
        (["--key", "sk_live_x", "--forward-to", "localhost:3000"], "--forward-to is not"),
        (["--key", "sk_live_x", "--forward-to", "http://[::1"], "--forward-to is not"),
        (["--key", "k", "--forward-to", "http://a", "--url", "ftp://a"], "--url is not"),
        (["--key", "k", "--forward-to", "http://a", "--secret", "whsec_?"], "--secret is"),
        (["--key", "k", "--forward-to", "http://a", "--secret", "whsec_"], "--secret is"),
        (["--key", "k", "--forward-to", "http://a", "--events", "message.eaten"], "message.eaten"),
    ],
)
def test_the_command_refuses_what_it_cannot_use(arguments, said, monkeypatch):
    monkeypatch.delenv("HERMOD_KEY", raising=False)
    with pytest.raises(CommandError, match=said):
        call_command("listen", *arguments)
