"""Endpoints over the API: the documented default one, more of them, what is refused and why."""

from __future__ import annotations

import uuid

import pytest

from accounts.models import ApiKey
from tests.factories import api, faulty_fields, make_key, without_trace
from webhooks.models import Delivery, Endpoint, Event
from webhooks.outgoing import delivery_log, outbox
from webhooks.outgoing.endpoints import MOST_ENDPOINTS
from webhooks.outgoing.outbox import Announcement

pytestmark = pytest.mark.django_db

URL = "https://hooks.example.com/hermod"
SHOWN = {
    *("id", "url", "description", "events", "headerNames", "isDefault", "enabled", "disabledReason"),
    *("failingSince", "lastAttemptAt", "lastSuccessAt", "previousSecretUntil", "createdAt"),
}


@pytest.fixture
def who(alice):
    return api(alice)


def added(who, **more):
    answer = who.post_json("/webhook-endpoints", {"url": URL, **more})
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]


# --- the documented one


def test_the_default_webhook_is_set_shown_changed_and_removed(who):
    first = who.put_json("/auth/me/webhook", {"url": URL})
    assert first.status_code == 200
    data = first.json()["data"]
    assert data["webhookUrl"] == URL
    assert data["secret"].startswith("whsec_")
    assert data["events"] == ["message.status_updated", "message.received"]
    assert who.get("/auth/me").json()["data"]["webhookUrl"] == URL
    second = who.put_json("/auth/me/webhook", {"url": URL + "/2", "events": ["*"]}).json()["data"]
    assert "secret" not in second
    assert (second["webhookUrl"], second["events"]) == (URL + "/2", ["*"])
    assert second["endpointId"] == data["endpointId"]
    for _ in range(2):
        assert who.delete("/auth/me/webhook").json() == {"success": True, "data": {"webhookUrl": None}}
    assert who.get("/auth/me").json()["data"]["webhookUrl"] is None
    again = who.put_json("/auth/me/webhook", {"url": URL}).json()["data"]
    assert again["secret"] != data["secret"]


def test_setting_it_again_enables_one_that_was_disabled(who):
    who.put_json("/auth/me/webhook", {"url": URL})
    Endpoint.objects.update(enabled=False, off="gone", failures=9)
    who.put_json("/auth/me/webhook", {"url": URL})
    endpoint = Endpoint.objects.get()
    assert (endpoint.enabled, endpoint.off, endpoint.failures) == (True, "", 0)


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("http://hooks.example.com/", "https"),
        ("https://localhost/", ""),
        ("https://127.0.0.1/", ""),
        ("https://169.254.169.254/latest/meta-data", ""),
        ("https://10.0.0.1/", ""),
        ("https://user:password@example.com/", ""),
        ("ftp://example.com/", "https"),
        ("", ""),
        (7, "string"),
        (None, "required"),
    ],
)
def test_an_address_that_must_not_be_called_is_refused_with_the_rule(who, url, rule):
    for method, path in (("PUT", "/auth/me/webhook"), ("POST", "/webhook-endpoints")):
        answer = who.send(method, path, {"url": url})
        assert answer.status_code == 400
        assert faulty_fields(answer) == ["url"]
        assert rule in answer.json()["details"][0]["message"]
    assert not Endpoint.objects.exists()


# --- several


def test_several_endpoints_each_with_its_own_secret_shown_once(who):
    first, second = added(who), added(who, events=["number.held"], description="Ops", headers={"X-A": "b"})
    assert first["secret"] != second["secret"]
    assert (first["events"], second["events"]) == (["*"], ["number.held"])
    assert second["headerNames"] == ["X-A"]
    listed = who.get("/webhook-endpoints").json()["data"]
    assert [one["id"] for one in listed] == [first["id"], second["id"]]
    assert all(set(one) == SHOWN for one in listed)
    one = who.get(f"/webhook-endpoints/{second['id']}").json()["data"]
    assert one == listed[1]
    assert not one["isDefault"]


def test_neither_secret_nor_header_value_is_stored_in_the_clear(who):
    made = added(who, headers={"Authorization": "Bearer canary-1234"})
    row = Endpoint.objects.values().get()
    assert made["secret"] not in repr(row)
    assert "canary" not in repr(row)
    assert b"canary" not in who.get(f"/webhook-endpoints/{made['id']}").content


