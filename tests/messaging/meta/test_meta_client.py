"""The send call says what is proven and what is not, against a real server on a real socket."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import socket

import pytest

from core.secret import Secret
from messaging.meta.client import (
    ANSWER_LIMIT,
    Accepted,
    Caller,
    Refused,
    Unknown,
    Unsent,
    classify,
    new_session,
    send,
)
from messaging.meta.codes import Outcome

TOKEN = Secret("EAATestToken|with/slash")
APP_SECRET = Secret("app-secret")
BODY = b'{"messaging_product":"whatsapp"}'
OK = {
    "messaging_product": "whatsapp",
    "contacts": [{"input": "+16505551234", "wa_id": "16505551234"}],
    "messages": [{"id": "wamid.ABC", "message_status": "accepted"}],
}


def number(url: str, **changes) -> Caller:
    given = {"version": "v25.0", "phone_number_id": "106540352242922", "access_token": TOKEN}
    return Caller(url, **{**given, **changes})


def error(code, http_title="Title", **more):
    return {"error": {"message": f"(#{code}) {http_title}", "type": "OAuthException", "code": code, **more}}


def sent(url, *, timeout=5.0, times=1, connections=4, **changes):
    async def run():
        async with new_session(connections=connections) as session:
            answers = [
                await send(session, number(url, **changes), BODY, timeout=timeout) for _ in range(times)
            ]
        return answers[0] if times == 1 else answers

    return asyncio.run(run())


def test_it_posts_the_body_to_the_number_with_the_token_in_the_header(meta):
    meta.answers(200, OK)
    assert sent(meta.url) == Accepted("wamid.ABC", "16505551234", None, "accepted")
    request = meta.requests[0]
    assert (request.method, request.path) == ("POST", "/v25.0/106540352242922/messages")
    assert request.body == BODY
    assert request.headers["authorization"] == f"Bearer {TOKEN.reveal()}"
    assert request.headers["content-type"] == "application/json"
    assert "cookie" not in request.headers


def test_it_proves_the_app_secret_when_there_is_one(meta):
    meta.answers(200, OK)
    sent(meta.url + "/", app_secret=APP_SECRET)
    proof = hmac.new(b"app-secret", TOKEN.reveal().encode(), hashlib.sha256).hexdigest()
    assert meta.requests[0].path == f"/v25.0/106540352242922/messages?appsecret_proof={proof}"


def test_it_keeps_a_connection_for_the_next_message(meta):
    meta.answers(200, OK)
    sent(meta.url, times=3)
    assert (len(meta.requests), meta.connections) == (3, 1)


def test_it_returns_nothing_of_one_answer_with_the_next_call(meta):
    meta.answers(200, OK, Set_Cookie="session=1")
    sent(meta.url, times=2)
    assert all("cookie" not in request.headers for request in meta.requests)


def test_it_reports_a_refusal_with_metas_own_words(meta):
    meta.answers(
        400,
        error(131009, "Parameter value is not valid", error_data={"details": "too long"}, fbtrace_id="AzT"),
    )
    answer = sent(meta.url)
    assert isinstance(answer, Refused)
    assert (answer.code, answer.title, answer.details) == (131009, "Parameter value is not valid", "too long")
    assert (answer.fbtrace_id, answer.http_status, answer.retry_after) == ("AzT", 400, None)
    assert answer.meta.outcome is Outcome.FAIL


def test_it_obeys_a_retry_after_on_429(meta):
    meta.answers(429, b"slow down", Retry_After="7")
    answer = sent(meta.url)
    assert isinstance(answer, Refused)
    assert (answer.meta.outcome, answer.retry_after) == (Outcome.THROTTLE_NUMBER, 7.0)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, error(1)),
        (503, b"<html>Service Unavailable</html>"),
        (502, b""),
        (500, error(131000)),
        (504, b"{"),
    ],
)
def test_a_server_error_that_names_no_reason_proves_nothing(meta, status, body):
    meta.answers(status, body)
    answer = sent(meta.url)
    assert isinstance(answer, Unknown)
    assert answer.http_status == status


def test_a_server_that_hangs_proves_nothing(meta):
    meta.hangs()
    assert sent(meta.url, timeout=0.8) == Unknown("no answer within the time limit")
    assert len(meta.requests) == 1


def test_a_reset_after_the_body_proves_nothing_and_is_not_repeated(meta):
    meta.resets()
    assert sent(meta.url) == Unknown("the connection was lost before the answer")
    assert len(meta.requests) == 1


def test_a_reset_before_the_body_was_read_proves_nothing(meta):
    meta.resets_unread = True
    assert sent(meta.url) == Unknown("the connection was lost before the answer")
    assert meta.connections == 1


def test_a_kept_connection_that_closes_under_the_second_message_is_not_repeated(meta):
    meta.answers(200, OK)
    meta.closes()
    first, second = sent(meta.url, times=2)
    assert isinstance(first, Accepted)
    assert isinstance(second, Unknown)
    assert len(meta.requests) == 2


@pytest.mark.parametrize("status", [200, 400])
def test_half_an_answer_proves_nothing(meta, status):
    meta.breaks_off(status, b'{"messages":[{"id":"wamid.A"}]')
    assert sent(meta.url) == Unknown("the answer broke off")


def test_an_answer_that_is_not_http_proves_nothing(meta):
    meta.says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    assert sent(meta.url) == Unknown("the answer was not HTTP")


def test_an_acceptance_without_a_message_id_proves_nothing(meta):
    meta.answers(200, {"messages": []}, x_fb_trace_id="T1")
    assert sent(meta.url) == Unknown("Meta answered without a message id", 200, "T1")


def test_a_giant_answer_is_not_read_to_its_end(meta):
    meta.answers(200, b" " * (ANSWER_LIMIT + 1))
    assert sent(meta.url) == Unknown("the answer is larger than 1 MB", 200)


def test_a_redirect_is_refused_and_the_token_stays_here(meta):
    meta.answers(307, b"", Location=f"{meta.url}/elsewhere")
    answer = sent(meta.url)
    assert isinstance(answer, Refused)
    assert (answer.http_status, answer.meta.outcome) == (307, Outcome.FAIL)
    assert len(meta.requests) == 1


def refused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def test_a_refused_connection_was_surely_not_sent():
    answer = sent(f"http://127.0.0.1:{refused_port()}")
    assert answer == Unsent("the connection was refused or the host could not be reached")


def test_an_unknown_host_was_surely_not_sent():
    answer = sent("http://graph.meta.invalid")
    assert answer == Unsent("the address of the Graph API could not be resolved")


def test_a_failed_tls_session_was_surely_not_sent(meta):
    meta.greeting = b"this is no TLS\r\n\r\n"
    assert sent(meta.url.replace("http:", "https:")) == Unsent("no trusted TLS connection could be made")
    assert meta.requests == []


@pytest.mark.parametrize("url", ["http://a..b", f"http://{'a' * 64}.invalid", "http://127.0.0.1:99999"])
def test_an_impossible_address_was_surely_not_sent(url):
    assert isinstance(sent(url), Unsent)


def test_a_connection_that_is_never_accepted_was_surely_not_sent():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # a full queue: the kernel now ignores further connections
            filler.setblocking(False)
            filler.connect_ex(address)
        answer = sent(f"http://127.0.0.1:{address[1]}", timeout=0.4)
        for filler in fillers:
            filler.close()
    assert answer == Unsent("no connection within the time for connecting")


def test_waiting_for_a_free_connection_was_surely_not_sent(meta):
    meta.hangs()

    async def run():
        async with new_session(connections=1) as session:
            first = asyncio.ensure_future(send(session, number(meta.url), BODY, timeout=20))
            await asyncio.to_thread(meta.arrived.wait, 10)
            second = await send(session, number(meta.url), BODY, timeout=0.2)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            return second

    assert asyncio.run(run()) == Unsent("no connection within the time for connecting")
    assert len(meta.requests) == 1


def test_a_closed_session_was_surely_not_sent(meta):
    async def run():
        session = new_session(connections=1)
        await session.close()
        return await send(session, number(meta.url), BODY, timeout=1)

    assert asyncio.run(run()) == Unsent("the HTTP session is closed")


def test_cancellation_passes_through(meta):
    meta.hangs()

    async def run():
        async with new_session(connections=1) as session:
            call = asyncio.ensure_future(send(session, number(meta.url), BODY, timeout=5))
            await asyncio.to_thread(meta.arrived.wait, 10)
            call.cancel()
            await call

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())


def test_the_environments_proxy_is_ignored(meta, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{refused_port()}")
    meta.answers(200, OK)
    assert isinstance(sent(meta.url), Accepted)


@pytest.mark.parametrize(
    "changes",
    [
        {"phone_number_id": ""},
        {"phone_number_id": "1234"},
        {"phone_number_id": "10654035224292/../me"},
        {"phone_number_id": "123456?x=1"},
        {"phone_number_id": "123456\n"},
        {"phone_number_id": "١٢٣٤٥٦"},
        {"phone_number_id": "1" * 21},
        {"version": "v25"},
        {"version": "v25.0/../v1.0"},
        {"access_token": Secret("")},
        {"access_token": Secret("a b")},
        {"access_token": Secret("a\r\nX: y")},
        {"access_token": Secret("ä")},
    ],
)
def test_a_number_that_could_bend_the_address_or_a_header_is_refused(changes):
    with pytest.raises(ValueError, match=r"must|token"):
        number("https://graph.facebook.com", **changes)


@pytest.mark.parametrize(
    "url", ["", "graph.facebook.com", "ftp://x", "https://x?y", "https://u:p@x", "https://x#y"]
)
def test_a_base_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="graph_url"):
        number(url)


def judged(status, body, **headers):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(status, raw, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, error(130429), Outcome.THROTTLE_NUMBER),
        (429, error(130429), Outcome.THROTTLE_NUMBER),
        (429, error(80007), Outcome.THROTTLE_ACCOUNT),
        (400, error(4), Outcome.THROTTLE_ACCOUNT),
        (400, error(131056), Outcome.THROTTLE_PAIR),
        (400, error(133016), Outcome.THROTTLE_NUMBER),
        (401, error(190, error_subcode=463), Outcome.HOLD_CREDENTIALS),
        (400, error(100, error_subcode=33), Outcome.HOLD_CREDENTIALS),
        (403, error(131005), Outcome.HOLD_CREDENTIALS),
        (500, error(3), Outcome.HOLD_CREDENTIALS),
        (403, b"<html>", Outcome.HOLD_CREDENTIALS),
        (401, b"", Outcome.HOLD_CREDENTIALS),
        (400, error(2), Outcome.RETRY),
        (400, error(1), Outcome.RETRY),
        (400, error(131057), Outcome.RETRY),
        (404, error(132001), Outcome.FAIL_TEMPLATE),
        (400, error(132001), Outcome.FAIL_TEMPLATE),
        (400, error(131047), Outcome.FAIL_RECIPIENT),
        (403, error(131031), Outcome.PAUSE_ACCOUNT),
        (400, error(999999), Outcome.FAIL),
        (429, error(999999), Outcome.THROTTLE_NUMBER),
        (404, b"<html>", Outcome.FAIL),
        (400, {"error": "odd"}, Outcome.FAIL),
        (400, {"error": {"code": "131047"}}, Outcome.FAIL_RECIPIENT),
        (400, {"error": {"code": True}}, Outcome.FAIL),
        (400, [1], Outcome.FAIL),
        (400, b"null", Outcome.FAIL),
    ],
)
def test_it_classifies_a_refusal(status, body, outcome):
    answer = judged(status, body)
    assert isinstance(answer, Refused)
    assert answer.meta.outcome is outcome


@pytest.mark.parametrize("code", [2**31, 2**40, 10**17])
def test_a_code_that_no_column_holds_is_none(code):
    answer = judged(400, error(code, error_subcode=code))
    assert isinstance(answer, Refused)
    assert (answer.code, answer.subcode, answer.title) == (None, None, "Title")


@pytest.mark.parametrize("code", [1, 131000, 999999])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_it_classifies_a_server_error_as_unknown_and_keeps_what_was_answered(status, code):
    answer = judged(status, error(code, fbtrace_id="AzX"))
    assert isinstance(answer, Unknown)
    assert (answer.reason, answer.http_status) == (f"Meta answered HTTP {status}, code {code}", status)
    assert (answer.code, answer.fbtrace_id, answer.title) == (code, "AzX", "Title")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"messages":{}}',
        b'{"messages":[1]}',
        b'{"messages":[{"id":""}]}',
        b'{"messages":[{"id":7}]}',
        b'{"error":{"code":131047}}',
        b'{"messages":[{"id":"wamid.A"',
    ],
)
@pytest.mark.parametrize("status", [200, 202])
def test_it_takes_no_success_without_a_message_id(status, body):
    assert isinstance(judged(status, body), Unknown)


def test_it_accepts_an_answer_with_a_user_id_only():
    body = {"contacts": [{"input": "US.1", "user_id": "US.1"}], "messages": [{"id": "wamid.B"}]}
    assert judged(200, body) == Accepted("wamid.B", None, "US.1", None)


@pytest.mark.parametrize(
    ("data", "details"),
    [
        ({"error_data": {"details": "why"}}, "why"),
        ({"error_data": '{"blame_field_specs":[["components"]]}'}, '{"blame_field_specs":[["components"]]}'),
        ({"error_user_title": "Bad", "error_user_msg": "Do this."}, "Bad: Do this."),
        ({"error_data": 5}, None),
        ({}, None),
    ],
)
def test_it_finds_the_details_wherever_meta_puts_them(data, details):
    assert judged(400, error(100, **data)).details == details


USAGE = '{"123":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":19}]}'


@pytest.mark.parametrize(
    ("code", "headers", "seconds"),
    [
        (130429, {}, None),
        (130429, {"Retry_After": "1.5"}, 1.5),
        (130429, {"retry_after": "3"}, 3.0),
        (130429, {"Retry_After": "-4"}, 0.0),
        (130429, {"Retry_After": "1e9"}, 86400.0),
        (130429, {"Retry_After": "inf"}, None),
        (130429, {"Retry_After": "nan"}, None),
        (130429, {"Retry_After": "soon"}, None),
        (
            130429,
            {"Retry_After": "Wed, 21 Oct 2026 07:28:30 GMT", "Date": "Wed, 21 Oct 2026 07:28:00 GMT"},
            30.0,
        ),
        (130429, {"Retry_After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        (80007, {"X_Business_Use_Case_Usage": USAGE}, 19 * 60.0),
        (130429, {"X_Business_Use_Case_Usage": USAGE}, None),
        (80007, {"X_Business_Use_Case_Usage": "{"}, None),
        (80007, {"X_Business_Use_Case_Usage": '{"1":[{}, 2], "3": 4}'}, None),
    ],
)
def test_it_reads_how_long_to_wait(code, headers, seconds):
    assert judged(400, error(code), **headers).retry_after == seconds


@pytest.mark.parametrize("odd", [rb"\ud83d", rb"a\u0000b", b"\xff"], ids=["half a pair", "NUL", "no UTF-8"])
def test_an_odd_character_does_not_hide_what_meta_answered(odd):
    accepted = classify(200, b'{"contacts":[{"input":"%s"}],"messages":[{"id":"wamid.1"}]}' % odd, {})
    assert isinstance(accepted, Accepted)
    refused = classify(
        400, b'{"error":{"code":131026,"message":"x","error_data":{"details":"to %s"}}}' % odd, {}
    )
    assert isinstance(refused, Refused)
    assert refused.code == 131026
    assert "\x00" not in refused.details
    refused.details.encode()


def test_a_code_that_no_column_can_take_is_none():
    refused = classify(400, b'{"error":{"code":99999999999,"message":"x"}}', {})
    assert getattr(refused, "code", None) is None
