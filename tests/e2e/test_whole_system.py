"""Real processes, killed and frozen in the middle of their work: nothing lost, doubled or leaked."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import secrets
import signal
import time
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from devstack.launcher.supervisor import read_env_file
from devstack.meta import seed
from devstack.stripe import seed as stripe
from tests.support.meta import person
from tests.support.processes import Browser, System, command_line, csrf_of, is_gone
from tests.support.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
HELLO = {"name": "hello_world", "language": "en_US"}
ARRIVED = {"sent", "delivered", "read"}
SHORT = {"SEND_LEASE_SECONDS": "3", "SEND_TIMEOUT_SECONDS": "2", "UNKNOWN_WAIT_SECONDS": "3"}


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """Take the place of the fixture other tests get: these have a Valkey of their own."""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Everything, started once for this file; the last test stops it."""
    made = System(**SHORT)
    try:
        made.wait_until_ready()
        made.options(sent_delay=0.05, delivered_delay=0.1, read_delay=0.2, redelivery_start=0.2)
        yield made
    finally:
        made.remove()


def send_many(system: System, count: int) -> list[str]:
    body = {"messages": [{"to": person(), "template": HELLO} for _ in range(count)]}
    answer = system.api("/messages/bulk", body)
    assert answer.status == 202, answer.raw
    batch = answer.json()["data"]["batchId"]
    rows = system.query("SELECT id::text FROM messaging_message WHERE batch_id = %s", batch)
    assert len(rows) == count
    return [ident for (ident,) in rows]


def all_arrived(system: System, ids: list[str]) -> bool:
    counts = system.statuses(ids)
    assert not set(counts) & {"failed", "canceled"}, system.failures(ids)
    return set(counts) <= ARRIVED


def arrive(system: System, ids: list[str], seconds: float = 40) -> None:
    """Wait until these messages have all gone out, and each of them once."""
    try:
        eventually(lambda: all_arrived(system, ids), seconds)
    except AssertionError as error:
        log = "\n".join(system.output[-12:])
        raise AssertionError(f"{error}: {system.statuses(ids)}\n{log}") from None
    accepted = system.accepted()
    assert {accepted.get(f"hm:{ident}") for ident in ids} == {1}


def workers(system: System) -> list[int]:
    return system.pids("celery", "worker")


# --- killed


def test_killing_every_worker_in_the_middle_loses_and_doubles_nothing(system):
    system.options(latency_ms=300)
    before = len(system.accepted())
    ids = send_many(system, 200)
    eventually(lambda: len(system.accepted()) >= before + 50, 20)
    killed = workers(system)
    assert killed
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    left = system.statuses(ids)
    assert set(left) - ARRIVED, "nothing was left to do: the kill came too late to mean anything"
    arrive(system, ids, 60)
    assert not set(workers(system)) & set(killed)
    system.options(latency_ms=0)
    rows = system.query("SELECT count(*) FROM messaging_message WHERE due_at < now() - interval '30 s'")
    assert rows == [(0,)]


# --- Valkey away


def test_a_frozen_valkey_costs_no_message_and_hardly_any_time(system):
    (valkey,) = [pid for pid in system.family() if "valkey" in command_line(pid).split(" ")[0]]
    os.kill(valkey, signal.SIGSTOP)
    try:
        ids = []
        for _ in range(12):
            # The bound is the request's own: a call that waits for Valkey would run into it.
            answer = system.api("/send-message", {"to": person(), "template": HELLO}, timeout=3)
            assert answer.status == 202, answer.raw
            ids.append(answer.json()["data"]["id"])
        assert system.browser.ask(f"{system.url}/healthz", timeout=3).status == 200
    finally:
        os.kill(valkey, signal.SIGCONT)
    arrive(system, ids)


def test_a_valkey_that_lost_everything_costs_no_message(system):
    (valkey,) = [pid for pid in system.family() if "valkey" in command_line(pid).split(" ")[0]]
    os.kill(valkey, signal.SIGKILL)
    ids = []
    for _ in range(5):
        answer = system.api("/send-message", {"to": person(), "template": HELLO}, timeout=3)
        assert answer.status == 202, answer.raw
        ids.append(answer.json()["data"]["id"])
    arrive(system, ids)


def test_a_connection_that_rested_for_a_while_is_still_there(system):
    """The next request of a client that keeps its connections must not meet a closed one."""
    host = system.url.removeprefix("http://")
    resting = http.client.HTTPConnection(host, timeout=10)
    for pause in (0, 3.5):
        time.sleep(pause)
        assert resting.sock is not None or not pause, "it was said to be kept"
        resting.request("GET", "/healthz")
        answer = resting.getresponse()
        assert answer.status == 200
        answer.read()
    resting.close()