def test_parts_are_changed_one_by_one_and_null_leaves_them(who):
    made = added(who, description="A", headers={"X-A": "b"})
    path = f"/webhook-endpoints/{made['id']}"
    after = who.send("PATCH", path, {"description": "B", "url": None}).json()["data"]
    assert (after["description"], after["url"], after["headerNames"]) == ("B", URL, ["X-A"])
    off = who.send("PATCH", path, {"enabled": False}).json()["data"]
    assert (off["enabled"], off["disabledReason"]) == (False, "customer")
    on = who.send("PATCH", path, {"enabled": True, "headers": {}, "events": ["message.received"]}).json()[
        "data"
    ]
    assert (on["enabled"], on["disabledReason"], on["headerNames"]) == (True, None, [])
    assert on["events"] == ["message.received"]


def test_removing_is_at_once_and_wipes_the_secrets(who, alice):
    made = added(who)
    outbox.publish([Announcement(alice.pk, "message.received", {})])
    answer = who.delete(f"/webhook-endpoints/{made['id']}")
    assert answer.json()["data"] == {"id": made["id"], "removed": True}
    assert who.get(f"/webhook-endpoints/{made['id']}").status_code == 404
    row = Endpoint.objects.get()
    assert (row.secret_sealed, row.headers_sealed) == ("", "")
    assert Delivery.objects.get().status == "skipped"


def test_rotating_shows_the_new_secret_once_and_says_how_long_the_old_one_counts(who):
    made = added(who)
    rotated = who.post_json(f"/webhook-endpoints/{made['id']}/rotate-secret").json()["data"]
    assert rotated["secret"] != made["secret"]
    assert rotated["previousSecretUntil"] is not None
    endpoint = Endpoint.objects.get()
    assert endpoint.unseal("secret").reveal() == rotated["secret"]
    assert endpoint.unseal("previous_secret").reveal() == made["secret"]


@pytest.mark.parametrize(
    ("part", "field"),
    [
        ({"events": []}, "events"),
        ({"events": ["message.status_updated", "nonsense"]}, "events[1]"),
        ({"events": "message.received"}, "events"),
        ({"events": [1]}, "events"),
        ({"description": "x" * 201}, "description"),
        ({"description": 5}, "description"),
        ({"enabled": "yes"}, "enabled"),
        ({"headers": []}, "headers"),
        ({"headers": {"X-A": 1}}, "headers.X-A"),
        ({"headers": {"X A": "b"}}, "headers"),
        ({"headers": {"": "b"}}, "headers"),
        ({"headers": {"X-A": "b\r\nX-B: c"}}, "headers.X-A"),
        ({"headers": {"X-A": "ü"}}, "headers.X-A"),
        ({"headers": {"X-A": ""}}, "headers.X-A"),
        ({"headers": {"X-A": "b" * 501}}, "headers.X-A"),
        ({"headers": {"Host": "internal"}}, "headers.Host"),
        ({"headers": {"Webhook-Signature": "v1,x"}}, "headers.Webhook-Signature"),
        ({"headers": {"Content-Length": "1"}}, "headers.Content-Length"),
        ({"headers": {"X-A": "b", "x-a": "c"}}, "headers.X-A"),
        ({"headers": {f"X-{n}": "b" for n in range(11)}}, "headers"),
    ],
)
def test_what_cannot_be_saved_is_named(who, part, field):
    answer = who.post_json("/webhook-endpoints", {"url": URL, **part})
    assert answer.status_code == 400
    assert field in faulty_fields(answer)
    assert not Endpoint.objects.exists()


def test_an_account_has_at_most_twenty(who, alice):
    for _ in range(MOST_ENDPOINTS):
        Endpoint.objects.create(account=alice, url=URL)
    assert who.post_json("/webhook-endpoints", {"url": URL}).status_code == 409
    assert who.put_json("/auth/me/webhook", {"url": URL}).status_code == 409


def test_a_test_key_may_look_but_not_change(alice):
    _, text = make_key(alice, kind=ApiKey.Kind.SK_TEST)
    test = api(text)
    assert test.get("/webhook-endpoints").status_code == 200
    assert test.post_json("/webhook-endpoints", {"url": URL}).status_code == 403
    assert test.put_json("/auth/me/webhook", {"url": URL}).status_code == 403


# --- the log


def delivered(alice, count=3):
    outbox.publish([Announcement(alice.pk, "message.received", {"n": n}) for n in range(count)])


