"""More than one key: made, listed, revoked, expired, for tests only, and rotated with grace."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts import keys
from accounts.models import Account, ApiKey
from messaging.models import Message, Status
from tests.factories import api, connect, faulty_fields, make_account, make_key, make_message, refusal
from tests.support import meta as support

pytestmark = pytest.mark.django_db

TEXT = {"to": "14155552671", "message": "Hello"}


@pytest.fixture
def owner() -> Account:
    """A customer with the one key of the registration."""
    return make_account("pro")


def works(text: str) -> bool:
    """Tell whether a key is taken."""
    return api(text).get("/auth/me").status_code == 200


def create(who: Any, **fields: Any) -> dict[str, Any]:
    """Make a key through the API."""
    answer = who.post_json("/auth/me/keys", {"name": "Server"} | fields)
    assert answer.status_code == 201, answer.content
    return answer.json()["data"]


def test_a_new_key_is_shown_once_and_works(owner):
    who = api(owner)
    made = create(who)
    assert re.fullmatch(r"sk_live_[0-9a-f]{48}", made["apiKey"])
    assert works(made["apiKey"])
    listed = who.get("/auth/me/keys")
    assert made["apiKey"] not in listed.content.decode()
    (shown,) = [one for one in listed.json()["data"] if one["id"] == made["id"]]
    assert "apiKey" not in shown
    assert made["apiKey"].startswith(shown["prefix"])
    assert made["apiKey"].endswith(shown["lastFour"])
    assert (shown["name"], shown["kind"], shown["current"]) == ("Server", "live", False)


def test_the_list_names_the_key_that_asks_and_leaves_dead_ones_out(owner):
    first = api(owner)
    make_key(owner, revoked_at=timezone.now())
    make_key(owner, expires_at=timezone.now() - timedelta(minutes=1))
    listed = first.get("/auth/me/keys").json()["data"]
    assert len(listed) == 2
    (current,) = [one for one in listed if one["current"]]
    assert first.key.endswith(current["lastFour"])


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": None}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"kind": "production"}, "kind"),
        ({"kind": ["live"]}, "kind"),
        ({"rateLimitPerMinute": 0}, "rateLimitPerMinute"),
        ({"rateLimitPerMinute": 10_001}, "rateLimitPerMinute"),
        ({"rateLimitPerMinute": "60"}, "rateLimitPerMinute"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "soon"}, "expiresAt"),
    ],
)
def test_a_malformed_wish_is_400_and_makes_no_key(owner, fields, field):
    who = api(owner)
    before = ApiKey.objects.count()
    answer = who.post_json("/auth/me/keys", {"name": "x"} | fields)
    assert answer.status_code == 400
    assert faulty_fields(answer) == [field]
    assert ApiKey.objects.count() == before


def test_a_revoked_key_is_dead_at_once_and_for_good(owner):
    who = api(owner)
    made = create(who)
    answer = who.send("DELETE", f"/auth/me/keys/{made['id']}")
    assert answer.status_code == 200
    assert answer.json()["data"] == {"id": made["id"], "revoked": True}
    assert api(made["apiKey"]).get("/auth/me").status_code == 401
    assert who.send("DELETE", f"/auth/me/keys/{made['id']}").status_code == 404
    assert works(who.key)


def test_a_key_may_revoke_itself_when_another_is_left(owner):
    create(api(owner))
    who = api(owner)
    (current,) = [one for one in who.get("/auth/me/keys").json()["data"] if one["current"]]
    assert who.send("DELETE", f"/auth/me/keys/{current['id']}").status_code == 200
    assert not works(who.key)


def test_the_last_live_key_cannot_be_revoked():
    account = make_account("pro")
    key = ApiKey.objects.get(account=account)
    _, test_key = make_key(account, kind=ApiKey.Kind.SK_TEST)
    answer = api(test_key).send("DELETE", f"/auth/me/keys/{key.pk}")
    assert answer.status_code in (403, 409)
    key.refresh_from_db()
    assert key.revoked_at is None


def test_a_key_that_cannot_make_others_does_not_count_as_the_last_one():
    """Who is left with a key for sending only could never make another."""
    account = make_account("pro")
    key = ApiKey.objects.get(account=account)
    make_key(account, kind=ApiKey.Kind.MK, scopes=("whatsapp:send",))
    with pytest.raises(Exception, match="last"):
        keys.revoke(account, key.pk)
    key.refresh_from_db()
    assert key.revoked_at is None


def test_a_key_that_is_already_on_its_way_out_does_not_count_as_the_last_one():
    """During the grace of a rotation the new key is the last one."""
    account = make_account("pro")
    old = ApiKey.objects.get(account=account)
    keys.rotate(old, grace=timedelta(minutes=5))
    fresh = ApiKey.objects.exclude(pk=old.pk).get(account=account)
    with pytest.raises(Exception, match="last"):
        keys.revoke(account, fresh.pk)


@pytest.mark.django_db(transaction=True)
def test_two_keys_revoked_at_the_same_moment_leave_one():
    account = make_account("pro")
    make_key(account)
    idents = list(ApiKey.objects.filter(account=account).values_list("pk", flat=True))

    def revoke(index: int) -> bool:
        try:
            keys.revoke(account, idents[index])
        except Exception:
            return False
        return True

    assert sorted(support.together(2, revoke)) == [False, True]
    assert len(keys.active(account)) == 1


def test_a_foreign_key_and_a_malformed_id_are_404(owner):
    other = make_account("pro")
    make_key(other)
    foreign = ApiKey.objects.filter(account=other).first()
    who = api(owner)
    for ident in (foreign.pk, uuid.uuid4(), "nonsense", "%00", "1"):
        assert who.send("DELETE", f"/auth/me/keys/{ident}").status_code == 404
    foreign.refresh_from_db()
    assert foreign.revoked_at is None


def test_an_account_has_at_most_a_hundred_keys(owner):
    who = api(owner)
    for _ in range(100 - len(keys.active(owner))):
        keys.issue(owner, name="x")
    answer = who.post_json("/auth/me/keys", {"name": "one too many"})
    assert answer.status_code == 409
    assert len(keys.active(owner)) == 100


def test_a_key_expires_by_itself(owner):
    at = (timezone.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = create(api(owner), expiresAt=at)
    assert made["expiresAt"] == at
    assert works(made["apiKey"])
    ApiKey.objects.filter(pk=made["id"]).update(expires_at=timezone.now() - timedelta(seconds=1))
    answer = api(made["apiKey"]).get("/auth/me")
    assert answer.status_code == 401
    assert answer.json() == refusal("Invalid API key.", "invalid_api_key")


def test_a_key_without_an_expiry_never_expires(owner):
    made = create(api(owner))
    assert made["expiresAt"] is None
    ApiKey.objects.filter(pk=made["id"]).update(created_at=timezone.now() - timedelta(days=4000))
    assert works(made["apiKey"])


@pytest.mark.django_db(transaction=True)
def test_a_test_key_never_reaches_meta_and_its_magic_recipients_fail(meta):
    account = make_account("pro")
    meta.connect(account)
    made = create(api(account), kind="test")
    assert re.fullmatch(r"sk_test_[0-9a-f]{48}", made["apiKey"])
    who = api(made["apiKey"])
    fates = {"14155550001": 131026, "14155550002": 131047, "14155550003": 131049, "14155550004": 131050}
    fates |= {"14155550005": 131053, "14155550006": 130472, "14155550007": 131042, "14155552671": None}
    messages = [{"to": to, "message": "Hi"} for to in fates]
    sent = [who.post_json("/send-message", one) for one in messages]
    assert {answer.status_code for answer in sent} == {202}
    assert who.post_json("/messages/bulk", {"messages": messages}).status_code == 202
    for _ in range(2):
        support.drain()
        support.let_time_pass(account)
    assert not meta.ledger()
    assert Message.objects.count() == 2 * len(fates)
    for message in Message.objects.all():
        found = who.get(f"/messages/{message.pk}").json()["data"]
        code = fates[message.recipient]
        assert found["dryRun"] is True
        assert found["status"] == ("failed" if code else "delivered"), found
        assert found["errorCode"] == code
        assert bool(found["errorMessage"]) == bool(code)
    assert who.get("/auth/me").json()["data"]["messagesSent"] == 0
    assert who.get("/analytics/summary").json()["data"]["total"] == 0


def test_a_test_key_needs_no_credentials_and_a_live_key_does(owner):
    made = create(api(owner), kind="test")
    assert api(made["apiKey"]).post_json("/send-message", TEXT).status_code == 202
    assert api(owner).post_json("/send-message", TEXT).status_code == 400


def test_a_live_keys_dry_run_does_not_know_magic_recipients(owner):
    connect(owner)
    body = {"to": "14155550001", "message": "Hi", "dry_run": True}
    assert api(owner).post_json("/send-message", body).status_code == 202
    assert "simulate" not in Message.objects.get().content


def test_a_test_key_cannot_make_a_live_key(owner):
    """Otherwise whoever finds the harmless key of a test run has the account."""
    _, text = make_key(owner, kind=ApiKey.Kind.SK_TEST)
    answer = api(text).post_json("/auth/me/keys", {"name": "x", "kind": "live"})
    assert answer.status_code in (400, 403)


def test_a_retry_with_a_test_key_does_not_send_a_live_message(owner):
    """A test key sends nothing for real, whichever way."""
    connect(owner)
    message = make_message(owner, status=Status.FAILED)
    _, text = make_key(owner, kind=ApiKey.Kind.SK_TEST)
    answer = api(text).post_json(f"/messages/{message.pk}/retry")
    message.refresh_from_db()
    assert answer.status_code in (403, 404, 409) or message.dry_run
    assert message.dry_run or message.status == Status.FAILED


def test_a_setup_test_message_with_a_test_key_is_a_dry_run(owner):
    """The same promise for ``POST /auth/me/test-message``."""
    number = connect(owner)
    type(number).objects.filter(pk=number.pk).update(status="active")
    _, text = make_key(owner, kind=ApiKey.Kind.SK_TEST)
    answer = api(text).post_json("/auth/me/test-message", {"to": TEXT["to"]})
    assert answer.status_code in (202, 403), answer.content
    assert not Message.objects.filter(dry_run=False).exists()


# --- rotate


def test_a_rotation_without_grace_kills_the_old_key_at_once(owner):
    _, old = make_key(owner)
    fresh = api(old).post_json("/auth/me/rotate-key").json()["data"]["apiKey"]
    assert works(fresh)
    assert not works(old)


def test_a_rotation_with_grace_lets_both_work_until_it_ends(owner):
    key, old = make_key(owner)
    answer = api(old).post_json("/auth/me/rotate-key", {"graceSeconds": 3600})
    fresh = answer.json()["data"]["apiKey"]
    assert works(fresh) and works(old)
    assert api(old).post_json("/auth/me/rotate-key").status_code == 409
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    assert works(fresh) and not works(old)


@pytest.mark.parametrize("grace", [-1, 604_801, "60", 1.5, True, []])
def test_a_grace_that_is_none_is_400_and_rotates_nothing(owner, grace):
    _, old = make_key(owner)
    answer = api(old).post_json("/auth/me/rotate-key", {"graceSeconds": grace})
    assert answer.status_code == 400
    assert faulty_fields(answer) == ["graceSeconds"]
    assert works(old)


def test_a_rotation_keeps_what_the_key_was(owner):
    at = timezone.now() + timedelta(days=1)
    _, old = make_key(owner, kind=ApiKey.Kind.SK_TEST, rate_limit_per_minute=7, expires_at=at)
    fresh = api(old).post_json("/auth/me/rotate-key").json()["data"]["apiKey"]
    assert fresh.startswith("sk_test_")
    row = ApiKey.objects.get(digest=keys.digest_of(fresh))
    assert (row.rate_limit_per_minute, row.expires_at, row.name) == (7, at, "Test")


def test_other_keys_outlive_a_rotation(owner):
    (_, first), (_, second) = make_key(owner), make_key(owner)
    api(first).post_json("/auth/me/rotate-key")
    assert works(second)


def test_a_key_with_fewer_scopes_cannot_manage_keys(owner):
    _, text = make_key(owner, scopes=("whatsapp:send",))
    who = api(text)
    calls = [("GET", "/auth/me/keys"), ("POST", "/auth/me/keys"), ("POST", "/auth/me/rotate-key")]
    for method, path in calls:
        answer = who.send(method, path, {"name": "x"} if method == "POST" else None)
        assert answer.status_code == 403, path
    assert who.get("/messages").status_code == 200
