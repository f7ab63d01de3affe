"""Idempotency keys: one message per key, whatever happens at the same time or goes wrong between."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
from django.db import connection, connections
from django.utils import timezone

from accounts.models import Account, Number
from messaging.models import IdempotencyKey, Message, Status
from messaging.queue import accept, idempotency
from messaging.upkeep import housekeeping
from tests.factories import api, connect, make_account, make_key, make_message
from tests.support import meta as support

THREADS = 50
TEXT = {"to": "14155552671", "message": "Hello"}
TEMPLATE = {"to": "14155552671", "template": {"name": "hello_world", "language": "en_US"}}


@pytest.fixture
def ready(db: None) -> Account:
    """A customer who may send and is not limited soon."""
    account = make_account("enterprise")
    connect(account)
    return account


def send(who: Any, body: Any = TEXT, key: str = "k", path: str = "/send-message") -> Any:
    """Send with a key."""
    return who.post_json(path, body, HTTP_IDEMPOTENCY_KEY=key)


@pytest.fixture
def holder() -> Iterator[Any]:
    """Hold a key in a transaction of another thread until ``release`` is set."""
    threads: list[threading.Thread] = []
    release = threading.Event()

    def hold(account: Account, key: str, *, crash: bool = False) -> threading.Event:
        taken = threading.Event()

        def run() -> None:
            print_ = idempotency.fingerprint("POST", "/send-message", TEXT)
            try:
                with idempotency.first(account, key, print_) as request:
                    taken.set()
                    assert release.wait(60)
                    if crash:
                        raise RuntimeError("crashed")
                    request.respond(202, {"success": True, "data": {"winner": True}})
            except RuntimeError:
                pass
            finally:
                connections.close_all()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        assert taken.wait(30)
        return release

    yield hold
    release.set()
    for one in threads:
        one.join(60)


# --- side by side


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_fifty_requests_with_one_key_make_one_message(ready):
    """All 202 are byte for byte the same; exactly one of them is the first."""
    _, key = make_key(ready)
    answers = support.together(THREADS, lambda _: send(api(key)))
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {202, 409}, statuses
    accepted = [answer for answer in answers if answer.status_code == 202]
    assert len({answer.content for answer in accepted}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in accepted) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert int(answer["Retry-After"]) >= 1
    assert Message.objects.count() == 1
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_program_that_sends_again_whenever_it_heard_nothing_makes_one_message(live_server, ready):
    """Over HTTP, with connections that the server drops: the key is what makes repeating safe."""
    _, key = make_key(ready)
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "order-1"}

    def one(_: int) -> requests.Response:
        for _ in range(20):
            try:
                answer = requests.post(
                    live_server.url + "/send-message", json=TEXT, headers=headers, timeout=60
                )
            except requests.ConnectionError:
                continue
            if answer.status_code != 409:
                break
        return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(16)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.content for answer in answers}) == 1
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_threads_with_one_key_for_a_bulk_make_one_batch(ready):
    """A bulk is as atomic as a single send."""
    _, key = make_key(ready)
    body = {"messages": [TEXT] * 20}
    answers = support.together(12, lambda _: send(api(key), body, path="/messages/bulk"))
    assert {answer.status_code for answer in answers} <= {202, 409}
    accepted = {answer.content for answer in answers if answer.status_code == 202}
    assert len(accepted) == 1
    assert Message.objects.count() == 20


@pytest.mark.django_db(transaction=True)
def test_threads_with_different_bodies_and_one_key_make_one_message(ready):
    """Who comes first decides what the key means; everybody else is told 409."""
    _, key = make_key(ready)
    answers = support.together(10, lambda index: send(api(key), TEXT | {"message": f"text {index}"}))
    assert Counter(answer.status_code for answer in answers) == {202: 1, 409: 9}
    assert Message.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_threads_with_a_key_each_make_a_message_each(ready):
    """Keys do not wait for one another."""
    _, key = make_key(ready)
    answers = support.together(10, lambda index: send(api(key), key=f"k{index}"))
    assert {answer.status_code for answer in answers} == {202}
    assert Message.objects.count() == 10


@pytest.mark.django_db(transaction=True)
def test_a_twin_of_a_request_that_takes_long_is_told_to_come_back(ready, holder, monkeypatch):
    """W30: 409 with Retry-After; never a second send."""
    monkeypatch.setattr(idempotency, "WAIT_MILLISECONDS", 100)
    holder(ready, "k")
    answer = send(api(ready))
    assert answer.status_code == 409
    assert int(answer["Retry-After"]) >= 1
    assert "Idempotency-Replayed" not in answer
    assert not Message.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_twin_takes_over_when_the_first_one_crashes(ready, holder):
    """The first one's key is given back by its rollback."""
    release = holder(ready, "k", crash=True)
    results: list[Any] = []
    _, key = make_key(ready)

    def twin() -> None:
        try:
            results.append(send(api(key)))
        finally:
            connections.close_all()

    thread = threading.Thread(target=twin)
    thread.start()
    release.set()
    thread.join(60)
    if results[0].status_code == 409:  # it gave up waiting before the crash
        results = [send(api(key))]
    assert results[0].status_code == 202
    assert "Idempotency-Replayed" not in results[0]
    assert Message.objects.count() == 1


