"""The decided rows of /v1 on requests, plan, scopes and names (J8, J10, J35, J36, J42-J48, J52-J62)."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts import keys
from accounts.models import Account, ApiKey
from messaging import suppressions
from messaging.models import Contact, Message, Suppression
from tests import factories
from tests.factories import Api
from tests.support.v1 import AGENTS, LOOKUP, MESSAGES, TEMPLATES, TO, TRACE, make_customer, refused
from tests.support.v1_messages import send, sent

pytestmark = pytest.mark.django_db


# --- J8, J10, J35, J36, J43 to J48: requests


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'"x"', b"null", b'{"to": NaN}', b'{"a": 1, "a": 2}', b"\xff", b'{"a": "\\u0000"}'],
)
def test_a_body_that_is_no_json_object_is_a_422(org, body):
    """J8: this API has no 400."""
    refused(org.api().post_json(MESSAGES, body), 422, "invalid_request_body", kind="validation_error")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml"])
def test_another_media_type_is_refused_in_the_envelope(org, kind):
    refused(org.api().post_json(MESSAGES, b"x=1", type=kind), 415, "unsupported_media_type")


def test_an_answer_that_cannot_be_read_and_a_body_that_is_too_large_are_refused_in_the_envelope(org):
    refused(org.api().get(AGENTS, HTTP_ACCEPT="text/html"), 406, "not_acceptable")
    refused(send(org, org.text(note="x" * 300_000)), 413, "body_too_large")


def test_text_is_taken_whether_or_not_the_window_is_open(org):
    """J10: only Meta knows."""
    assert send(org).status_code == 202


def test_somebody_who_opted_out_is_not_written_to(org):
    """Our own code; nothing is stored."""
    suppressions.suppress(org.account.pk, TO[1:], reason=Suppression.Reason.MANUAL)
    refused(send(org), 422, "recipient_opted_out", param="to")
    assert not Message.objects.exists()


def test_the_first_fault_alone_is_told_in_the_order_of_the_contract(org):
    """J43, J44: each step is reached only when the one before it is right."""
    stranger = Api()
    who = org.api()
    steps: list[tuple[Api, dict[str, Any], str]] = [
        (stranger, {"to": 1}, "invalid_api_key"),
        (org.api("whatsapp:read"), {"to": 1}, "insufficient_scope"),
        (who, {"agent_id": "x", "from": "x", "to": "x"}, "invalid_agent_id"),
        (who, org.text(**{"agent_id": str(uuid.uuid4()), "from": "x", "to": "x"}), "invalid_from_phone"),
        (who, org.text(agent_id=str(uuid.uuid4()), to="x"), "invalid_phone_number"),
        (who, org.text(agent_id=str(uuid.uuid4()), text={}), "invalid_request_body"),
        (who, org.text(**{"agent_id": str(uuid.uuid4()), "from": "+19999999999"}), "agent_not_authorized"),
        (who, org.text(**{"from": "+19999999999"}), "from_phone_not_found_for_agent"),
    ]
    for client, body, code in steps:
        assert client.post_json(MESSAGES, body).json()["error"]["code"] == code
    assert who.post_json(MESSAGES, org.text()).status_code == 202


def test_the_rate_comes_before_the_scope_and_the_body(org):
    """J43."""
    who = org.api("whatsapp:read", rate_limit_per_minute=1)
    for _ in range(3):  # the window may turn once in between
        last = who.post_json(MESSAGES, b"{")
    refused(last, 429, "rate_limit_exceeded", kind="rate_limit_error")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/x", "/v1/whatsapp", f"{MESSAGES}/", f"{MESSAGES}/a/b"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_a_404_in_this_dialect_key_or_not(org, path, method):
    """J45."""
    for who in (Api(), org.api()):
        refused(who.send(method, path), 404, "endpoint_not_found", kind="not_found_error")


@pytest.mark.parametrize("path", ["/v2/whatsapp/messages", "/v10", "/V1/agents"])
def test_what_is_not_below_v1_speaks_the_other_dialect(path):
    assert Api().get(path).json()["success"] is False


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", MESSAGES, "POST"), ("PUT", TEMPLATES, "GET, POST"), ("DELETE", f"{MESSAGES}/x", "GET")],
)
def test_a_wrong_method_is_a_405_with_what_is_allowed(org, method, path, allowed):
    """J46."""
    answer = org.api().send(method, path)
    refused(answer, 405, "endpoint_not_found", kind="not_found_error")
    assert set(allowed.split(", ")) <= set(answer["Allow"].split(", "))


@pytest.mark.parametrize("ident", ["a", "order:42.retry-3_b", "x" * 128])
def test_a_harmless_id_of_the_clients_own_is_honoured(org, ident):
    """J47."""
    answer = org.api().get(f"{MESSAGES}/x", HTTP_X_CORRELATION_ID=ident)
    assert refused(answer, 404, "message_not_found")["correlation_id"] == ident


@pytest.mark.parametrize("ident", ["", "x" * 129, "a b", "é", "a\tb", "<script>"])
def test_any_other_id_is_replaced_by_one_of_ours(org, ident):
    """J47."""
    answer = org.api().get(f"{MESSAGES}/x", HTTP_X_CORRELATION_ID=ident)
    assert TRACE.fullmatch(refused(answer, 404, "message_not_found")["correlation_id"])


def test_every_answer_carries_its_correlation_id(org):
    for answer in (send(org), org.api().get(AGENTS), Api().get("/v1/x"), Api().get(AGENTS)):
        assert TRACE.fullmatch(answer["X-Correlation-ID"])


@pytest.mark.parametrize(
    "ident",
    ["x", "0", str(uuid.uuid4()), str(uuid.uuid4()).replace("-", ""), "%00", "null", "1" * 5_000],
    ids=range(7),
)
def test_an_id_that_leads_nowhere_is_the_documents_404(org, ident):
    """Contract 2.3."""
    answer = org.api().get(f"{MESSAGES}/{ident}")
    error = refused(answer, 404, "message_not_found", kind="not_found_error")
    assert error["message"] == "No message found with the supplied id."


# --- J42, J54, J62: plan and scopes


@pytest.mark.parametrize(
    ("plan", "status"), [("free", 403), ("basic", 403), ("pro", 200), ("enterprise", 200)]
)
@pytest.mark.parametrize("kind", [ApiKey.Kind.MK, ApiKey.Kind.SK])
def test_the_api_belongs_to_the_larger_plans(org, plan, status, kind):
    """Contract 2.2, J42: a key survives a downgrade and works again after it."""
    who = org.api("*", kind=kind)
    Account.objects.filter(pk=org.account.pk).update(plan=plan)
    answer = who.get(AGENTS)
    assert answer.status_code == status
    if status == 403:
        refused(answer, 403, "plan_not_eligible", kind="permission_error")
    if kind == ApiKey.Kind.MK:
        assert who.get("/messages").status_code == status


@pytest.mark.parametrize(
    ("scopes", "sends", "reads"),
    [
        (("whatsapp:send",), True, True),
        (("whatsapp:read",), False, True),
        (("*",), True, True),
        (("messenger:send",), False, False),
        ((), False, False),
    ],
)
def test_a_key_does_what_its_scopes_say(org, scopes, sends, reads):
    """J54, J62."""
    _, text = factories.make_key(org.account, kind=ApiKey.Kind.MK, scopes=scopes)
    who = Api(text)
    message = sent(org)
    for answer, allowed in (
        (who.post_json(MESSAGES, org.text()), sends),
        (who.get(f"{MESSAGES}/{message.pk}"), reads),
        (who.post_json(LOOKUP, {"ids": ["x"]}), reads),
        (who.get(TEMPLATES), reads),
        (who.get(AGENTS), reads),
    ):
        if allowed:
            assert answer.status_code < 300
        else:
            refused(
                answer, 403, "insufficient_scope", kind="permission_error", required_scope="whatsapp:send"
            )


def test_a_key_that_may_read_reads_in_the_other_dialect_too(org):
    who = org.api("whatsapp:read")
    assert who.get("/messages").status_code == 200
    assert who.post_json("/send-message", {"to": TO[1:], "message": "Hi"}).status_code == 403


def test_a_key_limited_to_agents_does_not_reach_around_its_list_by_the_other_dialect(org):
    who = org.api("*", agent_ids=[str(org.another().pk)])
    for method, path in (("POST", "/send-message"), ("GET", "/messages"), ("PUT", "/auth/me/credentials")):
        answer = who.send(method, path, {"to": TO[1:], "message": "Hi"} if method == "POST" else None)
        assert answer.status_code == 403
        assert answer.json()["doc_url"].endswith("/agent_not_authorized")


def test_a_deactivated_organisation_is_told_so(org):
    who = org.api()
    Account.objects.filter(pk=org.account.pk).update(is_active=False)
    refused(who.get(AGENTS), 403, "account_deactivated", kind="permission_error")


# --- J53: names


@pytest.mark.parametrize(("name", "good"), [("a", True), ("x" * 100, True), (" ", False), ("x" * 101, False)])
def test_a_key_has_a_name_of_up_to_a_hundred_characters(org, name, good):
    """J53; the same name twice is fine."""
    from core.errors import Invalid

    if good:
        assert keys.create(org.account, name=name)[0].name == name
        assert keys.create(org.account, name=f" {name} ")[0].name == name
    else:
        with pytest.raises(Invalid) as caught:
            keys.create(org.account, name=name)
        assert [one.field for one in caught.value.fields] == ["name"]


# --- J52, J59, J60


def test_over_plain_http_nothing_is_done(org, settings):
    """J59: the edge's word counts, and only where there is an edge."""
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert send(org, HTTP_X_FORWARDED_PROTO="http").status_code == 301
    assert not Message.objects.exists()
    assert send(org, HTTP_X_FORWARDED_PROTO="https").status_code == 202


