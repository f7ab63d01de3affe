"""A call to a customer reaches the named host by its certificate, and never anything inside our network."""

from __future__ import annotations

import asyncio
import gzip

import pytest
import yarl

from tests.support.internet import PUBLIC_V4, PUBLIC_V6, Authority, Internet, answering
from tests.webhooks.test_egress_rules import REFUSED
from webhooks.outgoing import egress

URL = "https://good.example/hook"


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def internet(authority) -> Internet:
    made = Internet(authority)
    made.names["good.example."] = [PUBLIC_V4]
    return made


def called(
    internet, *urls, play=None, tls=None, body=b'{"a":1}', headers=None, timeout=5.0, new_session=False
):
    """Call each URL once; one answer, or a list of them."""

    async def run():
        answers = []
        async with internet.open(play or answering(), tls=tls):
            session = egress.session(network=internet.network())
            try:
                for url in urls:
                    if new_session:
                        await session.close()
                        session = egress.session(network=internet.network())
                    answers.append(await egress.post(session, url, body, headers or {}, timeout))
            finally:
                await session.close()
        return answers

    answers = asyncio.run(run())
    return answers if len(urls) > 1 else answers[0]


def has_port(url: str) -> bool:
    """Tell whether the HTTP client finds a port to connect to, or finds the URL unreadable."""
    try:
        return bool(yarl.URL(url, encoded=True).port)
    except ValueError:
        return True


def stayed_out(internet) -> bool:
    return not internet.canaries_heard and not internet.denied()


class TestALegitimateHost:
    @pytest.mark.parametrize(
        ("url", "addresses", "host"),
        [
            (URL, [PUBLIC_V4], "good.example"),
            ("https://good.example:8443/hook?x=1", [PUBLIC_V4], "good.example:8443"),
            ("https://api.good.example/hook", [PUBLIC_V4], "api.good.example"),
            ("https://münchen.example/hook", [PUBLIC_V4], "xn--mnchen-3ya.example"),
            (URL, [PUBLIC_V6], "good.example"),
            (URL, [PUBLIC_V6, PUBLIC_V4], "good.example"),
        ],
    )
    def test_is_reached_by_its_name(self, internet, url, addresses, host):
        name = host.partition(":")[0]
        internet.names[f"{name}."] = addresses
        answer = called(internet, url, headers={"webhook-id": "evt_1"})
        assert (answer.status, answer.body, answer.error) == (200, "ok", None)
        assert 0 < answer.milliseconds < 5000
        (request,) = internet.requests
        assert request.head.startswith("POST /hook")
        assert request.header("Host") == host
        assert request.header("webhook-id") == "evt_1"
        assert request.header("Content-Type") == "application/json"
        assert request.body == b'{"a":1}'
        assert internet.server_names == [name]
        assert internet.dialled[0] in addresses
        assert stayed_out(internet)

    def test_is_asked_for_with_a_dot_so_that_no_search_domain_is_added(self, internet):
        called(internet, URL)
        assert internet.asked == ["good.example."]

    def test_keeps_its_connection_for_the_next_call(self, internet):
        answers = called(internet, URL, URL, URL)
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert len(internet.audited) == 1

    @pytest.mark.parametrize(
        ("certificate", "said"),
        [
            ({"names": ["other.example"]}, "The certificate was not accepted: Hostname mismatch"),
            ({"names": [PUBLIC_V4]}, "The certificate was not accepted: Hostname mismatch"),
            ({"names": ["good.example"], "expired": True}, "expired"),
            ({"names": ["good.example"], "stranger": True}, "self-signed certificate"),
        ],
    )
    def test_must_prove_its_name(self, internet, authority, certificate, said):
        names = certificate.pop("names")
        answer = called(internet, URL, tls=authority.serving(*names, **certificate))
        assert answer.status is None
        assert said in answer.error
        assert internet.requests == []