# --- one after the other


def test_two_accounts_may_use_the_same_key(ready):
    other = make_account("pro")
    connect(other)
    first, second = send(api(ready)), send(api(other))
    assert first.status_code == second.status_code == 202
    assert first.json()["data"]["id"] != second.json()["data"]["id"]
    assert "Idempotency-Replayed" not in second


def test_two_keys_of_an_account_share_its_idempotency_keys(ready):
    first, second = send(api(ready)), send(api(ready))
    assert first.content == second.content
    assert second["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    "other",
    [
        TEXT | {"message": "Other"},
        TEXT | {"to": "14155552672"},
        TEXT | {"metadata": {}},
        TEXT | {"dry_run": False},
        TEXT | {"unknown": 1},
        TEMPLATE,
    ],
)
def test_another_body_with_the_same_key_is_409(ready, other):
    assert send(api(ready)).status_code == 202
    answer = send(api(ready), other)
    assert answer.status_code == 409
    assert "Retry-After" not in answer
    assert Message.objects.count() == 1


def test_another_route_with_the_same_key_is_409(ready):
    failed = [make_message(ready, status=Status.FAILED) for _ in range(2)]
    who = api(ready)
    assert send(who, None, path=f"/messages/{failed[0].pk}/retry").status_code == 202
    assert send(who, None, path=f"/messages/{failed[1].pk}/retry").status_code == 409
    assert send(who).status_code == 409
    failed[1].refresh_from_db()
    assert failed[1].status == Status.FAILED


def test_a_refused_request_leaves_its_key_free(ready):
    who = api(ready)
    assert send(who, {"to": "1"}).status_code == 400
    assert not IdempotencyKey.objects.exists()
    assert send(who).status_code == 202


@pytest.mark.parametrize("reason", ["credentials", "suppressed", "paused", "plan", "not failed", "gone"])
def test_what_is_refused_inside_the_work_leaves_the_key_free_too(ready, reason):
    who = api(ready)
    message = make_message(ready, status=Status.SENT)
    path, body = "/send-message", TEXT
    if reason == "credentials":
        Number.objects.filter(account=ready).update(removed_at=timezone.now())
    elif reason == "suppressed":
        who.post_json("/suppressions", {"to": TEXT["to"]})
    elif reason == "paused":
        until = timezone.now() + timedelta(seconds=60)
        Number.objects.filter(account=ready).update(breaker_open_since=until, paused_until=until)
    elif reason == "plan":
        Account.objects.filter(pk=ready.pk).update(plan="free")
        path, body = "/messages/bulk", {"messages": [TEXT]}
    elif reason == "not failed":
        path, body = f"/messages/{message.pk}/retry", None
    else:
        path, body = f"/messages/{ready.pk}/retry", None
    assert send(who, body, path=path).status_code in (400, 403, 404, 409, 503)
    assert not IdempotencyKey.objects.exists()


def test_a_crash_inside_the_work_leaves_the_key_usable(ready, monkeypatch):
    def crash(*_: Any, **__: Any) -> None:
        Message.objects.create(account=ready, type="text", status=Status.QUEUED, created_at=timezone.now())
        raise RuntimeError("crashed")

    who = api(ready)
    with monkeypatch.context() as patch:
        patch.setattr(accept, "queue", crash)
        assert send(who).status_code == 500
    assert not IdempotencyKey.objects.exists()
    assert not Message.objects.exists()
    answer = send(who)
    assert answer.status_code == 202
    assert "Idempotency-Replayed" not in answer


def test_a_rate_limited_request_leaves_its_key_free(ready):
    _, slow = make_key(ready, rate_limit_per_minute=1)
    answers = [send(api(slow), key=f"k{index}") for index in range(5)]
    assert 429 in [answer.status_code for answer in answers]
    accepted = sum(answer.status_code == 202 for answer in answers)
    assert Message.objects.count() == IdempotencyKey.objects.count() == accepted


