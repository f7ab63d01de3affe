"""`POST /auth/me/rotate-key`: the old key is dead at once, the new one works, and one request wins."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import ApiKey
from tests.factories import Api, api, make_account, make_key

PATH = "/auth/me/rotate-key"


@pytest.mark.django_db
def test_the_old_key_is_dead_and_the_new_one_works():
    account = make_account()
    old = api(account)
    answer = old.post_json(PATH)
    assert answer.status_code == 200
    assert set(answer.json()) == {"success", "data"}
    assert set(answer.json()["data"]) == {"apiKey"}
    assert answer["Cache-Control"] == "no-store"
    text = answer.json()["data"]["apiKey"]
    assert re.fullmatch(r"sk_live_[0-9a-f]{48}", text)
    assert text != old.key
    assert old.get("/auth/me").status_code == 401
    assert old.post_json(PATH).status_code == 401
    assert api(text).get("/auth/me").json()["data"]["email"] == account.email


@pytest.mark.django_db
def test_the_new_key_is_shown_in_this_answer_only():
    text = api(make_account()).post_json(PATH).json()["data"]["apiKey"]
    assert text.encode() not in api(text).get("/auth/me").content
    assert text not in str(list(ApiKey.objects.values()))


@pytest.mark.django_db
def test_other_keys_of_the_account_go_on():
    account = make_account()
    first, second = api(account), api(account)
    first.post_json(PATH)
    assert second.get("/auth/me").status_code == 200


@pytest.mark.django_db
def test_the_new_key_may_do_what_the_old_one_might():
    account = make_account("pro")
    soon = timezone.now() + timedelta(days=1)
    agent = str(account.agents.get().pk)
    old, text = make_key(
        account,
        kind=ApiKey.Kind.MK,
        scopes=("*",),
        agent_ids=[agent],
        rate_limit_per_minute=7,
        expires_at=soon,
    )
    fresh = api(text).post_json(PATH).json()["data"]["apiKey"]
    assert fresh.startswith("mk_live_")
    new = ApiKey.objects.get(prefix=fresh[:12], last_four=fresh[-4:], revoked_at=None)
    assert (new.kind, new.scopes, new.agent_ids, new.rate_limit_per_minute, new.expires_at, new.name) == (
        "mk_live",
        ["*"],
        [agent],
        7,
        soon,
        old.name,
    )
    old.refresh_from_db()
    assert old.revoked_reason == "rotated"


@pytest.mark.django_db
def test_a_body_is_not_needed_and_not_minded():
    for body in (None, {}, {"apiKey": "sk_live_" + "0" * 48}):
        text = api(make_account()).post_json(PATH, body).json()["data"]["apiKey"]
        assert text != "sk_live_" + "0" * 48


@pytest.mark.django_db(transaction=True)
def test_of_parallel_rotations_one_wins():
    account = make_account(plan="enterprise")
    _, text = make_key(account)
    ready = threading.Barrier(10)
    answers: list[tuple[int, str]] = []

    def go() -> None:
        client = Api(text)
        ready.wait()
        try:
            answer = client.post_json(PATH)
            answers.append((answer.status_code, answer.json().get("data", {}).get("apiKey", "")))
        finally:
            connection.close()

    threads = [threading.Thread(target=go) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [200] + [401] * 9
    (winner,) = [key for status, key in answers if status == 200]
    assert api(winner).get("/auth/me").status_code == 200
    assert api(text).get("/auth/me").status_code == 401
    # The key that registering issued, and the winner's.
    assert ApiKey.objects.filter(account=account, revoked_at=None).count() == 2


@pytest.mark.django_db(transaction=True)
def test_at_no_moment_are_both_keys_refused():
    account = make_account(plan="enterprise")
    old = api(account)
    fresh: list[str] = []
    done = threading.Event()

    def rotate() -> None:
        try:
            fresh.append(old.post_json(PATH).json()["data"]["apiKey"])
        finally:
            done.set()
            connection.close()

    watcher = Api(old.key)
    thread = threading.Thread(target=rotate)
    thread.start()
    statuses = []
    while not done.is_set():
        statuses.append(watcher.get("/auth/me").status_code)
    thread.join()
    # The old key dies once and for good, and when it is dead the new one is alive.
    assert statuses == sorted(statuses)
    assert watcher.get("/auth/me").status_code == 401
    assert api(fresh[0]).get("/auth/me").status_code == 200
