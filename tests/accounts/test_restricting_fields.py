"""A field that is meant to restrict is honoured or refused; never is more made than was asked for."""

from __future__ import annotations

import pytest

from accounts.models import ApiKey
from tests.factories import api, faulty_fields, make_account
from webhooks.models import Endpoint

pytestmark = pytest.mark.django_db

KEYS = "/auth/me/keys"
HOOKS = "/webhook-endpoints"


@pytest.fixture
def who():
    return api(make_account("enterprise"))


def test_a_key_has_the_scopes_that_were_asked_for(who):
    """H17."""
    answer = who.post_json(KEYS, {"name": "x", "scopes": ["whatsapp:read"]})
    made = answer.json()["data"]
    assert (answer.status_code, made["scopes"]) == (201, ["whatsapp:read"])
    limited = api(made["apiKey"])
    assert limited.get("/messages").status_code == 200
    for path in ("/send-message", KEYS, HOOKS):
        assert limited.post_json(path, {"to": "14155552671", "message": "Hi", "name": "y"}).status_code == 403
    assert who.post_json(KEYS, {"name": "x"}).json()["data"]["scopes"] == ["*"]


@pytest.mark.parametrize(
    "scopes",
    [[], ["everything"], "whatsapp:read", {"a": 1}, ["*", "messenger:send"], [None], [["*"]], 1, True],
)
def test_scopes_that_we_do_not_know_make_no_key(who, scopes):
    before = ApiKey.objects.count()
    answer = who.post_json(KEYS, {"name": "x", "scopes": scopes})
    assert (answer.status_code, faulty_fields(answer)) == (400, ["scopes"])
    assert ApiKey.objects.count() == before


@pytest.mark.parametrize(
    "name",
    [
        *(
            "scope",
            "Scopes",
            "permissions",
            "role",
            "readOnly",
            "read_only",
            "expires_at",
            "expiresIn",
            "ttl",
        ),
        *("rate_limit_per_minute", "rate-limit-per-minute", "agentIds", "agent_ids", "numbers", "ipAllow"),
        *("allowed_ips", "ip_whitelist", "environment", "phoneNumberIds"),
    ],
)
def test_a_restriction_that_a_key_cannot_have_makes_no_key(who, name):
    before = ApiKey.objects.count()
    answer = who.post_json(KEYS, {"name": "x", name: "whatever"})
    assert (answer.status_code, faulty_fields(answer)) == (400, [name])
    assert ApiKey.objects.count() == before


def test_other_unknown_fields_are_ignored_as_everywhere(who):
    """W7."""
    answer = who.post_json(KEYS, {"name": "x", "comment": "for the shop", "color": "blue"})
    assert answer.status_code == 201


@pytest.mark.parametrize("name", ["grace_seconds", "grace", "scopes", "expiresAt", "rateLimitPerMinute"])
def test_a_rotation_that_was_meant_otherwise_does_not_happen(who, name):
    answer = who.post_json("/auth/me/rotate-key", {name: 60})
    assert (answer.status_code, faulty_fields(answer)) == (400, [name])
    assert who.get("/auth/me").status_code == 200


@pytest.mark.parametrize(
    "name", ["event", "eventTypes", "event_types", "filter", "active", "disabled", "numbers"]
)
def test_an_endpoint_is_not_told_more_than_was_meant(who, name):
    answer = who.post_json(HOOKS, {"url": "https://example.com/hook", name: "x"})
    assert (answer.status_code, faulty_fields(answer)) == (400, [name])
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("name", ["to", "end", "Until", "limit", "status", "event_types", "dry_run", "tz"])
def test_a_replay_is_not_wider_than_was_meant(who, name):
    made = who.post_json(HOOKS, {"url": "https://example.com/hook"}).json()["data"]
    body = {"since": "2026-01-01T00:00:00Z", name: "2026-01-02T00:00:00Z"}
    answer = who.post_json(f"{HOOKS}/{made['id']}/replay", body)
    assert (answer.status_code, faulty_fields(answer)) == (400, [name])
