"""Which addresses a customer may name, and which a socket may go to: every spelling known to hide another."""

from __future__ import annotations

import ipaddress

import pytest

from core.errors import Invalid
from webhooks.outgoing.egress_rules import address_allowed, check_url

PLAIN = """
https://127.0.0.1/ https://127.0.0.2/ https://0.0.0.0/ https://0.1.2.3/ https://10.0.0.1/ https://172.16.0.1/
https://172.31.255.254/ https://192.168.0.1/ https://169.254.169.254/latest/meta-data/ https://169.254.170.2/
https://100.100.100.200/ https://100.64.0.1/ https://192.0.0.192/ https://198.18.0.1/ https://224.0.0.1/
https://240.0.0.1/ https://255.255.255.255/ https://168.63.129.16/ https://93.184.216.34/ https://1.1.1.1/
"""
SPELLED = """
https://2130706433/ https://2852039166/ https://0x7f000001/ https://017700000001/ https://0177.0.0.1/
https://0x7f.0.0.1/ https://127.1/ https://127.0.1/ https://0/ https://127.000.000.001/
https://0251.0376.0251.0376/ https://0xBaaaaaaaaaaaaaaaa7f000001/ https://4294967296/ https://127.0.0.1./
https://1.1.1.1.1/ https://0x7f.1/ https://00000177.1/ https://127.0.0.0x1/ https://[127.1]/
"""
UNICODE = """
https://１２７.０.０.１/ https://①②⑦.⓪.⓪.①/ https://127。0。0。1/ https://127．0．0．1/ https://127｡0｡0｡1/
https://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/ https://١٢٧.٠.٠.١/ https://good。example/ https://good．example/ https://ｇood.example/
https://go\u00adod.example/ https://go\u200dod.example/ https://\u212aelvin.example/ https://good.exampl\u0435\u0301\u0301./
"""
IPV6 = """
https://[::1]/ https://[::]/ https://[0000::1]/ https://[::ffff:127.0.0.1]/ https://[::ffff:7f00:1]/
https://[::ffff:a9fe:a9fe]/ https://[::ffff:0:127.0.0.1]/ https://[::127.0.0.1]/ https://[64:ff9b::7f00:1]/
https://[64:ff9b:1::a00:1]/ https://[2002:7f00:1::]/ https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/
https://[fe80::1]/ https://[fe80::1%25eth0]/ https://[fec0::1]/ https://[fc00::1]/ https://[fd00:ec2::254]/
https://[fd20:ce::254]/ https://[ff02::1]/ https://[2001:db8::1]/ https://[3fff::1]/ https://[100::1]/
https://[5f00::1]/ https://[2606:4700:4700::1111]/ https://::1/ https://[::1]:8443/ https://[v1.fe80::a+en1]/
"""
NAMES = """
https://localhost/ https://LOCALHOST./ https://foo.localhost/ https://ip6-loopback/ https://redis/
https://metadata.google.internal/ https://kubernetes.default.svc/ https://host.docker.internal/
https://printer.local/ https://x.home.arpa/ https://app.localdomain/ https://nas.lan/ https://a.corp/
https://wiki.intranet/ https://x.test/ https://x.invalid/ https://hidden.onion/ https://a.b.cluster/
https://db.private/ https://x.HOME/ https://hermod.example.com/hook https://HERMOD.example.com:8443/
https://api.hermod.example.com/
"""
PARSER = [
    "https://good.example@127.0.0.1/",
    "https://127.0.0.1@good.example/",
    "https://user:pass@good.example/",
    "https://good.example\\@127.0.0.1/",
    "https://good.example%40127.0.0.1/",
    "https://good.example#@127.0.0.1/",
    "https://good.example/#",
    "https://127.0.0.1?@good.example/",
    "https:127.0.0.1/",
    "https:good.example/",
    "https:///127.0.0.1/",
    "https:////good.example/",
    "https:/good.example/",
    "https://1.1.1.1 &@2.2.2.2# @127.0.0.1/",
    "https://[::1",
    "https://::1]",
    "https://[127.0.0.1]/",
    "https://[good.example]/",
    "https://good.example:80:443/",
    "https://127.0.0.1%00.good.example/",
    "https://%6c%6f%63%61%6c%68%6f%73%74/",
    "https://good..example/",
    "https://.good.example/",
    "https://good.example./",
    "https://-good.example/",
    "https://good-.example/",
    "https://go_od.example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + ".".join(["a" * 50] * 5) + ".example/",
    "https://xn--.example/",
    "https://xn--a.example/",
    "https://good.example/" + "a" * 2048,
    "https://good.example/" + "é" * 500,
    "//127.0.0.1/hook",
    "//good.example/hook",
    "/hook",
    "good.example",
    "",
    " ",
    "https://?x",
    "https://",
    "https:",
    "https://good.example;/",
    "https://good.example,127.0.0.1/",
    "https://good.example&@/",
    *(
        f"https://good.example/{before}x"
        for before in (
            "\t",
            "\r",
            "\n",
            "\x01",
            "\x00",
            " ",
            '"',
            "'",
            "<",
            ">",
            "{",
            "}",
            "|",
            "^",
            "`",
            "\x7f",
        )
    ),
    *(f"{before}https://good.example/" for before in ("\t", "\r", "\n", "\x01", " ", "\ufeff", "\u00a0")),
    *(f"https://good{inside}.example/" for inside in ("\t", "\r", "\n", "\x01", " ", "\u2028", "\u00a0")),
    "https://good.example/hook\n",
    "ht\ntps://good.example/",
]
SCHEME = """
http://good.example/ HTTP://good.example/ file:///etc/passwd gopher://127.0.0.1:6379/_INFO dict://good.example/
ftp://good.example/ ldap://good.example/ jar:https://good.example/ data:text/html,x javascript:alert(1)
unix:///run/x.sock http+unix://%2frun%2fx/ ws://good.example/ wss://good.example/ ｈttps://good.example/
httpſ://good.example/
"""
PORTS = [
    22,
    25,
    80,
    5432,
    6379,
    9200,
    11211,
    2375,
    0,
    65536,
    -1,
    "٤٤٣",
    "0x1bb",
    "",
    "+443",
    "0443",
    "443 ",
    "4４3",
]

