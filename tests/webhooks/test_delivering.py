"""Delivering to a real receiver: signed, retried on the published schedule, paused, disabled, replayed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone

from tests.support.waiting import eventually
from webhooks.models import Attempt, Delivery, Endpoint, Event
from webhooks.outgoing import claims, claims_sql, delivery_log, endpoints, outbox
from webhooks.outgoing import mails as endpoint_mails
from webhooks.outgoing import worker as delivery_worker
from webhooks.outgoing.endpoints import Given
from webhooks.outgoing.outbox import Announcement
from webhooks.outgoing.schedule import DELAYS
from webhooks.outgoing.windows import FIRST_WIDTH

pytestmark = pytest.mark.django_db(transaction=True)

D = Delivery.Status


@pytest.fixture
def make(alice, receiver):
    """Make an endpoint of Alice's at a path of the receiver."""

    def make(path="/hook", account=alice, **more):
        return endpoints.create(account, Given(url=receiver.url + path, **more))

    return make


def publish(account, count=1, subjects=None):
    outbox.publish(
        [
            Announcement(account.pk, "message.received", {"n": n}, subjects[n] if subjects else str(n), n + 1)
            for n in range(count)
        ]
    )


def drain(seconds=20.0):
    return delivery_worker.drain(seconds=seconds, linger=0.35)


def drain_until_tried(attempts):
    """Drain until so many attempts were made: a busy machine may be slower than a drain lingers."""
    while Attempt.objects.count() < attempts:
        drain()


def pass_time(seconds):
    """Let time pass for everything that waits: what is due later is due so much earlier."""
    by = timedelta(seconds=seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE webhooks_delivery SET due_at = due_at - %s, created_at = created_at - %s", [by, by]
        )
        cursor.execute(
            "UPDATE webhooks_endpoint SET failing_since = failing_since - %s, "
            "paused_until = paused_until - %s, breaker_open_since = breaker_open_since - %s, "
            "ramp_from = ramp_from - %s",
            [by, by, by, by],
        )


def verified(got, secret):
    key = base64.b64decode(secret.reveal().removeprefix("whsec_"))
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    right = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return right in got.headers["webhook-signature"].split(" ")


def test_an_event_arrives_once_signed_with_its_id_and_the_very_bytes_that_were_written(alice, receiver, make):
    _, secret = make(headers={"X-Team": "blue"})
    publish(alice)
    assert drain().delivered == 1
    assert drain().delivered == 0
    (got,) = receiver.got
    event = Event.objects.get()
    assert got.id == event.public_id
    assert got.body == event.body.encode()
    assert verified(got, secret)
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 30
    assert got.headers["content-type"] == "application/json"
    assert got.headers["x-team"] == "blue"
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.due_at, delivery.attempts, delivery.last_status) == (
        D.DELIVERED,
        None,
        1,
        200,
    )
    attempt = Attempt.objects.get()
    assert (attempt.number, attempt.status, attempt.error, attempt.response) == (1, 200, "", "answer 200")
    assert attempt.request_headers["webhook-id"] == event.public_id
    assert attempt.request_headers["X-Team"] == "(hidden)"


def test_eighty_hours_of_failure_follow_the_published_schedule(alice, receiver, make):
    endpoint, _ = make()
    receiver.answer = lambda got: (500, {})
    publish(alice)
    began = timezone.now()
    gaps = []
    for _ in range(len(DELAYS)):
        assert drain().failed == 1
        delivery = Delivery.objects.get()
        assert delivery.status == D.PENDING
        gaps.append((delivery.due_at - timezone.now()).total_seconds())
        pass_time(gaps[-1])
        # The breaker opened with the fifth failure in a row; its probes wait at most half a minute more.
        Endpoint.objects.update(paused_until=None)
    assert drain().failed == 1
    for gap, published in zip(gaps, DELAYS, strict=True):
        assert published * 0.89 - 2 <= gap <= published * 1.11
    assert 67 * 3600 < sum(gaps) < 84 * 3600
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.due_at, delivery.attempts) == (D.FAILED, None, 10)
    assert [attempt.number for attempt in Attempt.objects.order_by("number")] == list(range(1, 11))
    assert len(set(receiver.ids())) == 1
    assert len({got.body for got in receiver.got}) == 1
    endpoint.refresh_from_db()
    assert endpoint.enabled
    assert endpoint.failing_since < began - timedelta(hours=67)


