"""What clients do that the document does not show, and what a customer would expect of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Account, ApiKey
from billing import quota
from messaging.models import Message, Status, Suppression
from messaging.reports import reading
from tests.factories import api, connect, faulty_fields, make_account, make_key, make_message
from tests.support import meta as support

pytestmark = pytest.mark.django_db

TO = "14155552671"
TEXT = {"to": TO, "message": "Hello"}
DRY = TEXT | {"dry_run": True}
RATE = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


@pytest.fixture
def ready() -> Account:
    """A paying customer with credentials."""
    account = make_account("pro")
    connect(account)
    return account


@pytest.fixture
def rehearsing(ready: Account) -> Any:
    """The same customer's test key."""
    return api(make_key(ready, kind=ApiKey.Kind.SK_TEST)[1])


def remaining(answer: Any) -> int:
    """Return what an answer says is left, and that it says all of it and nothing about waiting."""
    assert all(name in answer for name in RATE), answer.headers
    assert "Retry-After" not in answer
    return int(answer["X-RateLimit-Remaining"])


# --- a request that was accepted is answered alike when it comes again


def test_a_scheduled_send_is_replayed_after_its_moment(ready):
    """Else a client whose connection broke would hear that nothing was sent, and send it again."""
    who = api(ready)
    body = DRY | {"sendAt": (timezone.now() + timedelta(seconds=90)).isoformat()}
    first = who.post_json("/send-message", body, HTTP_IDEMPOTENCY_KEY="k")
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        assert faulty_fields(who.post_json("/send-message", body)) == ["sendAt"]
        again = who.post_json("/send-message", body, HTTP_IDEMPOTENCY_KEY="k")
        other = who.post_json("/send-message", body | {"message": "B"}, HTTP_IDEMPOTENCY_KEY="k")
    assert (again.status_code, again.content) == (202, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert remaining(again) < remaining(first)
    assert faulty_fields(other) == ["sendAt"]
    assert Message.objects.count() == 1


def test_a_bulk_send_is_replayed_after_the_plan_was_lost(ready):
    who, body = api(ready), {"messages": [DRY]}
    first = who.post_json("/messages/bulk", body, HTTP_IDEMPOTENCY_KEY="k")
    Account.objects.filter(pk=ready.pk).update(plan="free")
    again = who.post_json("/messages/bulk", body, HTTP_IDEMPOTENCY_KEY="k")
    assert (again.status_code, again.content) == (202, first.content)
    assert who.post_json("/messages/bulk", body).status_code == 403


def test_a_setup_message_is_replayed_after_the_credentials_were_removed(ready):
    who = api(ready)
    ready.connections.update(status="active")
    first = who.post_json("/auth/me/test-message", {"to": TO}, HTTP_IDEMPOTENCY_KEY="k")
    who.send("DELETE", "/auth/me/credentials")
    again = who.post_json("/auth/me/test-message", {"to": TO}, HTTP_IDEMPOTENCY_KEY="k")
    assert (again.status_code, again.content) == (202, first.content)


# --- a test key rehearses and changes nothing


def test_a_rehearsal_does_not_answer_for_the_real_send_with_the_same_key(ready, rehearsing):
    keyed = {"HTTP_IDEMPOTENCY_KEY": "order-1"}
    rehearsal = [rehearsing.post_json("/send-message", TEXT, **keyed).json()["data"]["id"] for _ in "12"]
    real = [api(ready).post_json("/send-message", TEXT, **keyed).json()["data"]["id"] for _ in "12"]
    assert rehearsal[0] == rehearsal[1] != real[0] == real[1]
    assert Message.objects.get(pk=real[0]).dry_run is False


def test_a_test_key_cannot_cancel_a_real_message_and_can_cancel_a_rehearsal(ready, rehearsing):
    when = (timezone.now() + timedelta(hours=1)).isoformat()
    real = api(ready).post_json("/send-message", TEXT | {"sendAt": when}).json()["data"]["id"]
    mine = rehearsing.post_json("/send-message", TEXT | {"sendAt": when}).json()["data"]["id"]
    assert rehearsing.post_json(f"/messages/{real}/cancel").status_code == 409
    assert rehearsing.post_json(f"/messages/{mine}/cancel").status_code == 200
    assert Message.objects.get(pk=real).status == Status.SCHEDULED


def test_a_test_key_neither_silences_anybody_nor_undoes_their_stop(ready, rehearsing):
    api(ready).post_json("/suppressions", {"to": TO})
    assert rehearsing.post_json("/suppressions", {"to": "14155552672"}).status_code == 403
    assert rehearsing.send("DELETE", f"/suppressions/{TO}").status_code == 403
    assert [entry["to"] for entry in rehearsing.get("/suppressions").json()["data"]] == [TO]
    assert Suppression.objects.count() == 1


def test_a_test_key_leaves_the_setup_as_it_is(ready, rehearsing):
    api(ready).put_json("/auth/me/onboarding", {"step": 2})
    assert rehearsing.put_json("/auth/me/onboarding", {"step": 1}).status_code == 403
    assert rehearsing.get("/auth/me/onboarding").json()["data"] == {"onboarding": {"step": 2}}


def test_a_template_written_for_metas_own_api_is_told_the_difference(ready):
    template = {"name": "hello_world", "language": {"code": "en_US"}}
    answer = api(ready).post_json("/send-message", {"to": TO, "template": template})
    assert faulty_fields(answer) == ["template.language"]
    assert '"en_US"' in answer.json()["details"][0]["message"]


# --- what is refused at first is paid for when it is sent after all


def test_a_suppressed_item_of_a_bulk_costs_nothing_until_it_is_retried(ready):
    who = api(ready)
    who.post_json("/suppressions", {"to": TO})
    who.post_json("/messages/bulk", {"messages": [TEXT, TEXT | {"to": "14155552672"}]})
    assert quota.usage(ready.pk).used == 1
    refused = Message.objects.get(recipient=TO)
    who.send("DELETE", f"/suppressions/{TO}")
    assert who.post_json(f"/messages/{refused.pk}/retry").status_code == 202
    assert quota.usage(ready.pk).used == 2


def test_a_message_that_was_paid_for_is_retried_for_nothing(ready):
    message = make_message(ready, failure="recipient_opted_out")
    Message.objects.filter(pk=message.pk).update(status=Status.FAILED)
    assert api(ready).post_json(f"/messages/{message.pk}/retry").status_code == 202
    assert quota.usage(ready.pk).used == 0


# --- headers


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/auth/me"), ("POST", "/send-message"), ("GET", "/messages")]
)
def test_every_refusal_of_a_known_key_says_how_it_stands(ready, method, path):
    """Contract 1.7: every response; that is also 403, 405 and 406."""
    _, text = make_key(ready)
    who = api(text)
    left = remaining(who.send("PATCH", path, {}))
    assert remaining(who.send(method, path, None, HTTP_ACCEPT="text/html")) == left - 1
    Account.objects.filter(pk=ready.pk).update(is_active=False)
    answer = who.send(method, path)
    assert answer.status_code == 403
    assert remaining(answer) == left - 2