REFUSED = [
    *(url for text in (PLAIN, SPELLED, UNICODE, IPV6, NAMES, SCHEME) for url in text.split()),
    *PARSER,
    *(f"https://good.example:{port}/" for port in PORTS),
]

ACCEPTED = [
    ("https://good.example/hook", "https://good.example/hook"),
    ("https://good.example:8443?x=1", "https://good.example:8443/?x=1"),
    ("https://good.example:443/", "https://good.example/"),
    ("https://münchen.example/", "https://xn--mnchen-3ya.example/"),
    ("https://xn--mnchen-3ya.example/", "https://xn--mnchen-3ya.example/"),
    ("https://例え.example/", "https://xn--r8jz45g.example/"),
    ("HTTPS://GOOD.Example/Hook?A=B", "https://good.example/Hook?A=B"),
    ("https://good.example", "https://good.example/"),
    ("https://good.example?", "https://good.example/?"),
    (
        "https://a-b.c1.good.example/a/../b/%2e%2e/?x=a@b:c",
        "https://a-b.c1.good.example/a/../b/%2e%2e/?x=a@b:c",
    ),
    ("https://good.example/größe?q=ü", "https://good.example/gr%C3%B6%C3%9Fe?q=%C3%BC"),
    ("https://127.0.0.1.nip.io/", "https://127.0.0.1.nip.io/"),  # a name; refused when it resolves
    ("https://r1---sn-x.good.example/", "https://r1---sn-x.good.example/"),
    ("https://good.example//double//", "https://good.example//double//"),
    ("https://xhermod.example.com/", "https://xhermod.example.com/"),
]

DENIED_ADDRESSES = """
0.0.0.0 0.1.2.3 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255
168.63.129.16 169.254.0.0 169.254.169.254 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0
192.0.0.255 192.0.2.1 192.88.99.1 192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.1
203.0.113.1 224.0.0.0 239.255.255.255 240.0.0.0 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1
::ffff:10.0.0.1 ::ffff:a9fe:a9fe ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::a00:1 100::1 2001::
2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:1ff:ffff::1 2001:db8::1 2001:db8:ffff::1 2002:7f00:1::
2002:ffff::1 3fff::1 3fff:fff:ffff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fd20:ce::254 fe80::1
fe80::1%eth0 fec0::1 ff02::1 2606:4700::1%eth0 localhost 127.1 0x7f.1 2130706433 good.example 127.0.0.01
1.2.3.4/32
"""
ALLOWED_ADDRESSES = """
1.1.1.1 93.184.216.34 9.255.255.255 11.0.0.0 11.0.0.1 100.63.255.254 100.63.255.255 100.128.0.0
100.128.0.1 126.255.255.255 128.0.0.0 168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0
172.15.255.255 172.32.0.0 172.32.0.1 192.0.1.0 192.0.3.0 192.88.98.255 192.88.100.0 192.167.255.255
192.169.0.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0
223.255.255.255 2606:4700:4700::1111 2001:200::1 2001:4860:4860::8888 2003::1 2a00::1
::ffff:93.184.216.34 3ffe::1
"""