def test_a_retry_goes_where_the_endpoint_points_by_then_and_both_secrets_verify(alice, receiver, make):
    endpoint, old = make("/old")
    receiver.answer = lambda got: (500 if got.path == "/old" else 200, {})
    publish(alice)
    drain()
    endpoints.change(alice, endpoint.pk, Given(url=receiver.url + "/new"))
    _, new = endpoints.rotate_secret(alice, endpoint.pk)
    pass_time(6)
    assert drain().delivered == 1
    first, second = receiver.got
    assert (first.path, second.path) == ("/old", "/new")
    assert first.id == second.id
    assert verified(second, old)
    assert verified(second, new)
    assert not verified(first, new)
    # After the overlap the old one no longer signs.
    Endpoint.objects.update(previous_secret_until=timezone.now())
    publish(alice)
    drain()
    assert verified(receiver.got[-1], new)
    assert not verified(receiver.got[-1], old)


def test_a_removed_endpoint_gets_nothing_more(alice, receiver, make):
    endpoint, _ = make()
    publish(alice)
    endpoints.remove(alice, endpoint.pk)
    drain(seconds=0.3)
    assert receiver.got == []
    assert Delivery.objects.get().status == D.SKIPPED


@pytest.mark.parametrize("how", ["remove", "move"])
def test_what_was_leased_for_an_endpoint_heeds_its_owner_within_a_second(alice, receiver, make, how):
    endpoint, _ = make("/old")

    def slowly(got):
        if got.path == "/old" and len(receiver.got) == 1:
            if how == "remove":
                endpoints.remove(alice, endpoint.pk)
            else:
                endpoints.change(alice, endpoint.pk, Given(url=receiver.url + "/new"))
            connection.close()
        time.sleep(0.4 if got.path == "/old" else 0)
        return 200, {}

    receiver.answer = slowly
    publish(alice, 60)
    drain()
    old, new = len(receiver.ids("/old")), len(receiver.ids("/new"))
    assert old <= 30
    assert new == (0 if how == "remove" else 60 - old)


def test_410_disables_at_once_and_says_so(alice, receiver, make):
    endpoint, _ = make()
    receiver.answer = lambda got: (410, {})
    publish(alice, 5, subjects=["same"] * 5)
    drain()
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.off) == (False, Endpoint.Off.GONE)
    assert not Delivery.objects.filter(due_at__isnull=False).exists()
    assert endpoint_mails.tell_owners() == 1
    assert endpoint_mails.tell_owners() == 0
    assert "410" in mail.outbox[-1].body
    assert endpoint.url in mail.outbox[-1].body
    assert mail.outbox[-1].to == [alice.email]


def test_five_days_of_failures_disable_with_a_mail_after_an_hour_a_day_and_at_the_end(alice, receiver, make):
    endpoint, _ = make()
    receiver.answer = lambda got: (500, {})
    publish(alice, 2)
    drain()
    assert endpoint_mails.tell_owners() == 0
    subjects = []
    for hours in (1, 24):
        Endpoint.objects.update(failing_since=timezone.now() - timedelta(hours=hours), paused_until=None)
        assert endpoint_mails.tell_owners() == 1
        assert endpoint_mails.tell_owners() == 0
        subjects.append(mail.outbox[-1].subject)
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=5), paused_until=None)
    pass_time(400)
    drain()
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.off) == (False, Endpoint.Off.FAILING)
    assert set(Delivery.objects.values_list("status", flat=True)) == {D.SKIPPED}
    assert endpoint_mails.tell_owners() == 1
    subjects.append(mail.outbox[-1].subject)
    assert subjects == [
        "Your webhook endpoint has been failing for an hour",
        "Your webhook endpoint has been failing for a day",
        "Your webhook endpoint was disabled",
    ]


