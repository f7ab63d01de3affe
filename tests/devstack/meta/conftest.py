"""What the sandbox's tests share: a running sandbox, a receiver for its callbacks, and a client for both."""

import contextlib
import hashlib
import hmac
import http.server
import itertools
import json
import socket
import threading
import time
import urllib.parse

import pytest
import requests

from devstack.meta import seed
from devstack.meta.server import SandboxThread
from devstack.meta.world import World

QUICK = {"sent_delay": 0.01, "delivered_delay": 0.05, "read_delay": 0.09, "review_delay": 0.02,
         "redelivery_start": 0.05, "slow_seconds": 0.4, "hang_seconds": 3}  # fmt: skip


class Received:
    """One callback as it arrived."""

    def __init__(self, path, headers, raw):
        self.path, self.headers, self.raw = path, headers, raw
        self.at = time.monotonic()

    @property
    def body(self):
        return json.loads(self.raw)

    def signed_with(self, secret):
        right = "sha256=" + hmac.new(secret.encode(), self.raw, hashlib.sha256).hexdigest()
        return hmac.compare_digest(right, self.headers["X-Hub-Signature-256"])


class Receiver:
    """A small HTTP server that takes callbacks; `answers` are the statuses it gives before it answers 200."""

    def __init__(self, port=0):
        self.posts = []
        self.answers = []
        self.verifies = {seed.VERIFY_TOKEN}
        self._open = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                outer._open.append(self.connection)

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts.append(Received(self.path, self.headers, raw))
                self._say(outer.answers.pop(0) if outer.answers else 200, b"")

            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                known = query.get("hub.verify_token") in outer.verifies
                self._say(200 if known else 403, query.get("hub.challenge", "").encode() if known else b"no")

            def _say(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def values(self, field="messages"):
        changes = (
            (entry, change)
            for post in list(self.posts)
            for entry in post.body["entry"]
            for change in entry["changes"]
        )
        return [change["value"] for _, change in changes if change["field"] == field]

    def statuses(self, wamid=None):
        found = itertools.chain.from_iterable(value.get("statuses", []) for value in self.values())
        return [one for one in found if wamid in (None, one["id"])]

    def messages(self):
        return list(itertools.chain.from_iterable(value.get("messages", []) for value in self.values()))

    def names(self, wamid=None):
        return [one["status"] for one in self.statuses(wamid)]

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        # A connection that is kept would bring the next receiver's callbacks here, should it get our port.
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Meta:
    """Speaks to the sandbox as a gateway and as a tester would."""

    def __init__(self, url, world, receiver):
        self.url, self.world, self.receiver = url, world, receiver
        self.number = seed.number(1)
        self.session = requests.Session()
        self._customers = itertools.count(14155551000)

    def customer(self):
        return f"+{next(self._customers)}"

    def call(self, method, path, token=None, version="v25.0", **more):
        headers = {"Authorization": f"Bearer {token or self.number.access_token}"} | more.pop("headers", {})
        timeout = more.pop("timeout", 10)
        url = f"{self.url}/{version}/{path}"
        return self.session.request(method, url, headers=headers, timeout=timeout, **more)

    def send(self, body, **more):
        return self.call("POST", f"{self.number.phone_number_id}/messages", json=body, **more)

    def text(self, to, body="Hello", **more):
        return self.send(
            {"messaging_product": "whatsapp", "to": to, "type": "text", "text": {"body": body}} | more
        )

    def template(self, to, name="hello_world", components=None, language="en_US", timeout=10, **more):
        part = {"name": name, "language": {"code": language}}
        if components is not None:
            part["components"] = components
        body = {"messaging_product": "whatsapp", "to": to, "type": "template", "template": part}
        return self.send(body | more, timeout=timeout)

    def control(self, method, path, body=None, expect=200):
        answer = self.session.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=10)
        assert answer.status_code == expect, answer.text
        return answer.json()

    def options(self, **values):
        return self.control("PUT", "options", values)

    def writes(self, customer, **message):
        return self.control(
            "POST", "inbound", {"phone_number_id": self.number.phone_number_id, "from": customer, **message}
        )

    def accepted(self, **query):
        return self.control("GET", "messages?" + urllib.parse.urlencode(query))["messages"]

    def wamid(self, answer):
        assert answer.status_code == 200, answer.text
        return answer.json()["messages"][0]["id"]


@pytest.fixture(autouse=True)
def empty_redis():
    """The sandbox uses no Redis; its tests run without one."""


@pytest.fixture(scope="session")
def sandbox():
    with SandboxThread(World.default()) as running:
        yield running


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def meta(sandbox, receiver):
    sandbox.world.callback_url = receiver.url
    client = Meta(sandbox.url, sandbox.world, receiver)
    client.control("POST", "reset")
    client.options(**QUICK)
    yield client
    client.session.close()


def refused(answer, code, status=None, details=""):
    """The answer is Meta's error envelope with that code; its body is returned."""
    assert answer.status_code == (status or 400), answer.text
    error = answer.json()["error"]
    assert error["code"] == code, answer.text
    assert error["type"] in ("OAuthException", "GraphMethodException")
    assert error["fbtrace_id"].startswith("A") and len(error["fbtrace_id"]) == 23
    assert details in json.dumps(error), error
    return error


@pytest.fixture(name="refused")
def _refused():
    return refused
