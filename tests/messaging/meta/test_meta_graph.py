"""The Graph calls a person waits for: paging, refusals, unreachable hosts."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest

from core.secret import Secret
from messaging.meta.codes import Outcome
from messaging.meta.graph import Graph, GraphError, GraphUnreachable

TOKEN = Secret("EAAgraphtoken")
WABA = "102290129340398"
NUMBER = "106540352242922"


@pytest.fixture
def graph(meta):
    with Graph(meta.url, "v25.0", TOKEN, timeout=5) as graph:
        yield graph


def page(*ids, after=None):
    paging = {"cursors": {"before": "b", "after": after or "last"}}
    if after:
        paging["next"] = f"https://evil.example/?access_token=EAAgraphtoken&after={after}"
    return {"data": [{"id": item} for item in ids], "paging": paging}


def query(request):
    return {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}


def refusal(code, message="No", **more):
    return {"error": {"message": message, "code": code, "fbtrace_id": "AzG", **more}}


def test_it_reads_a_phone_number(meta, graph):
    meta.answers(200, {"id": NUMBER, "verified_name": "Jaspers Market"})
    assert graph.phone_number(NUMBER)["verified_name"] == "Jaspers Market"
    request = meta.requests[0]
    assert urlsplit(request.path).path == f"/v25.0/{NUMBER}"
    assert request.headers["authorization"] == "Bearer EAAgraphtoken"
    assert "throughput" in query(request)["fields"]


def test_it_asks_again_for_the_basic_fields_when_one_is_unknown(meta, graph):
    meta.answers(
        400, refusal(100, "(#100) Tried accessing nonexisting field (is_on_biz_app) on node type (X)")
    )
    meta.answers(200, {"id": NUMBER})
    assert graph.phone_number(NUMBER) == {"id": NUMBER}
    assert "is_on_biz_app" not in query(meta.requests[1])["fields"]


def test_it_reports_a_number_the_token_cannot_see(meta, graph):
    meta.answers(400, refusal(100, "Unsupported get request.", error_subcode=33))
    with pytest.raises(GraphError) as caught:
        graph.phone_number(NUMBER)
    assert caught.value.meta.outcome is Outcome.HOLD_CREDENTIALS
    assert (caught.value.subcode, caught.value.fbtrace_id, caught.value.http_status) == (33, "AzG", 400)
    assert len(meta.requests) == 1


def test_it_reads_the_numbers_of_an_account(meta, graph):
    meta.answers(200, page("1", "2", after="c1"))
    meta.answers(200, page("3"))
    assert [item["id"] for item in graph.waba_phone_numbers(WABA)] == ["1", "2", "3"]


def test_it_rebuilds_the_next_page_from_the_cursor(meta, graph):
    meta.answers(200, page("1", "2", after="a&b=c"))
    meta.answers(200, page("3"))
    assert [item["id"] for item in graph.templates(WABA)] == ["1", "2", "3"]
    assert query(meta.requests[1])["after"] == "a&b=c"
    assert all("access_token" not in request.path for request in meta.requests)


def test_it_restarts_the_list_once_and_gives_no_template_twice(meta, graph):
    meta.answers(200, page("1", "2", after="x"))
    meta.answers(400, refusal(131059))
    meta.answers(200, page("1", "2", "new", after="y"))
    meta.answers(200, page("3"))
    assert [item["id"] for item in graph.templates(WABA)] == ["1", "2", "new", "3"]
    assert "after" not in query(meta.requests[2])


def test_it_gives_up_when_the_cursor_fails_twice(meta, graph):
    meta.answers(200, page("1", after="x"))
    meta.answers(400, refusal(131059))
    meta.answers(200, page("1", after="x"))
    meta.answers(400, refusal(131059))
    with pytest.raises(GraphError):
        list(graph.templates(WABA))


def test_a_cursor_that_turns_in_a_circle_ends_the_list(meta, graph):
    meta.answers(200, page("1", after="same"))
    assert [item["id"] for item in graph.templates(WABA)] == ["1"]
    assert len(meta.requests) == 2


def test_it_stops_at_the_most_templates_an_account_can_have(meta, graph):
    for start in range(0, 7000, 1000):
        meta.answers(200, page(*(f"t{n}" for n in range(start, start + 1000)), after=f"c{start}"))
    assert len(list(graph.templates(WABA))) == 6000


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": [1, "x"]}, {"data": [], "paging": []}])
def test_an_odd_page_is_an_empty_page(meta, graph, body):
    meta.answers(200, body)
    assert list(graph.templates(WABA)) == []


def test_it_subscribes_the_app_and_lists_the_subscribed(meta, graph):
    meta.answers(200, {"success": True})
    meta.answers(200, {"data": [{"whatsapp_business_api_data": {"id": "9"}}]})
    assert graph.subscribe_app(WABA) is True
    assert graph.subscribed_apps(WABA)[0]["whatsapp_business_api_data"]["id"] == "9"
    assert [request.method for request in meta.requests] == ["POST", "GET"]


def test_it_inspects_its_own_token(meta, graph):
    meta.answers(200, {"data": {"is_valid": True, "scopes": ["whatsapp_business_messaging"]}})
    assert graph.debug_token()["is_valid"] is True
    assert query(meta.requests[0])["input_token"] == "EAAgraphtoken"


def test_it_reads_the_health_of_a_number(meta, graph):
    meta.answers(200, {"health_status": {"can_send_message": "BLOCKED"}, "id": NUMBER})
    assert graph.health(NUMBER) == {"can_send_message": "BLOCKED"}


def test_it_proves_the_app_secret_when_there_is_one(meta):
    meta.answers(200, {"id": NUMBER})
    with Graph(meta.url, "v25.0", TOKEN, Secret("s")) as graph:
        graph.phone_number(NUMBER)
    proof = hmac.new(b"s", b"EAAgraphtoken", hashlib.sha256).hexdigest()
    assert query(meta.requests[0])["appsecret_proof"] == proof


@pytest.mark.parametrize("bad", ["", "me", "1/2", "12345?x", "../12345"])
def test_an_id_that_is_none_never_reaches_meta(meta, graph, bad):
    calls = (graph.phone_number, graph.waba_phone_numbers, graph.templates, graph.health)
    for call in (*calls, graph.subscribed_apps, graph.subscribe_app):
        with pytest.raises(ValueError, match="digits"):
            call(bad)
    assert meta.requests == []


def test_a_redirect_is_an_error_and_is_not_followed(meta, graph):
    meta.answers(302, b"", Location=f"{meta.url}/elsewhere")
    with pytest.raises(GraphError) as caught:
        graph.phone_number(NUMBER)
    assert caught.value.meta.slug == "redirected"
    assert len(meta.requests) == 1


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (lambda meta: meta.answers(200, b"<html>"), "not JSON"),
        (lambda meta: meta.answers(200, b"[]"), "not JSON"),
        (lambda meta: meta.resets(), "connection"),
        (lambda meta: meta.breaks_off(200, b"{"), "could not be made|lost"),
        (lambda meta: meta.answers(200, b" " * (16 * 1024 * 1024 + 1)), "too large"),
    ],
)
def test_no_usable_answer_is_unreachable(meta, graph, script, reason):
    script(meta)
    with pytest.raises(GraphUnreachable, match=reason):
        graph.phone_number(NUMBER)


def test_a_server_that_hangs_is_unreachable(meta):
    meta.hangs()
    with Graph(meta.url, "v25.0", TOKEN, timeout=0.2) as graph, pytest.raises(GraphUnreachable, match="time"):
        graph.phone_number(NUMBER)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://graph.meta.invalid", "http://a..b"])
def test_a_host_that_is_not_there_is_unreachable(url):
    with Graph(url, "v25.0", TOKEN, timeout=3) as graph, pytest.raises(GraphUnreachable):
        graph.phone_number(NUMBER)


def test_an_html_error_page_is_an_error_with_a_sentence(meta, graph):
    meta.answers(503, b"<html>")
    with pytest.raises(GraphError) as caught:
        graph.phone_number(NUMBER)
    assert caught.value.meta.slug == "meta_server_error"
