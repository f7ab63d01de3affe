"""An access token or app secret never shows: not in answers, exceptions, texts of objects or logs."""

from __future__ import annotations

import asyncio
import logging
import traceback

import pytest

from core.secret import Secret
from messaging.meta.client import Caller, new_session, send
from messaging.meta.credentials import appsecret_proof, redact
from messaging.meta.graph import Graph, GraphError, GraphUnreachable

CANARY = "EAAcanary/Token|7Z"
SHADOW = "shadow-app-secret-9Q"
TOKEN, APP_SECRET = Secret(CANARY), Secret(SHADOW)
PROOF = appsecret_proof(TOKEN, APP_SECRET)
WABA = "102290129340398"


def clean(*texts: object) -> bool:
    told = "\n".join(str(text) for text in texts) + "\n".join(repr(text) for text in texts)
    return not any(
        secret in told for secret in (CANARY, SHADOW, PROOF, CANARY.replace("/", "\\/"), "EAAcanary")
    )


def quoting() -> dict[str, object]:
    return {
        "error": {
            "message": f"Malformed access token {CANARY}",
            "code": 190,
            "error_data": {"details": f"Bearer {CANARY} with {SHADOW}"},
            "fbtrace_id": CANARY,
        }
    }


SCRIPTS = [
    lambda meta: meta.answers(401, quoting()),
    lambda meta: meta.answers(500, quoting()),
    lambda meta: meta.answers(400, b'{"error":{"code":1,"message":"EAAcanary\\/Token|7Z"}}'),
    lambda meta: meta.answers(302, b"", Location="http://127.0.0.1:1/"),
    lambda meta: meta.answers(200, b"<html>"),
    lambda meta: meta.resets(),
    lambda meta: meta.says(b"nonsense\r\n\r\n"),
    lambda meta: meta.breaks_off(200, b"{"),
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_send_call_never_shows_a_secret(meta, script, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    script(meta)
    number = Caller(meta.url, "v25.0", "106540352242922", TOKEN, APP_SECRET)

    async def run():
        async with new_session(connections=1) as session:
            return await send(session, number, b"{}", timeout=5)

    answer = asyncio.run(run(), debug=True)
    assert clean(answer, number, caplog.text, *capfd.readouterr())
    assert CANARY in meta.requests[0].headers["authorization"], "the canary must have been on the wire"


@pytest.mark.parametrize(
    "call", [lambda graph: graph.debug_token(), lambda graph: list(graph.templates(WABA))]
)
@pytest.mark.parametrize("script", SCRIPTS)
def test_the_graph_calls_never_show_a_secret(meta, script, call, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    script(meta)
    with Graph(meta.url, "v25.0", TOKEN, APP_SECRET, timeout=5) as graph:
        with pytest.raises((GraphError, GraphUnreachable)) as caught:
            call(graph)
        told = "".join(traceback.format_exception(caught.value, chain=True))
        attached = (caught.value.__context__, caught.value.__cause__)
        assert clean(graph, told, vars(caught.value), attached, caplog.text, *capfd.readouterr())
    assert attached == (None, None)
    assert "connectionpool" in caplog.text, "urllib3 must have logged, or the check proves nothing"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://graph.meta.invalid"])
def test_a_host_that_is_not_there_does_not_show_a_secret(url, caplog):
    caplog.set_level(logging.DEBUG)
    with (
        Graph(url, "v25.0", TOKEN, APP_SECRET, timeout=3) as graph,
        pytest.raises(GraphUnreachable) as caught,
    ):
        graph.debug_token()
    assert clean("".join(traceback.format_exception(caught.value, chain=True)), caplog.text)


@pytest.mark.parametrize("token", [CANARY + "\n", CANARY + "\r\nX: y", CANARY + "ä", " " + CANARY])
def test_a_token_that_is_refused_is_not_quoted(token):
    for make in (
        lambda: Caller("https://graph.facebook.com", "v25.0", "123456", Secret(token)),
        lambda: Graph("https://graph.facebook.com", "v25.0", Secret(token)),
    ):
        with pytest.raises(ValueError, match="access token") as caught:
            make()
        assert clean(caught.value)


def test_redaction_leaves_everything_else_alone():
    assert redact(b"before EAAcanary/Token|7Z after", TOKEN, None, Secret("")) == b"before [secret] after"
    assert redact(b"nothing here", TOKEN) == b"nothing here"


def test_there_is_no_proof_without_an_app_secret():
    assert appsecret_proof(TOKEN, None) is None
    assert appsecret_proof(TOKEN, Secret("")) is None