def test_a_key_without_the_right_is_counted_too(ready):
    _, text = make_key(ready, kind=ApiKey.Kind.MK, scopes=("whatsapp:read",))
    answers = [api(text).get("/auth/me") for _ in "12"]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert remaining(answers[1]) == remaining(answers[0]) - 1


def test_who_takes_no_json_hears_of_a_wrong_key_first(ready):
    assert api("sk_live_" + "0" * 48).get("/auth/me", HTTP_ACCEPT="text/html").status_code == 401
    assert api(ready).get("/auth/me", HTTP_ACCEPT="text/html").status_code == 406
    assert api(ready).get("/auth/me", HTTP_ACCEPT="").status_code == 200
    assert not api(ready).post_json("/send-message", DRY, HTTP_ACCEPT="text/html").json()["success"]
    assert not Message.objects.exists()


def test_a_wrong_method_names_the_right_ones_only(ready):
    for method in ("OPTIONS", "PATCH", "TRACE"):
        answer = api(ready).send(method, "/send-message")
        assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert api(ready).send("OPTIONS", "/messages")["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("accept", ["text/csv", "text/csv, */*;q=0.1", "text/html", "application/json"])
def test_the_export_is_given_to_whoever_asks_for_csv(ready, accept):
    make_message(ready)
    answer = api(ready).get("/messages/export", HTTP_ACCEPT=accept)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert b"".join(answer.streaming_content).count(b"\n") == 2
    refused = api(ready).get("/messages/export?status=x", HTTP_ACCEPT=accept)
    assert faulty_fields(refused) == ["status"]


# --- moments


@pytest.mark.parametrize(
    ("zone", "hours"), [("Z", 0), ("+02", 2), ("+02:00", 2), ("-0530", -5.5), ("%2B02:00", 2), ("%20", None)]
)
def test_a_moment_in_a_query_is_understood_with_its_plus_encoded_or_not(ready, zone, hours):
    """A plus in a query string is a space; hardly anybody thinks of it."""
    moment = timezone.now() + timedelta(hours=hours or 0)
    asked = f"/messages?createdFrom={moment - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}{zone}"
    make_message(ready)
    answer = api(ready).get(asked)
    if hours is None:
        assert faulty_fields(answer) == ["createdFrom"]
    else:
        assert len(answer.json()["data"]) == 1
        later = f"/messages?createdTo={moment - timedelta(minutes=5):%Y-%m-%dT%H:%M:%S}{zone}"
        assert api(ready).get(later).json()["data"] == []


def test_send_at_takes_a_zone_of_whole_hours(ready):
    moment = timezone.now() + timedelta(hours=6)
    answer = api(ready).post_json("/send-message", DRY | {"sendAt": f"{moment:%Y-%m-%dT%H:%M:%S}+02"})
    assert answer.json()["data"]["scheduledFor"] == f"{moment - timedelta(hours=2):%Y-%m-%dT%H:%M:%S}Z"


# --- rotating


def test_a_key_that_was_replaced_and_still_works_is_not_called_invalid(ready):
    _, old = make_key(ready)
    assert api(old).post_json("/auth/me/rotate-key", {"graceSeconds": 60}).status_code == 200
    again = api(old).post_json("/auth/me/rotate-key", {"graceSeconds": 60})
    assert again.status_code == 409
    assert "replaced" in again.json()["error"]
    assert api(old).get("/auth/me").status_code == 200


# --- a deactivated account


@pytest.mark.django_db(transaction=True)
def test_a_deactivated_account_sends_nothing_until_it_is_active_again(meta, alice, number):
    """What it has queued waits; it is neither sent nor lost."""
    meta.open_window(number, TO)
    message = support.queue_text(meta, number, to=TO)
    Account.objects.filter(pk=alice.pk).update(is_active=False)
    support.drain()
    assert not meta.ledger()
    Account.objects.filter(pk=alice.pk).update(is_active=True)
    support.drain()
    assert len(meta.ledger(message)) == 1


# --- limits


@pytest.mark.parametrize(("own", "plan", "limit"), [(400, "pro", 400), (400, "free", 20), (5, "free", 5)])
def test_a_keys_own_limit_never_exceeds_the_plan_that_is_left(ready, own, plan, limit):
    """W38: made on a larger plan, it would go on being served by it."""
    _, text = make_key(ready, rate_limit_per_minute=own)
    Account.objects.filter(pk=ready.pk).update(plan=plan)
    assert int(api(text).get("/auth/me")["X-RateLimit-Limit"]) == limit


def test_more_than_anybody_can_ask_for_is_an_operators_grant(ready):
    _, text = make_key(ready, rate_limit_per_minute=20_000)
    assert int(api(text).get("/auth/me")["X-RateLimit-Limit"]) == 20_000


@pytest.mark.parametrize(("stored", "total", "capped"), [(3, 3, False), (4, 3, True)])
def test_a_total_is_called_capped_only_when_there_are_more(ready, monkeypatch, stored, total, capped):
    monkeypatch.setattr(reading, "COUNTED", 3)
    for _ in range(stored):
        make_message(ready)
    pagination = api(ready).get("/messages?limit=2").json()["pagination"]
    assert (pagination["total"], pagination["totalPages"], pagination["totalIsCapped"]) == (total, 2, capped)
