"""Requests a minute: counted exactly under load, told in headers, open and loud when Redis is gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.conf import settings as django_settings

from accounts.api import views, views_v1
from accounts.models import Account
from core import redis as our_redis
from core.http import ratelimits
from tests.factories import api, make_account, make_key, redis_at
from tests.support.waiting import eventually

DEAD = "redis://127.0.0.1:9/0"


def test_four_hundred_at_once_get_sixty_through():
    window = 10**9
    with ThreadPoolExecutor(40) as pool:
        verdicts = list(pool.map(lambda _: ratelimits.hit("crowd", limit=60, window=window), range(400)))
    assert sum(one.admitted for one in verdicts) == 60
    left = sorted(one.remaining for one in verdicts if one.admitted)
    assert left == list(range(60))
    assert all(one.remaining == 0 and one.retry_after >= 1 for one in verdicts if not one.admitted)


@pytest.mark.django_db
def test_a_key_gets_no_more_than_its_plan_through_the_api():
    who = api(make_account("free"))
    answers = [who.get("/auth/me") for _ in range(60)]
    windows: dict[str, int] = {}
    for answer in answers:
        if answer.status_code == 200:
            reset = answer["X-RateLimit-Reset"]
            windows[reset] = windows.get(reset, 0) + 1
    assert all(count <= 20 for count in windows.values())
    assert windows


def test_the_headers_count_down_and_say_when_to_come_back():
    verdicts = [ratelimits.hit("x", limit=2, window=10**9) for _ in range(4)]
    assert [one.headers()["X-RateLimit-Remaining"] for one in verdicts] == ["1", "0", "0", "0"]
    assert [one.admitted for one in verdicts] == [True, True, False, False]
    assert ["Retry-After" in one.headers() for one in verdicts] == [False, False, True, True]
    assert {one.headers()["X-RateLimit-Limit"] for one in verdicts} == {"2"}
    assert len({one.reset for one in verdicts}) == 1


def test_a_refused_request_is_not_counted():
    for _ in range(10):
        ratelimits.hit("x", limit=2, window=10**9)
    # A higher limit shows what was counted: the two admitted ones.
    assert ratelimits.hit("x", limit=5, window=10**9).remaining == 2


def test_a_new_window_begins_from_the_start():
    """With windows of a second, more than one window's share comes through in time."""
    seen: dict[int, int] = {}

    def third_window() -> bool:
        verdict = ratelimits.hit("short", limit=2, window=1)
        seen[verdict.reset] = seen.get(verdict.reset, 0) + verdict.admitted
        return len(seen) >= 3

    eventually(third_window, 60)
    assert all(count <= 2 for count in seen.values())


def test_the_counter_is_gone_after_its_window():
    ratelimits.hit("x", limit=2)
    server = redis.Redis.from_url(django_settings.REDIS_URL)
    (key,) = server.keys("hermod:rate:x:*")
    assert 0 < server.ttl(key) <= 61


def test_names_do_not_share_a_counter():
    assert ratelimits.hit("a", limit=1, window=10**9).admitted
    assert ratelimits.hit("b", limit=1, window=10**9).admitted
    assert not ratelimits.hit("a", limit=1, window=10**9).admitted


def test_the_reset_is_the_end_of_a_whole_minute():
    verdict = ratelimits.hit("x", limit=2)
    assert verdict.reset % 60 == 0
    assert 1 <= verdict.retry_after <= 60


@pytest.mark.django_db
def test_without_redis_requests_pass_and_the_log_is_loud_but_not_flooded(log, monkeypatch):
    monkeypatch.setattr(ratelimits, "_tell", our_redis.Rarely())
    who = api(make_account("free"))
    with redis_at(DEAD):
        answers = [who.get("/auth/me") for _ in range(30)]
    assert {answer.status_code for answer in answers} == {200}
    assert all(answer["X-RateLimit-Limit"] == "20" for answer in answers)
    loud = [line for line in log.lines if line["level"] == "error" and "rate limits are off" in line["event"]]
    assert len(loud) == 1


@pytest.mark.django_db
def test_when_redis_is_back_the_limit_counts_again():
    who = api(make_account("free"))
    with redis_at(DEAD):
        assert who.get("/auth/me")["X-RateLimit-Remaining"] == "20"
    assert int(who.get("/auth/me")["X-RateLimit-Remaining"]) < 20


def test_a_dead_redis_is_not_asked_again_at_once(monkeypatch):
    with redis_at(DEAD):
        for _ in range(our_redis.FAILURES_TO_BREAK):
            assert ratelimits.hit("x", limit=1).admitted
        calls = []
        # Put back before the other Redis is forgotten, or its scripts would stay known to later tests.
        with monkeypatch.context() as patch:
            patch.setattr(our_redis, "_script", lambda text: calls.append(text))
            assert ratelimits.hit("x", limit=1).admitted
        assert not calls


@pytest.mark.django_db
def test_the_keys_of_an_account_share_its_window_and_a_rotation_adds_nothing_to_it():
    account = make_account("free")
    first, second = api(account), api(account)
    left = [int(who.get("/auth/me")["X-RateLimit-Remaining"]) for who in (first, second, first)]
    rotated = first.post_json("/auth/me/rotate-key")
    left.append(int(rotated["X-RateLimit-Remaining"]))
    left.append(int(api(rotated.json()["data"]["apiKey"]).get("/auth/me")["X-RateLimit-Remaining"]))
    left.append(int(api(make_account("free")).get("/auth/me")["X-RateLimit-Remaining"]))
    assert left == [19, 18, 17, 16, 15, 19]