def test_a_database_that_is_away_is_a_503(org, monkeypatch):
    """J52."""
    from django.db import OperationalError

    def gone(*_: Any, **__: Any) -> None:
        raise OperationalError

    who = org.api()
    monkeypatch.setattr("messaging.queue.accept.queue", gone)
    answer = who.post_json(MESSAGES, org.text())
    refused(answer, 503, "upstream_unavailable", kind="upstream_error")
    assert answer["Retry-After"] == "2"


def test_a_crash_is_a_500_that_tells_nothing_but_its_id(org, monkeypatch):
    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("mk_live_secret")

    who = org.api()
    monkeypatch.setattr("messaging.queue.accept.queue", crash)
    answer = who.post_json(MESSAGES, org.text())
    refused(answer, 500, "internal_error", kind="internal_error")
    assert b"secret" not in answer.content


def test_a_send_joins_the_conversation_of_its_number_and_recipient(org):
    """J60: one customer, one thread, whichever API it was."""
    first = send(org).json()["id"]
    factories.api(org.account).post_json("/send-message", {"to": TO[1:], "message": "Hi"})
    person = Contact.objects.get(connection=org.number)
    assert Message.objects.filter(contact=person).count() == 2
    branch = org.another()
    send(org, org.text(agent_id=str(branch.pk), **{"from": "+15557650001"}))
    assert Message.objects.exclude(contact=person).get().connection.agent_id == branch.pk
    assert Message.objects.get(pk=first).contact_id == person.pk