@pytest.fixture(autouse=True)
def our_own_names(settings):
    settings.PUBLIC_URL = "https://hermod.example.com"
    settings.ALLOWED_HOSTS = ["hermod.example.com", ".hermod.example.com", "127.0.0.1"]


@pytest.mark.parametrize("url", REFUSED, ids=lambda url: ascii(url)[:60])
def test_a_url_that_may_hide_another_host_is_refused_with_the_rule(url):
    with pytest.raises(Invalid) as refused:
        check_url(url, field="url")
    (error,) = refused.value.fields
    assert error.field == "url"
    assert error.message.startswith("The ")
    assert error.message.endswith((".", ")."))


@pytest.mark.parametrize(("url", "canonical"), ACCEPTED, ids=[ascii(url)[:60] for url, _ in ACCEPTED])
def test_a_public_url_is_accepted_in_its_canonical_form(url, canonical):
    assert check_url(url) == canonical
    assert check_url(canonical) == canonical, "what is stored is accepted again at every attempt"


@pytest.mark.parametrize("value", [None, 5, True, ["https://good.example/"], b"https://good.example/"])
def test_a_url_that_is_no_text_is_refused(value):
    with pytest.raises(Invalid):
        check_url(value)


@pytest.mark.parametrize("address", DENIED_ADDRESSES.split())
def test_a_socket_never_goes_to(address):
    assert not address_allowed(address)


@pytest.mark.parametrize("address", ALLOWED_ADDRESSES.split())
def test_a_socket_may_go_to(address):
    assert address_allowed(address)


def test_nothing_that_the_standard_library_calls_private_is_allowed():
    networks = [
        *ipaddress.IPv4Address._constants._private_networks,
        *ipaddress.IPv6Address._constants._private_networks,
    ]
    for network in networks:
        for address in (network.network_address, network.broadcast_address):
            assert not address_allowed(str(address)), address


class TestOnALaptop:
    """With WEBHOOK_ALLOW_PRIVATE a developer's own machine and network can be called."""

    @pytest.fixture(autouse=True)
    def allow_private(self, settings):
        settings.WEBHOOK_ALLOW_PRIVATE = True

    @pytest.mark.parametrize(
        ("url", "canonical"),
        [
            ("http://127.0.0.1:3000/hook", "http://127.0.0.1:3000/hook"),
            ("http://localhost:3000/hook", "http://localhost:3000/hook"),
            ("http://[::1]:3000/hook", "http://[::1]:3000/hook"),
            ("http://[::1]", "http://[::1]/"),
            ("http://receiver:8080/", "http://receiver:8080/"),
            ("https://192.168.1.5:5000/", "https://192.168.1.5:5000/"),
            ("https://good.example/hook", "https://good.example/hook"),
        ],
    )
    def test_private_addresses_pass(self, url, canonical):
        assert check_url(url) == canonical

    @pytest.mark.parametrize(
        "url",
        [
            "http://169.254.169.254/latest/meta-data/",
            "http://0.0.0.0:3000/",
            "http://127.1:3000/",
            "http://2130706433/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::1]x/",
            "http://[::1%25lo]/",
            "http://[::1]:99999999/",
            "http://user@127.0.0.1/",
            "http://127.0.0.1:0/",
            "http://127.0.0.1:x/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "http://127.0.0.1/#x",
            "http://127.0.0.1/ x",
        ],
    )
    def test_tricks_and_metadata_services_do_not(self, url):
        with pytest.raises(Invalid):
            check_url(url)

    @pytest.mark.parametrize(
        "address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"]
    )
    def test_credentials_of_clouds_stay_out_of_reach(self, address):
        assert not address_allowed(address)
