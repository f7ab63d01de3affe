"""The settings that docs/proxy.md gives for nginx: taken as they stand there, in front of a real server."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.core.test_slow_clients import CHUNKS, HEAD, POST, p99
from tests.support.processes import free_port, listens
from tests.support.waiting import eventually
from tests.support.webserver import WebServer

PAGE = Path(__file__).resolve().parents[2] / "docs" / "proxy.md"
NGINX = shutil.which("nginx")
pytestmark = pytest.mark.skipif(not NGINX, reason="nginx is not installed: apt-get install nginx")


class Proxied(WebServer):
    """Asks through nginx what a server behind it answers."""

    def __init__(self, behind: WebServer, port: int) -> None:
        self.process, self.address = behind.process, ("127.0.0.1", port)


@pytest.fixture(scope="module", params=["granian", "gunicorn"])
def proxied(request: pytest.FixtureRequest) -> Iterator[Proxied]:
    behind = WebServer("tests.core.patient_app:application", server=request.param)
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="hermod-nginx-", dir="/tmp"))
    found = re.search(r"```nginx\n(.+?)```", PAGE.read_text(), re.DOTALL)
    assert found
    server = found[1].replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    server = re.sub(r"\n *ssl_certificate.*", "", server).replace(
        "127.0.0.1:8000", f"127.0.0.1:{behind.address[1]}"
    )
    server = server.replace("$scheme", "http").replace("$host;", "127.0.0.1;")
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;\n"
        f"events {{ worker_connections 1024; }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n{server}}}\n"
    )
    assert NGINX
    nginx = subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)])
    proxied = Proxied(behind, port)
    eventually(lambda: nginx.poll() is not None or listens(port))
    assert nginx.poll() is None, (folder / "error.log").read_text()
    assert proxied.ask("/healthz")[0] == 200
    yield proxied
    nginx.terminate()
    nginx.wait(20)
    behind.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("first", [b"", HEAD, POST, CHUNKS], ids=["silent", "head", "no body", "chunks"])
def test_behind_nginx_slow_clients_stop_nobody_whichever_server_it_is(proxied, first):
    clients = [proxied.connect() for _ in range(50)]
    for one in clients:
        one.sendall(first)
    assert p99(proxied) <= 0.25
    for one in clients:
        one.close()


def test_behind_nginx_nobody_is_stopped_by_long_answers_that_are_not_read(proxied):
    clients = [proxied.connect(buffer=4096) for _ in range(16)]
    for one in clients:
        one.sendall(b"GET /long HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    for one in clients:
        assert one.recv(1) == b"H"
    assert p99(proxied) <= 0.25
    for one in clients:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


def test_behind_nginx_a_client_cannot_choose_path_or_scheme(proxied):
    told = proxied.told("/echo", SCRIPT_NAME="/ec", X_FORWARDED_FOR="8.8.8.8", PATH_INFO="/x")
    assert (told["script"], told["path"], told["scheme"]) == ("", "/echo", "http")