def test_one_failure_after_a_silent_week_is_not_a_week_of_failures(alice, receiver, make):
    make()
    receiver.answer = lambda got: (500, {})
    publish(alice)
    drain_until_tried(1)
    ago = timezone.now() - timedelta(days=7)
    Endpoint.objects.update(failing_since=ago, last_attempt_at=ago, notices=2)
    Delivery.objects.update(due_at=None, status=D.FAILED)
    publish(alice)
    drain_until_tried(2)
    endpoint = Endpoint.objects.get()
    assert (endpoint.enabled, endpoint.notices) == (True, 0)
    assert endpoint.failing_since > ago + timedelta(days=6)


def test_one_success_makes_five_days_begin_anew(alice, receiver, make):
    endpoint, _ = make()
    receiver.answer = lambda got: (500, {})
    publish(alice)
    drain()
    Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=6))
    receiver.answer = lambda got: (204, {})
    pass_time(10)
    drain()
    endpoint.refresh_from_db()
    assert endpoint.enabled
    assert (endpoint.failing_since, endpoint.failures, endpoint.notices) == (None, 0, 0)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_holds_the_whole_endpoint(alice, receiver, make, status):
    endpoint, _ = make()
    receiver.answer = lambda got: (status, {"Retry-After": "90"})
    publish(alice, 6, subjects=["same"] * 6)
    drain(seconds=1.5)
    assert len(receiver.got) <= 2
    endpoint.refresh_from_db()
    assert 80 < (endpoint.paused_until - timezone.now()).total_seconds() <= 90
    receiver.answer = lambda got: (200, {})
    pass_time(91)
    drain()
    assert not Delivery.objects.exclude(status=D.DELIVERED).exists()


def test_the_breaker_lets_one_probe_through_and_recovery_begins_slowly(alice, receiver, make):
    endpoint, _ = make()
    receiver.answer = lambda got: (500, {})
    publish(alice, 60)
    drain(seconds=2)
    endpoint.refresh_from_db()
    assert endpoint.breaker_open_since is not None
    assert claims.FAILURES_TO_OPEN <= len(receiver.got) <= claims.FAILURES_TO_OPEN + 4
    before = len(receiver.got)
    pass_time(31)
    drain(seconds=1)
    assert len(receiver.got) == before + 1  # one probe
    receiver.answer = lambda got: (200, {})
    pass_time(31)
    began = time.monotonic()
    drain(seconds=2)
    took = time.monotonic() - began
    endpoint.refresh_from_db()
    assert endpoint.breaker_open_since is None
    arrived = Delivery.objects.filter(status=D.DELIVERED).count()
    assert 2 <= arrived <= 1 + 6 * took + 2  # five a second at first, not sixty at once
    pass_time(120)
    drain()
    assert not Delivery.objects.exclude(status=D.DELIVERED).exists()


def test_twenty_hanging_endpoints_do_not_hold_up_a_healthy_one(alice, charlie, receiver, make, settings):
    settings.WEBHOOK_TIMEOUT_SECONDS = 5.0
    for n in range(20):
        make(f"/hangs{n}")
    receiver.hangs = {f"/hangs{n}" for n in range(20)}
    make("/healthy", charlie)
    publish(alice, 10)
    publish(charlie, 100)
    runner = threading.Thread(target=lambda: (drain(seconds=5.5), connection.close()))
    runner.start()
    eventually(lambda: len(receiver.ids("/healthy")) >= 100)
    given_up = Attempt.objects.filter(status=None).count()
    # Before the first of them times out: afterwards the receiver still holds what we have given up.
    most = max(receiver.most_under_way[f"/hangs{n}"] for n in range(20))
    runner.join()
    assert len(set(receiver.ids("/healthy"))) == 100
    assert given_up == 0
    assert most <= FIRST_WIDTH
    attempt = Attempt.objects.filter(status=None).first()
    assert attempt.error == "No answer within 5 seconds."