def test_a_body_that_comes_in_chunks_is_read_like_any_other(system):
    """As .NET's client sends JSON, and whoever streams."""
    body = json.dumps({"to": person(), "template": HELLO}).encode()
    client = http.client.HTTPConnection(system.url.removeprefix("http://"), timeout=10)
    headers = {"Authorization": f"Bearer {system.demo['api_key']}", "Content-Type": "application/json"}
    for parts, status in (([body[:9], body[9:]], 202), ([b"{"] + [b" " * 65_536] * 5, 413)):
        client.request("POST", "/send-message", iter(parts), headers, encode_chunked=True)
        answer = client.getresponse()
        assert answer.status == status, answer.read()
        assert json.loads(answer.read())["success"] is (status == 202)
    client.request("POST", "/messages/bulk", b" " * 2_000_000, {"Authorization": "Bearer nobody"})
    answer = client.getresponse()
    assert (answer.status, answer.read()[:9]) == (401, b'{"success')
    client.request("GET", "/healthz")
    assert client.getresponse().status == 200, "a long body that was refused cost the connection"
    client.close()


# --- secrets


def spellings(secret: str) -> set[bytes]:
    """A secret as it might stand somewhere: plain, reversed, hex, quoted, base64 at each offset."""
    raw = secret.encode()
    found = {raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode()}
    found.add(urllib.parse.quote(secret, safe="").encode())
    for offset in range(3):
        # Without the characters at the ends, which depend on what stands beside it.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(b"\0" * offset + raw)[4:-4])
    return found


SECRETS = {
    "access token": spellings(seed.number(0).access_token),
    "app secret": spellings(seed.APP_SECRET),
}


def leaks(places: Iterable[tuple[str, bytes]], secrets: Mapping[str, set[bytes]] = SECRETS) -> list[str]:
    found = []
    for place, raw in places:
        for name, forms in secrets.items():
            found += [f"{name} in {place}" for form in forms if form in raw]
    return found


def test_the_search_for_secrets_finds_them():
    token = seed.number(0).access_token
    for hidden in (
        token,
        token[::-1],
        token.encode().hex(),
        base64.b64encode(f"Bearer {token}".encode()).decode(),
        base64.b64encode(f'{{"a":"{token}"}}'.encode()).decode(),
    ):
        assert leaks([("here", f"…{hidden}…".encode())]), hidden
    assert not leaks([("here", b"nothing of the kind")])


def pages_of(system: System) -> Iterator[tuple[str, bytes]]:
    """Every page and answer that a person may see, also as staff."""
    for path in (
        "/",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/llms.txt",
        "/developers",
        "/nowhere",
    ):
        yield path, system.browser.ask(system.url + path).raw
    for path in ("/auth/me", "/messages?limit=50", "/nowhere"):
        yield path, system.api(path).raw
    yield "verify", system.api("/auth/me/credentials/verify", {}).raw
    yield "sandbox page", system.browser.ask(system.sandbox + "/").raw
    for path in ("state", "messages", "numbers", "options", "magic", "templates", "doubles"):
        yield f"sandbox {path}", system.browser.ask(f"{system.sandbox}/_sandbox/{path}").raw
    yield from admin_pages(system)


def admin_pages(system: System) -> Iterator[tuple[str, bytes]]:
    # The admin sends whoever is not signed in to the one place where people sign in.
    system.browser.cookies.clear()
    page = system.browser.ask(f"{system.url}/admin/")
    login = f"{system.url}/accounts/login/?next=/admin/"
    assert page.url.startswith(f"{system.url}/accounts/login/")
    form = {"login": system.demo["email"], "password": system.demo["password"], "next": "/admin/"}
    inside = system.browser.ask(login, form=form | {"csrfmiddlewaretoken": csrf_of(page)})
    assert inside.url.endswith("/admin/"), "the demo's owner could not sign in"
    yield "/admin/", inside.raw
    lists = sorted(set(re.findall(rb'href="(/admin/[a-z]+/[a-z]+/)"', inside.raw)))
    # What is registered but not offered to this person is asked for all the same.
    known = ("accounts/number", "accounts/account", "accounts/apikey", "messaging/message")
    known += ("webhooks/inboundevent", "messaging/contact", "accounts/user")
    for path in {one.decode() for one in lists} | {f"/admin/{one}/" for one in known}:
        listing = system.browser.ask(system.url + path)
        yield path, listing.raw
        for detail in sorted(set(re.findall(rf'href="({path}[^"]+/change/)'.encode(), listing.raw)))[:2]:
            yield detail.decode(), system.browser.ask(system.url + detail.decode()).raw


@pytest.fixture
def superuser(system: System) -> None:
    """Let the demo's owner see everything that the admin has."""
    system.query(
        "UPDATE accounts_user SET is_staff = true, is_superuser = true WHERE email = %s RETURNING id",
        system.demo["email"],
    )


def test_no_secret_of_meta_is_anywhere_it_could_be_read(system, superuser):
    # A send, a refusal that is logged, and a callback with a wrong signature beforehand.
    arrive(system, send_many(system, 1))
    refused = system.api("/send-message", {"to": person("0017"), "template": HELLO})
    assert refused.status == 202
    eventually(
        lambda: (
            system.query("SELECT 1 FROM accounts_connection WHERE status = 'held'")
            or system.statuses([refused.json()["data"]["id"]]).keys() & {"failed", "retrying"}
        ),
        20,
    )
    system.browser.ask(f"{system.url}/webhooks/whatsapp", {"object": "x"})

    assert not leaks(system.dump())
    assert not leaks(system.redis_dump())
    assert not leaks([("output", system.printed.encode())])
    family = [*system.family(), system.process.pid]
    assert not leaks((f"command line {pid}", command_line(pid).encode()) for pid in family)
    pages = list(pages_of(system))
    assert len(pages) > 25
    assert not leaks(pages)
    kept = [path for path in system.data.glob("*") if path.is_file()]
    assert not leaks((path.name, path.read_bytes()) for path in kept)