@pytest.mark.django_db
def test_a_key_with_a_limit_of_its_own_counts_in_both_windows_and_keeps_it_when_rotated():
    account = make_account("free")
    slow = api(make_key(account, rate_limit_per_minute=2)[1])
    text = slow.post_json("/auth/me/rotate-key").json()["data"]["apiKey"]
    answers = [api(text).get("/auth/me") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 429, 429]
    assert answers[0]["X-RateLimit-Limit"] == "2"
    # What was refused is counted nowhere.
    assert api(account).get("/auth/me")["X-RateLimit-Remaining"] == "17"


def test_a_request_counts_in_all_its_windows_or_in_none():
    windows = [("wide", 3), ("narrow", 1)]
    verdicts = [ratelimits.hit_all(windows, window=10**9) for _ in range(3)]
    assert [(one.admitted, one.limit, one.remaining) for one in verdicts] == [
        (True, 1, 0),
        (False, 1, 0),
        (False, 1, 0),
    ]
    assert ratelimits.hit("wide", limit=3, window=10**9).remaining == 1


@pytest.mark.django_db
def test_a_key_with_a_limit_of_its_own_is_counted_by_it():
    _, text = make_key(make_account("pro"), rate_limit_per_minute=7)
    assert api(text).get("/auth/me")["X-RateLimit-Limit"] == "7"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("plan", "own", "w", "v1"),
    [
        ("free", 500, 20, None),  # made on a larger plan, which has ended (W38)
        ("pro", 2_000, 500, 500),
        ("pro", 7, 7, 7),
        ("pro", None, 500, 60),
        ("pro", 20_000, 20_000, 20_000),  # agreed with an operator: nobody can ask for as much
    ],
)
def test_a_keys_own_limit_stays_within_the_plan_of_this_moment(plan, own, w, v1):
    account = make_account("enterprise")
    key, text = make_key(account, rate_limit_per_minute=own)
    assert api(text).get("/auth/me")["X-RateLimit-Limit"] == str(own or 2_000)
    Account.objects.filter(pk=account.pk).update(plan=plan)
    assert api(text).get("/auth/me")["X-RateLimit-Limit"] == str(w)
    account.refresh_from_db()
    if v1:
        assert views.requests_per_minute(key, account, views_v1.REQUESTS_PER_MINUTE) == v1


@pytest.mark.django_db
def test_a_customer_cannot_give_a_key_more_than_the_plan_allows():
    """The plan's limit is what is sold; a key's own limit may only be lower."""
    who = api(make_account("free"))
    made = who.post_json("/auth/me/keys", {"name": "fast", "rateLimitPerMinute": 10_000})
    if made.status_code == 201:
        answer = api(made.json()["data"]["apiKey"]).get("/auth/me")
        assert int(answer["X-RateLimit-Limit"]) <= 20
    else:
        assert made.status_code == 400


@pytest.mark.django_db
def test_wrong_keys_are_401_before_anything_is_counted():
    answers = [api("sk_live_" + "0" * 48).get("/auth/me") for _ in range(40)]
    assert {answer.status_code for answer in answers} == {401}


# --- register, by address


def register(index: int, address: str = "203.0.113.7", **more: str):
    """Try to register from an address."""
    body = {"name": "A", "email": f"a{index}@example.com"}
    return api(REMOTE_ADDR=address, **more).post_json("/auth/register", body)


def admitted_of(answers: list) -> dict[str, int]:
    """Count what was not 429, by window."""
    found: dict[str, int] = {}
    for answer in answers:
        if answer.status_code != 429:
            reset = answer["X-RateLimit-Reset"]
            found[reset] = found.get(reset, 0) + 1
    return found


@pytest.mark.django_db
def test_an_address_registers_five_times_a_minute():
    answers = [register(index) for index in range(12)]
    assert all(count <= 5 for count in admitted_of(answers).values())
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(1 <= int(answer["Retry-After"]) <= 60 for answer in refused)
    assert Account.objects.count() == 12 - len(refused)


@pytest.mark.django_db
def test_malformed_registrations_count_too():
    answers = [api(REMOTE_ADDR="203.0.113.7").post_json("/auth/register", {}) for _ in range(12)]
    assert all(count <= 5 for count in admitted_of(answers).values())
    assert 429 in [answer.status_code for answer in answers]


@pytest.mark.django_db
def test_the_addresses_of_one_ipv6_network_count_together():
    answers = [register(index, f"2001:db8:1:2::{index + 1:x}") for index in range(12)]
    assert all(count <= 5 for count in admitted_of(answers).values())
    elsewhere = register(99, "2001:db8:1:3::1")
    assert elsewhere.status_code == 201


@pytest.mark.django_db
def test_a_forwarded_address_is_not_believed_from_anybody():
    answers = [register(index, HTTP_X_FORWARDED_FOR=f"198.51.100.{index}") for index in range(12)]
    assert all(count <= 5 for count in admitted_of(answers).values())
    assert 429 in [answer.status_code for answer in answers]


@pytest.mark.django_db
def test_a_trusted_proxy_names_the_client(settings):
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    answers = [register(index, "10.0.0.1", HTTP_X_FORWARDED_FOR=f"198.51.100.{index}") for index in range(12)]
    assert {answer.status_code for answer in answers} == {201}
    # What the client wrote before the proxy is not believed.
    same = [
        register(20 + index, "10.0.0.1", HTTP_X_FORWARDED_FOR=f"192.0.2.{index}, 198.51.100.77")
        for index in range(12)
    ]
    assert all(count <= 5 for count in admitted_of(same).values())