def test_events_of_one_message_go_out_in_their_order(alice, receiver, make):
    make()
    subjects = [str(n % 5) for n in range(100)]
    publish(alice, 100, subjects=subjects)
    drain()
    seen = {}
    for got in receiver.got:
        n = got.json["data"]["n"]
        seen.setdefault(subjects[n], []).append(n)
    assert all(numbers == sorted(numbers) for numbers in seen.values())
    assert sum(map(len, seen.values())) == 100


def test_redirects_are_failures_and_not_followed(alice, receiver, make):
    make("/moved")
    receiver.answer = lambda got: (302, {"Location": receiver.url + "/elsewhere"})
    publish(alice)
    drain()
    assert [got.path for got in receiver.got] == ["/moved"]
    assert Attempt.objects.get().error == "Redirects are not followed."


def test_nothing_leaves_unsigned_when_the_secret_cannot_be_opened(alice, receiver, make):
    endpoint, _ = make()
    Endpoint.objects.update(secret_sealed="v1.00000000.AAAA")
    publish(alice)
    drain(seconds=0.5)
    assert receiver.got == []
    assert Delivery.objects.get().status == D.PENDING
    assert Endpoint.objects.get(pk=endpoint.pk).enabled


def test_a_lease_that_ran_out_is_tried_by_another_and_a_late_success_counts(alice, receiver, make):
    make()
    publish(alice)
    more = {"slots_for": lambda target: 5, "room_of": lambda account: 5}
    first = claims.claim(10, **more)
    assert claims.claim(10, **more).claims == []
    pass_time(61)
    again = claims.claim(10, **more)
    assert again.claims[0].id == first.claims[0].id
    assert again.claims[0].token == first.claims[0].token + 1
    late = outcome(first.claims[0], 500)
    claims.record([late])
    assert Attempt.objects.count() == 0  # a failure under a lost lease says nothing
    claims.record([outcome(first.claims[0], 200)])
    assert Delivery.objects.get().status == D.DELIVERED
    claims.record([outcome(again.claims[0], 500)])
    assert Delivery.objects.get().status == D.DELIVERED


def outcome(claim, status):
    return claims.Outcome(
        claim,
        delivery_worker.judge(status, tried=1),
        timezone.now(),
        5,
        status,
        "",
        "http://x/",
        {},
        "a\x00b",
    )


def test_a_replay_delivers_each_once_and_leaves_what_is_on_its_way_alone(alice, charlie, receiver, make):
    endpoint, _ = make()
    publish(alice, 8)
    publish(charlie, 3)
    drain()
    now = timezone.now()
    ids = list(Delivery.objects.order_by("id").values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=ids[:3]).update(status=D.FAILED)
    Delivery.objects.filter(pk__in=ids[3:4]).update(status=D.SKIPPED)
    Delivery.objects.filter(pk__in=ids[4:5]).delete()
    Delivery.objects.filter(pk__in=ids[5:6]).update(status=D.PENDING, due_at=now + timedelta(hours=1))
    receiver.forget()
    span = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
    assert delivery_log.replay_range(alice, endpoint.pk, **span, everything=False) == 5
    assert delivery_log.replay_range(alice, endpoint.pk, **span, everything=False) == 0
    drain()
    assert len(receiver.got) == len(set(receiver.ids())) == 5
    receiver.forget()
    assert delivery_log.replay_range(alice, endpoint.pk, **span, everything=True) == 7
    drain()
    assert len(receiver.got) == len(set(receiver.ids())) == 7
    assert [got.json["data"]["n"] for got in receiver.got] != []
    assert Delivery.objects.filter(endpoint=endpoint).count() == 8