@pytest.mark.parametrize(("hours", "fresh"), [(23, False), (25, True)])
def test_a_key_is_new_again_after_a_day(ready, hours, fresh):
    who = api(ready)
    first = send(who)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=hours))
    again = send(who)
    assert again.status_code == 202
    assert (again.content != first.content) is fresh
    assert ("Idempotency-Replayed" not in again) is fresh
    assert Message.objects.count() == 1 + fresh
    third = send(who)
    assert third.content == again.content


def test_a_key_that_is_new_again_may_mean_something_else(ready):
    who = api(ready)
    send(who)
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert send(who, TEXT | {"message": "Other"}).status_code == 202
    assert send(who).status_code == 409


def test_housekeeping_forgets_keys_whose_day_is_over(ready):
    who = api(ready)
    send(who, key="old")
    send(who, key="young")
    old = timezone.now() - timedelta(hours=25)
    IdempotencyKey.objects.filter(key="old").update(created_at=old)
    assert housekeeping.forget_keys() == 1
    assert [row.key for row in IdempotencyKey.objects.all()] == ["young"]


@pytest.mark.parametrize(
    "key", ["x" * 256, "x" * 10_000, "a\tb", "\x01", "\x7f", "é", "键", " x", "x ", "a\x80", "😀"]
)
def test_a_key_of_other_characters_or_too_long_is_400_and_names_the_header(ready, key):
    answer = send(api(ready), key=key)
    assert answer.status_code == 400
    assert [one["field"] for one in answer.json()["details"]] == ["Idempotency-Key"]
    assert not Message.objects.exists()


@pytest.mark.parametrize("key", ["x" * 255, "!", "a b", "~" * 255, "'; DROP TABLE--", "%s", "{}"])
def test_a_key_of_printable_characters_works_whatever_they_are(ready, key):
    first, again = send(api(ready), key=key), send(api(ready), key=key)
    assert first.content == again.content
    assert Message.objects.count() == 1


def test_keys_differ_by_case(ready):
    assert send(api(ready), key="Order").content != send(api(ready), key="order").content


def test_without_a_key_every_request_is_another_message(ready):
    who = api(ready)
    idents = {who.post_json("/send-message", TEXT).json()["data"]["id"] for _ in range(3)}
    assert len(idents) == 3
    assert not IdempotencyKey.objects.exists()


def test_a_replay_works_while_sending_is_paused(ready):
    """W58."""
    who = api(ready)
    first = send(who)
    until = timezone.now() + timedelta(seconds=60)
    Number.objects.filter(account=ready).update(breaker_open_since=until, paused_until=until)
    again = send(who)
    assert (again.status_code, again.content) == (202, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert send(who, key="fresh").status_code == 503


def test_a_replay_works_after_the_recipient_has_opted_out_and_the_credentials_are_gone(ready):
    who = api(ready)
    first = send(who)
    who.post_json("/suppressions", {"to": TEXT["to"]})
    Number.objects.filter(account=ready).update(removed_at=timezone.now())
    assert send(who).content == first.content


@pytest.mark.django_db(transaction=True)
def test_a_replay_neither_stores_nor_sends_nor_counts_again(meta, alice, number):
    who = api(alice)
    send(who, TEMPLATE)
    support.drain()
    for _ in range(3):
        assert send(who, TEMPLATE).status_code == 202
    support.drain()
    assert len(meta.ledger()) == 1
    assert Message.objects.filter(direction="out").count() == 1
    assert who.get("/auth/me").json()["data"]["messagesSent"] == 1
    assert who.get("/analytics/summary").json()["data"]["total"] == 1


def test_a_replayed_retry_does_not_open_the_message_again(ready):
    who = api(ready)
    message = make_message(ready, status=Status.FAILED)
    first = send(who, None, path=f"/messages/{message.pk}/retry")
    Message.objects.filter(pk=message.pk).update(status=Status.FAILED, due_at=None)
    again = send(who, None, path=f"/messages/{message.pk}/retry")
    assert again.content == first.content
    message.refresh_from_db()
    assert message.status == Status.FAILED
    assert message.round == 1


def test_the_lock_timeout_of_a_claim_does_not_reach_the_work(ready):
    """A send that waits for a row behind its key may wait longer than a twin may."""
    with idempotency.first(ready, "k", b"x" * 32) as request, connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
        request.respond(202, {})


def test_a_first_request_that_was_not_answered_leaves_nothing_behind(ready):
    with pytest.raises(AssertionError, match="answered"), idempotency.first(ready, "k", b"x" * 32):
        make_message(ready)
    assert not IdempotencyKey.objects.exists()
    assert not Message.objects.exists()
