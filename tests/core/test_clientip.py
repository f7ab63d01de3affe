"""Whose address a request comes from, and what counts as one client."""

from __future__ import annotations

import pytest
from django.test import RequestFactory
from structlog.testing import capture_logs

from core.http import clientip
from core.http.clientip import bucket, client_ip
from core.redis import Rarely


def seen(peer: str, forwarded: str | None = None) -> str:
    """Return the address that a request from ``peer`` is counted by."""
    more = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_ip(RequestFactory().get("/", REMOTE_ADDR=peer, **more))


@pytest.mark.parametrize("forwarded", [None, "", "198.51.100.1", "127.0.0.1", "a, b, c", ","])
def test_without_trusted_proxies_the_peer_is_the_client(settings, forwarded):
    settings.TRUSTED_PROXIES = []
    assert seen("203.0.113.7", forwarded) == "203.0.113.7"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.1", "198.51.100.1"),
        ("192.0.2.99, 198.51.100.1", "198.51.100.1"),
        ("192.0.2.99, 198.51.100.1, 10.1.2.3", "198.51.100.1"),
        ("10.9.9.9, 198.51.100.1, 10.1.2.3, 10.1.2.4", "198.51.100.1"),
        (" 198.51.100.1 , 10.1.2.3 ", "198.51.100.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("", "10.0.0.1"),
        ("10.1.2.3", "10.1.2.3"),
    ],
)
def test_a_trusted_proxys_word_is_read_from_the_right(settings, forwarded, client):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert seen("10.0.0.1", forwarded) == client


def test_a_stranger_cannot_speak_like_a_proxy(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert seen("203.0.113.7", "198.51.100.1") == "203.0.113.7"


def test_proxies_may_be_single_addresses_and_ipv6(settings):
    settings.TRUSTED_PROXIES = ["127.0.0.1", " 2001:db8:ffff::/48"]
    assert seen("127.0.0.1", "198.51.100.1") == "198.51.100.1"
    assert seen("2001:db8:ffff::9", "198.51.100.1") == "198.51.100.1"
    assert seen("127.0.0.2", "198.51.100.1") == "127.0.0.2"
    assert seen("::ffff:127.0.0.1", "198.51.100.1") == "198.51.100.1"


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "warned"),
    [
        ([], "127.0.0.1", "198.51.100.1", True),
        (["10.0.0.0/8"], "172.17.0.1", "198.51.100.1", True),
        ([], "", "198.51.100.1", True),
        (["127.0.0.1"], "127.0.0.1", "198.51.100.1", False),
        ([], "203.0.113.7", None, False),
        ([], "203.0.113.7", " , ", False),
    ],
)
def test_a_proxy_that_is_not_trusted_is_named_in_the_log(
    settings, monkeypatch, proxies, peer, forwarded, warned
):
    settings.TRUSTED_PROXIES = proxies
    monkeypatch.setattr(clientip, "_tell", Rarely(600))
    with capture_logs() as told:
        for _ in range(3):
            seen(peer, forwarded)
    assert len(told) == warned, "said once, not with each request"
    assert not told or ("TRUSTED_PROXIES" in told[0]["event"] and told[0]["sender"])


@pytest.mark.parametrize("port", ["198.51.100.1:4711", "[2001:db8::1]:4711", "unknown", "_hidden"])
def test_a_proxys_word_that_is_no_address_does_not_crash(settings, port):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert bucket(seen("10.0.0.1", port))


def test_two_ipv4_addresses_are_two_clients():
    assert bucket("203.0.113.7") != bucket("203.0.113.8")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:DB8:1:2::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
    ],
)
def test_an_ipv6_network_is_one_client_and_a_mapped_address_is_ipv4(first, second, same):
    assert (bucket(first) == bucket(second)) is same


@pytest.mark.parametrize("text", ["", "nonsense", "999.1.1.1", "203.0.113.7:80"])
def test_what_is_no_address_shares_one_bucket(text):
    assert bucket(text) == "unknown"