def test_a_send_costs_the_same_queries_each_time(org):
    """However many messages, agents and numbers there are."""
    key = org.key()
    costs: list[list[int]] = []
    for index in range(3):
        costs.append([])
        for path, body in ((MESSAGES, org.text()), (TEMPLATES, org.template())):
            with CaptureQueriesContext(connection) as queries:
                answer = Api(key).post_json(path, body, HTTP_IDEMPOTENCY_KEY=f"{path} {index}")
            assert answer.status_code == 202
            costs[-1].append(len(queries))
        org.another(f"Agent {index}", f"+1555000000{index}")
    assert costs[1] == costs[2]
    assert costs[2][0] <= 13 and costs[2][1] <= 23, costs


def test_looking_up_costs_the_same_queries_whatever_is_found(org, django_assert_num_queries):
    """A foreign message and a random id are answered by the same work."""
    stranger = make_customer("+15550001111")
    foreign = sent(stranger).pk
    mine = sent(org).pk
    key = org.key()
    Api(key).get(AGENTS)  # notes that the key was used
    shown = []
    for ident in (foreign, uuid.uuid4(), mine):
        with django_assert_num_queries(2):
            shown.append(Api(key).get(f"{MESSAGES}/{ident}"))
    assert [one.status_code for one in shown] == [404, 404, 200]
    with connection.cursor() as cursor:
        plans = []
        for ident in (foreign, uuid.uuid4()):
            cursor.execute(
                "EXPLAIN SELECT 1 FROM messaging_message "
                "WHERE account_id = %s AND id IN (%s) AND source = %s",
                [org.account.pk, ident, "mojeeb"],
            )
            plans.append([re.sub(r"[0-9a-f-]{36}", "", row[0]) for row in cursor.fetchall()])
    assert plans[0] == plans[1]