class Stranger:
    """A customer who makes one secret of each kind, and then is careless with them."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.browser = Browser()
        ask = {"name": "Stranger", "email": "stranger@example.com"}
        self.key = self._data("/auth/register", ask, key="")["apiKey"]
        self.made: dict[str, str] = {}
        spare = self._data("/auth/me/keys", {"name": "spare"})["apiKey"]
        self.made |= {"spare key": spare, "first key": self.key}
        self.key = self.made["key after rotation"] = self._data("/auth/me/rotate-key", {})["apiKey"]
        self._number()
        self._endpoint()
        self._careless()

    def _data(self, path: str, body: Any, *, key: str | None = None, method: str | None = None) -> Any:
        answer = self.browser.ask(
            self.system.url + path, body, key=self.key if key is None else key, method=method
        )
        assert answer.status < 300, answer.raw
        return answer.json()["data"]

    def _number(self) -> None:
        given = seed.number(4)
        own = self.made["own app secret"] = secrets.token_hex(16)
        body = {"whatsappAccessToken": given.access_token, "whatsappPhoneNumberId": given.phone_number_id}
        self._data("/auth/me/credentials", body | {"whatsappAppSecret": own}, method="PUT")

    def _endpoint(self) -> None:
        header = self.made["header of an endpoint"] = f"Basic {secrets.token_urlsafe(24)}"
        # Nobody listens there: each attempt fails, is logged and is tried again.
        body = {"url": "http://127.0.0.1:9/hook", "headers": {"Authorization": header}}
        made = self._data("/webhook-endpoints", body)
        path = f"/webhook-endpoints/{made['id']}"
        self.made["endpoint secret"] = made["secret"].removeprefix("whsec_")
        again = self._data(f"{path}/rotate-secret", {})["secret"]
        self.made["endpoint secret after rotation"] = again.removeprefix("whsec_")
        self._data(f"{path}/test", {})
        eventually(lambda: self._data(f"{path}/deliveries", None)[0]["attempts"], 20)
        self.seen = [
            (one, self.browser.ask(self.system.url + one, key=self.key).raw)
            for one in (
                path,
                "/webhook-endpoints",
                f"{path}/deliveries",
                "/auth/me",
                "/auth/me/keys",
                "/events",
            )
        ]

    def _careless(self) -> None:
        """Put the keys where they do not belong: in addresses, fields and headers."""
        ask, url = self.browser.ask, self.system.url
        for key in (self.key, self.made["spare key"]):
            self.seen += [
                ("query", ask(f"{url}/messages?api_key={key}").raw),
                ("nowhere", ask(f"{url}/{key}").raw),
                ("field", ask(f"{url}/send-message", {"to": key, "message": key[:5]}, key=key).raw),
                ("v1", ask(f"{url}/v1/whatsapp/messages", {"agent_id": key}, key=key).raw),
                ("callback", ask(f"{url}/webhooks/whatsapp/{key}", {"object": key}).raw),
                ("stripe", ask(f"{url}/webhooks/stripe", {"id": key}).raw),
            ]


def test_no_secret_of_a_customer_or_of_the_service_is_anywhere_it_could_be_read(system, superuser):
    stranger = Stranger(system)
    theirs = {name: spellings(secret) for name, secret in stranger.made.items()}
    kept = read_env_file(system.data / "secrets.env")
    ours = {name: spellings(kept[name]) for name in ("SECRET_KEY", "CREDENTIALS_KEYS")}
    ours |= {"Stripe key": spellings(stripe.SECRET_KEY), "Stripe secret": spellings(stripe.WEBHOOK_SECRET)}
    # What `make run` shows on purpose to whoever started it, and keeps for them in a file.
    shown = {name: spellings(system.demo[name]) for name in ("password", "api_key", "v1_key")}

    every = theirs | ours | shown
    assert len(every) == 14
    assert not leaks(system.dump(), every)
    assert not leaks(system.redis_dump(), every)
    assert not leaks([("output", system.printed.encode())], theirs | ours)
    family = [*system.family(), system.process.pid]
    assert not leaks(((f"command line {pid}", command_line(pid).encode()) for pid in family), every)
    assert not leaks(pages_of(system), every)
    # A refusal may repeat what stood in the address, not more.
    assert not leaks([one for one in stranger.seen if one[0] != "nowhere"], theirs)


# --- the end


def test_sigterm_leaves_no_process(system):
    family = system.family()
    assert len(family) >= 8  # postgres, valkey, sandbox, web with its two, two workers, beat
    assert system.stop(signal.SIGTERM) == 0
    eventually(lambda: all(is_gone(pid) for pid in family), 10)
    assert "Traceback" not in system.printed
