"""Teams and the end of things: invitations, roles, taking data along, forgetting, closing."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from accounts import keys, team
from accounts.models import Account, Invitation, Membership
from core.errors import Refusal
from core.http import ratelimits
from core.ids import first_at
from messaging.models import Message, Status
from messaging.upkeep import retention
from tests import factories
from tests.support.people import join, make_owned, make_person, signed_in

pytestmark = pytest.mark.django_db
LINK = re.compile(r"/app/join/[\w-]+")


@pytest.fixture
def alice():
    return make_owned("Alice")


def invite(account, email="bob@example.com", role="member") -> str:
    """Invite somebody through the page; return the path of the mailed link."""
    answer = signed_in(account).post("/app/team", {"email": email, "role": role})
    assert answer.status_code == 200, answer.content.decode()[-2000:]
    return LINK.search(mail.outbox[-1].body)[0]


def test_an_invited_person_joins_with_the_address_it_was_sent_to(alice):
    link = invite(alice, "Bob@Example.com", "admin")
    assert mail.outbox[0].to == ["Bob@Example.com"]
    assert Client().get(link).headers["Location"].startswith("/accounts/login/")
    wrong = signed_in(make_person("mallory@example.com"))
    assert wrong.post(link).status_code == 403
    bob = make_person("bob@example.com")
    assert "Alice" in signed_in(bob).get("/app/start").content.decode(), "the offer waits at the start, too"
    assert signed_in(bob).post(link).headers["Location"] == "/app"
    assert alice.memberships.get(user=bob).role == "admin"
    assert signed_in(bob).get(link).status_code == 404, "a link works once"


def test_an_invitation_says_nothing_in_a_paragraph_of_the_inviters_making(alice):
    Account.objects.filter(pk=alice.pk).update(name="Acme”\n\nYour account is locked.\n\n“x")
    invite(alice)
    assert "Acme” Your account is locked. “x" in mail.outbox[-1].body
    assert "\n" not in mail.outbox[-1].subject


def test_an_unproven_address_joins_nothing(alice):
    from allauth.account.models import EmailAddress

    link = invite(alice)
    bob = make_person("bob@example.com")
    EmailAddress.objects.update(verified=False)
    assert signed_in(bob).post(link).status_code == 403


def test_an_invitation_ends(alice):
    link = invite(alice)
    bob = signed_in(make_person("bob@example.com"))
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert bob.post(link).status_code == 404
    fresh = invite(alice)
    assert Invitation.objects.count() == 1, "a new one takes the place of the old one"
    signed_in(alice).post(f"/app/team/invitations/{Invitation.objects.get().pk}")
    assert bob.post(fresh).status_code == 404


def test_nobody_floods_others_with_invitations(alice, monkeypatch):
    # One window for the whole test: a minute may end in the middle of it.
    monkeypatch.setattr(ratelimits.hit, "__kwdefaults__", {"window": 10**9})
    client = signed_in(alice)
    answers = [client.post("/app/team", {"email": "b@example.com", "role": "member"}) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [400] * 2
    assert len(mail.outbox) == 10


def test_no_secret_of_a_link_is_stored(alice):
    secret = invite(alice).rpartition("/")[2]
    assert secret not in str(Invitation.objects.values().get())


def test_an_admin_neither_makes_nor_unmakes_owners(alice):
    admin = signed_in(join(alice, "admin", "admin@example.com"))
    owner = alice.memberships.get(role="owner")
    for body in ({"role": "member"}, {"do": "remove"}):
        admin.post(f"/app/team/{owner.pk}", body)
    assert admin.post("/app/team", {"email": "x@example.com", "role": "owner"}).status_code == 400
    member = join(alice, "member", "member@example.com").memberships.get()
    admin.post(f"/app/team/{member.pk}", {"role": "owner"})
    assert alice.memberships.filter(role="owner").count() == 1
    admin.post(f"/app/team/{member.pk}", {"role": "admin"})
    assert Membership.objects.get(pk=member.pk).role == "admin"
    admin.post(f"/app/team/{member.pk}", {"role": "god"})
    assert Membership.objects.get(pk=member.pk).role == "admin"


def test_an_account_always_keeps_an_owner(alice):
    owner = alice.memberships.get()
    client = signed_in(alice)
    client.post(f"/app/team/{owner.pk}", {"do": "remove"})
    client.post(f"/app/team/{owner.pk}", {"role": "member"})
    assert alice.memberships.get().role == "owner"
    with pytest.raises(Refusal, match="needs an owner"):
        team.remove(alice, owner.pk, by=owner)


def test_anybody_may_leave(alice):
    bob = join(alice, "member", "bob@example.com")
    client = signed_in(bob)
    client.post(f"/app/team/{bob.memberships.get().pk}", {"do": "remove"})
    assert not bob.memberships.exists()
    assert alice.audit_events.filter(action="member.removed", actor="bob@example.com").exists()


# --- settings


def test_the_name_and_how_long_messages_are_kept_are_set(alice):
    client = signed_in(alice)
    assert client.post("/app/settings", {"name": "Alice & Co", "retention_days": "30"}).status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.retention_days) == ("Alice & Co", 30)
    for body in ({"name": ""}, {"name": "x", "retention_days": "31"}, {"name": "x", "retention_days": "-1"}):
        assert client.post("/app/settings", body).status_code == 400
    client.post("/app/settings", {"name": "Alice", "retention_days": ""})
    alice.refresh_from_db()
    assert alice.retention_days is None


def aged(account, days: int, **fields) -> Message:
    """Store a message whose id says that it is ``days`` old."""
    first = first_at(timezone.now() - timedelta(days=days))
    return factories.make_message(account, id=first, **fields)


def test_old_messages_are_forgotten_where_it_was_asked_for_and_nowhere_else(alice):
    charlie = make_owned("Charlie")
    Account.objects.filter(pk=alice.pk).update(retention_days=30)
    old, young = aged(alice, 31, status=Status.DELIVERED), aged(alice, 29, status=Status.DELIVERED)
    waiting = aged(alice, 40, due_at=timezone.now() + timedelta(days=1))
    theirs = aged(charlie, 400, status=Status.DELIVERED)
    assert retention.sweep() == 1
    left = set(Message.objects.values_list("pk", flat=True))
    assert left == {young.pk, waiting.pk, theirs.pk}
    assert not old.events.exists()


def test_everything_can_be_taken_along_and_no_secret_is_in_it(alice):
    factories.connect(alice, token="EAAverysecret0000000000000000", app_secret="appsecret0123456789")
    _, text = factories.make_key(alice)
    why = {"failure": "refused", "error_code": 100, "error_message": "Refused.", "body": "Hello Sara"}
    said = {"details": "A parameter is missing", "http_status": 400}
    message = factories.make_message(alice, recipient="14155550123", **why, error_detail=said)
    factories.make_message(make_owned("Charlie"), recipient="14155559999")
    answer = signed_in(alice).post("/app/settings/export")
    assert "attachment" in answer.headers["Content-Disposition"]
    body = b"".join(answer).decode()
    found = [json.loads(line) for line in body.splitlines()]
    kinds = {one["kind"] for one in found}
    assert {"account", "member", "agent", "number", "api_key", "message", "audit"} <= kinds
    messages = [one for one in found if one["kind"] == "message"]
    assert [one["id"] for one in messages] == [str(message.pk)]
    assert messages[0]["events"][0]["status"] == "queued"
    assert messages[0].items() >= (why | {"error_details": "A parameter is missing"}).items()
    for secret in ("EAAverysecret", "appsecret", text, "14155559999"):
        assert secret not in body


def test_a_closed_account_is_over_at_once_and_gone_after_a_week(alice):
    number = factories.connect(alice)
    _, text = factories.make_key(alice)
    factories.make_message(alice, status=Status.DELIVERED)
    client = signed_in(alice)
    refused = client.post("/app/settings/close", {"confirmation": "alice"})
    assert refused.status_code == 400
    assert "exactly as it stands" in refused.content.decode()
    assert client.post("/app/settings/close", {"confirmation": "Alice"}).headers["Location"] == "/"
    assert client.get("/app").headers["Location"].startswith("/accounts/login/")
    with pytest.raises(Refusal):
        keys.authenticate(text)
    number.refresh_from_db()
    assert number.access_token_sealed == ""
    retention.sweep()
    assert Message.objects.filter(account=alice).exists(), "a week to change one's mind"
    Account.objects.filter(pk=alice.pk).update(closed_at=timezone.now() - timedelta(days=8))
    retention.sweep()
    assert not Account.objects.filter(pk=alice.pk).exists()
    assert not Message.objects.exists()


# --- billing


def test_the_page_of_billing_shows_plan_use_and_what_is_next(alice):
    page = signed_in(alice).get("/app/billing").content.decode()
    assert "You are on Pro" in page
    assert "Enterprise" in page
    assert "Billing is not set up on this server" in page
    refused = signed_in(alice)
    refused.post("/app/billing", {"do": "plan", "what": "basic"})
    assert "Billing is not set up" in refused.get("/app/billing").content.decode()