def test_the_log_is_read_page_by_page_with_a_fixed_number_of_queries(who, alice, django_assert_num_queries):
    made = added(who)
    delivered(alice, 5)
    path = f"/webhook-endpoints/{made['id']}/deliveries"
    first = who.get(f"{path}?limit=2").json()
    assert first["pagination"]["limit"] == 2
    rest = who.get(f"{path}?limit=20&before={first['pagination']['nextBefore']}").json()
    assert rest["pagination"]["nextBefore"] is None
    ids = [one["id"] for one in first["data"] + rest["data"]]
    assert ids == [str(pk) for pk in Delivery.objects.order_by("-id").values_list("pk", flat=True)]
    with django_assert_num_queries(4):  # key, endpoint, deliveries with events, attempts
        who.get(path)
    assert who.get(f"{path}?status=failed").json()["data"] == []
    assert len(who.get(f"{path}?status=pending").json()["data"]) == 5
    for wrong in ("status=nonsense", "before=1", "limit=0"):
        assert who.get(f"{path}?{wrong}").status_code == 400
    one = who.get(f"{path}/{ids[0]}").json()["data"]
    assert one["body"]["data"] == {"n": 4}
    assert one["eventId"] == one["body"]["id"]
    assert (one["status"], one["attempts"]) == ("pending", [])


def test_replay_of_one_is_refused_while_it_is_on_its_way_or_the_endpoint_is_off(who, alice):
    made = added(who)
    delivered(alice, 1)
    path = f"/webhook-endpoints/{made['id']}/deliveries/{Delivery.objects.get().pk}/replay"
    assert who.post_json(path).status_code == 409
    Delivery.objects.update(status="failed", due_at=None)
    assert who.post_json(path).json()["data"]["status"] == "pending"
    Delivery.objects.update(status="failed", due_at=None)
    Endpoint.objects.update(enabled=False)
    assert "disabled" in who.post_json(path).json()["error"]


def test_replay_of_a_time_counts_what_it_starts(who, alice):
    made = added(who)
    delivered(alice, 4)
    path = f"/webhook-endpoints/{made['id']}/replay"
    assert who.post_json(path, {"since": "2026-01-01T00:00:00Z"}).json()["data"] == {"replayed": 0}
    Delivery.objects.update(status="delivered", due_at=None)
    body = {"since": "2020-01-01T00:00:00Z", "which": "all"}
    assert who.post_json(path, body | {"until": "2020-01-02T00:00:00Z"}).json()["data"] == {"replayed": 0}
    answer = who.post_json(path, body)
    assert (answer.status_code, answer.json()["data"]) == (202, {"replayed": 4})
    order = Delivery.objects.order_by("due_at").values_list("event_id", flat=True)
    assert list(order) == list(Event.objects.order_by("id").values_list("pk", flat=True))
    for wrong in ({}, {"since": "yesterday"}, {"since": "2026-01-01", "which": "some"}):
        assert who.post_json(path, wrong).status_code == 400


def test_events_from_before_the_endpoint_existed_can_be_replayed_to_it(who, alice):
    outbox.note_listener(alice.pk)
    delivered(alice, 3)
    made = added(who)
    endpoint = Endpoint.objects.get()
    path = f"/webhook-endpoints/{made['id']}/replay"
    assert who.post_json(path, {"since": "2020-01-01T00:00:00Z"}).json()["data"] == {"replayed": 3}
    fresh = delivery_log.of_endpoint(endpoint)
    assert [one.event.id for one in fresh] == list(Event.objects.order_by("-id").values_list("pk", flat=True))


def test_another_accounts_endpoint_is_like_none(who, charlie):
    made = added(api(charlie))
    stranger = uuid.uuid4()
    calls = [
        ("GET", "/webhook-endpoints/{}"),
        ("PATCH", "/webhook-endpoints/{}"),
        ("DELETE", "/webhook-endpoints/{}"),
        ("POST", "/webhook-endpoints/{}/rotate-secret"),
        ("GET", "/webhook-endpoints/{}/deliveries"),
        ("GET", "/webhook-endpoints/{}/deliveries/" + str(stranger)),
        ("POST", "/webhook-endpoints/{}/deliveries/" + str(stranger) + "/replay"),
        ("POST", "/webhook-endpoints/{}/test"),
    ]
    for method, path in calls:
        body = {} if method in ("PATCH",) else None
        foreign = who.send(method, path.format(made["id"]), body)
        unknown = who.send(method, path.format(stranger), body)
        nonsense = who.send(method, path.format("nonsense"), body)
        assert foreign.status_code == unknown.status_code == nonsense.status_code == 404
        assert without_trace(foreign)[1] == without_trace(unknown)[1] == without_trace(nonsense)[1]
    assert Endpoint.objects.get().enabled