DENIED_ANSWERS = [
    ["10.0.0.5"],
    ["127.0.0.1"],
    ["0.0.0.0"],
    ["169.254.169.254"],
    ["::1"],
    ["::"],
    ["::ffff:10.0.0.1"],
    ["fd00:ec2::254"],
    ["fe80::1%eth0"],
    ["64:ff9b::7f00:1"],
    [PUBLIC_V4, "10.0.0.5"],
    ["10.0.0.5", PUBLIC_V4],
    [PUBLIC_V4, "::1"],
    [PUBLIC_V6, "127.0.0.1"],
    [*[PUBLIC_V4] * 299, "192.168.0.1"],
    ["internal.corp"],
    ["127.1"],
]


class TestADeniedAddress:
    @pytest.mark.parametrize("addresses", DENIED_ANSWERS, ids=lambda one: f"{len(one)}:{one[0]},{one[-1]}")
    def test_in_any_answer_of_the_resolver_stops_the_call(self, internet, addresses):
        internet.names["good.example."] = addresses
        answer = called(internet, URL)
        assert (answer.status, answer.error) == (None, "The host resolves to an address that is not allowed.")
        assert internet.dialled == []
        assert stayed_out(internet)

    @pytest.mark.parametrize("name", ["127.0.0.1.nip.io", "make-93-184-216-34-rebind-127-0-0-1-rr.1u.ms"])
    def test_behind_a_public_name_stops_the_call(self, internet, name):
        internet.names[f"{name}."] = ["127.0.0.1"]
        assert called(internet, f"https://{name}/").status is None
        assert stayed_out(internet)

    @pytest.mark.parametrize("other", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254"])
    def test_that_follows_a_public_one_is_never_called(self, internet, other):
        """Rebinding: public when it is checked, another a moment later."""
        answers = iter([[PUBLIC_V4], [other], [other], [other]])
        internet.names["good.example."] = lambda: next(answers)
        first, second, third = called(
            internet, URL, URL, URL, play=answering(Connection="close"), new_session=True
        )
        assert first.status == 200
        assert second.error == third.error == "The host resolves to an address that is not allowed."
        assert internet.dialled == [PUBLIC_V4]
        assert stayed_out(internet)

    def test_is_not_asked_for_again_between_check_and_connection(self, internet):
        called(internet, URL, URL, play=answering(Connection="close"))
        assert internet.asked == ["good.example."]
        assert internet.dialled == [PUBLIC_V4, PUBLIC_V4]

    @pytest.mark.parametrize(
        "url",
        [
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://good.example@127.0.0.1/",
            "https://127.0.0.1:443?@good.example/",
            "http://good.example/",
            "https://localhost/",
        ],
    )
    def test_in_a_stored_url_is_refused_at_the_call_too(self, internet, url):
        answer = called(internet, url)
        assert answer.status is None
        assert answer.error
        assert internet.asked == internet.dialled == []
        assert stayed_out(internet)

    def test_in_any_spelling_makes_no_connection_at_all(self, internet, settings):
        settings.PUBLIC_URL = "https://hermod.example.com"
        settings.ALLOWED_HOSTS = [".hermod.example.com"]
        internet.names |= {"localhost.": ["127.0.0.1"], "good.example.": ["127.0.0.1"]}
        answers = called(internet, *REFUSED)
        assert len(answers) > 150
        assert {answer.status for answer in answers} == {None}
        assert internet.asked == internet.dialled == internet.audited == []
        assert stayed_out(internet)

    def test_in_any_spelling_finds_no_socket_if_the_first_gate_stood_open(self, internet, monkeypatch):
        """What the HTTP client itself makes of a spelling is checked where the socket is made."""
        monkeypatch.setattr(egress, "check_url", lambda url: url)
        for name in ("localhost.", "good.example.", "foo.localhost.", "redis.", "metadata.google.internal."):
            internet.names[name] = ["127.0.0.1"]
        # aiohttp asserts that there is a port at all, where it has no other complaint.
        urls = [url for url in REFUSED if url.lower().startswith("http") and has_port(url)]
        called(internet, *urls, timeout=1.0)
        # Left are public addresses written as such, which only the first check refuses.
        assert set(internet.dialled) <= {PUBLIC_V4, "1.1.1.1", "2.2.2.2", "2606:4700:4700::1111"}

    def test_that_comes_past_the_resolver_finds_no_socket(self, internet, monkeypatch):
        """The second check: aiohttp does not ask a resolver about IP addresses."""
        monkeypatch.setattr(egress, "check_url", lambda url: url)
        for url in ("https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/", "https://0.0.0.0/"):
            answer = called(internet, url)
            assert answer.error == "The host is an address that is not allowed."
        assert internet.dialled == []
        assert stayed_out(internet)

    def test_would_be_heard_if_the_rules_were_off(self, internet, monkeypatch):
        """The canaries sing: a test that could not fail would prove nothing."""
        monkeypatch.setattr(egress, "address_allowed", lambda address: True)
        for address in ("127.0.0.1", "::1", "10.0.0.1"):
            internet.names["good.example."] = [address]
            called(internet, URL)
        assert internet.canaries_heard == 3
        assert len(internet.denied()) == 3

    def test_of_this_machine_is_found_by_the_real_resolver_and_denied(self, internet):
        real = egress.Network(new_socket=internet.new_socket, tls=internet.authority.trusting())
        internet.network = lambda: real
        internet.names.clear()

        async def addresses():
            return await egress.look_up("localhost")

        found = asyncio.run(addresses())
        assert {"127.0.0.1", "::1"} & set(found)
        assert not any(egress.address_allowed(address) for address in found)
        assert called(internet, "https://localhost/").status is None
        assert stayed_out(internet)


class TestARedirect:
    @pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E"])
    @pytest.mark.parametrize(
        "target",
        [
            "https://127.0.0.1/",
            "http://169.254.169.254/latest/meta-data/",
            "//127.0.0.1/",
            "gopher://127.0.0.1:6379/_INFO",
            "file:///etc/passwd",
            "https://good.example/hook",
            "/elsewhere",
            "https://[::1]/",
        ],
    )
    def test_is_a_failure_and_its_target_never_contacted(self, internet, status, target):
        answer = called(internet, URL, play=answering(status, b"", Location=target))
        assert answer.status == int(status[:3])
        assert answer.error == "Redirects are not followed."
        assert len(internet.requests) == 1
        assert internet.asked == ["good.example."]
        assert stayed_out(internet)


class TestTheEnvironment:
    def test_lends_no_proxy(self, internet, monkeypatch):
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:9")
            monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
        assert called(internet, URL).status == 200
        assert stayed_out(internet)

    def test_lends_no_password(self, internet, monkeypatch, tmp_path):
        netrc = tmp_path / "netrc"
        netrc.write_text("machine good.example login a password b\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        called(internet, URL)
        assert internet.requests[0].header("Authorization") is None

    def test_keeps_no_cookies(self, internet):
        called(internet, URL, URL, play=answering(Set_Cookie="a=b; Path=/"))
        assert [request.header("Cookie") for request in internet.requests] == [None, None]


class TestAnAnswer:
    def test_is_read_up_to_16_kb(self, internet):
        answer = called(internet, URL, play=answering(body=b"x" * 3_000_000))
        assert answer.status == 200
        assert len(answer.body) == egress.BODY_LIMIT == 16 * 1024

    def test_that_would_unpack_to_gigabytes_stays_packed(self, internet):
        packed = gzip.compress(b"\0" * 10_000_000)
        answer = called(internet, URL, play=answering(body=packed, Content_Encoding="gzip"))
        assert answer.status == 200
        assert answer.body.startswith("\x1f")
        assert internet.requests[0].header("Accept-Encoding") == "identity"

    @pytest.mark.parametrize("status", [200, 201, 204, 400, 410, 429, 500, 503])
    def test_gives_its_status_and_headers(self, internet, status):
        body = b"" if status == 204 else b"why"
        answer = called(
            internet, URL, play=answering(f"{status} X", body, Retry_After="120", X_Long="y" * 900)
        )
        assert (answer.status, answer.error) == (status, None)
        assert answer.headers["retry-after"] == "120"
        assert len(answer.headers["x-long"]) == 500

    def test_counts_by_its_status_even_if_the_body_never_ends(self, internet):
        async def drip(_, writer):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
            while True:
                writer.write(b".")
                await writer.drain()
                await asyncio.sleep(0.05)

        answer = called(internet, URL, play=drip, timeout=0.6)
        assert (answer.status, answer.error) == (200, None)
        assert answer.body.startswith("..")

    def test_that_breaks_off_keeps_its_status(self, internet):
        async def half(_, writer):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")
            await writer.drain()
            writer.close()

        answer = called(internet, URL, play=half)
        assert (answer.status, answer.error) == (200, None)

    def test_that_never_comes_ends_the_call_in_time(self, internet):
        async def hang(reader, _):
            await reader.read()

        answer = called(internet, URL, play=hang, timeout=0.3)
        assert (answer.status, answer.error) == (None, "No answer within 0.3 seconds.")
        assert answer.milliseconds >= 300

    @pytest.mark.parametrize(
        ("raw", "said"),
        [
            (b"220 smtp.example ESMTP\r\n\r\n", "The answer is not HTTP."),
            (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "The answer is not HTTP."),
            (b"", "The connection was closed before an answer came."),
            (b"HTTP/1.1 200", "The connection was closed before an answer came."),
        ],
        ids=["smtp", "huge-header", "nothing", "half-a-line"],
    )
    def test_that_is_none_is_a_failure(self, internet, raw, said):
        async def play(_, writer):
            writer.write(raw)
            await writer.drain()
            writer.close()

        answer = called(internet, URL, play=play)
        assert (answer.status, answer.error) == (None, said)

    def test_of_nobody_is_a_failure(self, internet):
        async def run():
            async with internet.open(answering()):
                internet.ports[PUBLIC_V4, False] = 9  # the discard port, where nothing listens
                async with egress.session(network=internet.network()) as session:
                    return await egress.post(session, URL, b"{}", {})

        answer = asyncio.run(run())
        assert answer.status is None
        assert answer.error.startswith("The connection failed")

    @pytest.mark.parametrize("answer", [OSError("no such name"), []])
    def test_of_no_name_server_is_a_failure(self, internet, answer):
        internet.names["good.example."] = answer
        assert called(internet, URL).error == "The host could not be resolved."

    def test_of_a_silent_name_server_is_waited_for_briefly(self, internet, monkeypatch):
        monkeypatch.setattr(egress, "RESOLVE_SECONDS", 0.2)
        internet.names["good.example."] = lambda: asyncio.sleep(60)
        # Any longer, and the call's own time would end it, with other words.
        assert called(internet, URL).error == "The host could not be resolved."


class TestARequest:
    @pytest.mark.parametrize(
        "headers",
        [
            {"X-A": "b\r\nX-Injected: 1"},
            {"X-A": "b\nX-Injected: 1"},
            {"X-A": "b\rX-Injected: 1"},
            {"X-A": "b\0"},
            {"X-A\r\nX-Injected": "1"},
            {"X-A: 1\r\nX-Injected": "1"},
        ],
    )
    def test_with_a_forged_header_is_not_sent(self, internet, headers):
        answer = called(internet, URL, headers=headers)
        assert answer.status is None
        assert internet.requests == []

    def test_is_one_only(self, internet):
        called(internet, URL, body=b"x" * 100_000)
        assert len(internet.requests) == 1
        assert len(internet.requests[0].body) == 100_000


class TestOnALaptop:
    @pytest.fixture(autouse=True)
    def allow_private(self, settings):
        settings.WEBHOOK_ALLOW_PRIVATE = True

    def test_plain_http_on_loopback_is_reached_with_the_real_resolver(self, internet):
        async def run():
            async def serve(reader, writer):
                await reader.readuntil(b"\r\n\r\n")
                await answering(body=b"hello")(reader, writer)
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with server, egress.session() as session:
                return [
                    await egress.post(session, f"http://{host}:{port}/hook", b"{}", {})
                    for host in ("127.0.0.1", "localhost")
                ]

        assert [(answer.status, answer.body) for answer in asyncio.run(run())] == [(200, "hello")] * 2

    @pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "fe80::1"])
    def test_credentials_of_clouds_stay_out_of_reach(self, internet, address):
        internet.names["metadata"] = [address]
        answer = called(internet, "http://metadata/latest/meta-data/")
        assert answer.error == "The host resolves to an address that is not allowed."
        assert internet.dialled == []