def test_a_replay_begins_the_schedule_anew_and_keeps_the_log(alice, receiver, make):
    endpoint, _ = make()
    publish(alice)
    drain()
    delivery = Delivery.objects.get()
    receiver.answer = lambda got: (500, {})
    delivery_log.replay(alice, endpoint.pk, delivery.pk)
    drain()
    delivery.refresh_from_db()
    assert (delivery.status, delivery.attempts, delivery.attempts_before) == (D.PENDING, 2, 1)
    assert 0 < (delivery.due_at - timezone.now()).total_seconds() <= 5.5
    assert [one.number for one in delivery.log.order_by("number")] == [1, 2]


def test_a_test_event_reaches_an_endpoint_that_wants_none_of_its_type(alice, receiver, make):
    endpoint, secret = make(events=["number.held"])
    delivery = delivery_log.send_test(alice, endpoint.pk)
    drain()
    (got,) = receiver.got
    assert got.json["event"] == "webhook.test"
    assert got.id == delivery.event.public_id
    assert verified(got, secret)


def test_the_sweep_forgets_what_is_older_than_thirty_days_except_what_is_due(alice, receiver, make):
    endpoint, _ = make()
    publish(alice, 3)
    drain()
    month = timedelta(days=31)
    old = timezone.now() - month
    keep, pending, gone = Delivery.objects.order_by("id")
    for delivery in (pending, gone):
        event = delivery.event
        fresh = type(event.pk)(int=(int(old.timestamp() * 1000) << 80) + (event.pk.int & ((1 << 80) - 1)))
        Event.objects.create(
            id=fresh, account=alice, type=event.type, body=event.body, txid=1, created_at=old
        )
        ident = type(event.pk)(int=(int(old.timestamp() * 1000) << 80) + (delivery.pk.int & ((1 << 80) - 1)))
        made = Delivery.objects.create(
            id=ident,
            endpoint=endpoint,
            event_id=fresh,
            status=D.PENDING if delivery is pending else D.DELIVERED,
            due_at=timezone.now() if delivery is pending else None,
            created_at=old,
        )
        Attempt.objects.create(delivery=made, number=1, at=old, milliseconds=1, url="x")
    assert delivery_log.sweep() == 2
    assert Delivery.objects.count() == 4
    assert Event.objects.count() == 4
    assert Delivery.objects.filter(pk=keep.pk).exists()


def test_a_fast_receiver_gets_more_than_a_few_at_a_time(alice, receiver, make):
    make()
    publish(alice, 1500)
    wide = threading.Event()

    def answer(got):
        if receiver.under_way[got.path] > FIRST_WIDTH:
            wide.set()
        elif 500 < len(receiver.got) <= 550:  # after so many quick answers there is room for more beside this
            wide.wait(2)
        return 200, {}

    receiver.answer = answer

    def nothing_is_due() -> bool:
        drain(seconds=30)  # a machine that stands still for longer than it lingers ends a drain
        return not Delivery.objects.filter(due_at__lte=timezone.now()).exists()

    eventually(nothing_is_due, 60)
    assert len(set(receiver.ids())) == len(receiver.got) == 1500
    # How quick that is belongs to the bench: a timed test would be a lie on a busy machine.
    assert wide.is_set()


def test_the_bytes_of_the_body_are_the_same_for_every_endpoint(alice, receiver, make):
    make("/a")
    make("/b")
    publish(alice)
    drain()
    assert len({got.body for got in receiver.got}) == 1
    assert json.loads(receiver.got[0].body)["id"] == receiver.got[1].id


def test_a_long_queue_of_one_endpoint_makes_no_claim_read_the_table(make, alice):
    make()
    publish(alice, 3_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE webhooks_delivery")
        cursor.execute("EXPLAIN (COSTS off) " + claims_sql.ENDPOINTS, [[], [], 200])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "delivery_due" in plan
    assert "Seq Scan on webhooks_delivery" not in plan, plan
