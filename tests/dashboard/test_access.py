"""Who gets in where: signed in, for one's own account, with the role a page asks for; nothing foreign."""

from __future__ import annotations

import re
import uuid

import pytest
from django.test import Client
from django.urls import get_resolver

from accounts import agents, audit, keys, team
from accounts.models import ApiKey
from tests import factories
from tests.support.people import join, make_owned, signed_in

pytestmark = pytest.mark.django_db

#: what is somebody's own: shown to Alice, never to Charlie
SECRET = "Zanzibar"


@pytest.fixture
def alice():
    """An account with something on every page of ours, all of it named after its owner."""
    account = make_owned(f"{SECRET} Books")
    number = factories.connect(account, waba_id="102290129340398")
    type(number).objects.filter(pk=number.pk).update(
        verified_name=f"{SECRET} Books", display_phone="15557650001"
    )
    keys.create(account, name=f"{SECRET} key", kind=ApiKey.Kind.SK, scopes=["*"])
    agents.create(account, f"{SECRET} bot")
    owner = account.memberships.get().user
    team.invite(account, email=f"{SECRET.lower()}@example.com", role="member", by=owner)
    audit.record(account, "settings.changed", actor=f"{SECRET.lower()}@example.org")
    return account


@pytest.fixture
def charlie():
    return make_owned("Charlie")


def _number(account):
    return account.connections.get().pk


PAGES = [
    "/app",
    "/app/keys",
    "/app/numbers",
    "/app/numbers/new",
    "/app/team",
    "/app/settings",
    "/app/profile",
    "/app/billing",
    "/app/setup/connect",
    "/app/setup/next",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_shows_ones_own_and_nothing_of_another_account(path, alice, charlie):
    theirs = signed_in(charlie).get(path)
    mine = signed_in(alice).get(path)
    assert mine.status_code == theirs.status_code == 200
    assert SECRET.lower() not in theirs.content.decode().lower()
    assert mine.headers["Cache-Control"] == "private, no-store"


def foreign(alice):
    """Return every address of ours that names something of Alice's, with what would be posted there."""
    number, key = _number(alice), alice.api_keys.get(name=f"{SECRET} key").pk
    agent = alice.agents.get(is_default=False).pk
    invitation, membership = alice.invitations.get().pk, alice.memberships.get().pk
    posts = [{"do": what} for what in ("check", "default", "inactive", "assign", "subscribe", "remove")]
    return [
        *((f"/app/numbers/{number}", body) for body in [None, *posts]),
        (f"/app/keys/{key}/revoke", {}),
        (f"/app/agents/{agent}", {"name": "Mine now"}),
        (f"/app/team/invitations/{invitation}", {}),
        (f"/app/team/{membership}", {"do": "remove"}),
        (f"/app/team/{membership}", {"role": "member"}),
    ]


def test_a_foreign_id_looks_like_a_random_one_and_nothing_happens(alice, charlie):
    client = signed_in(charlie)
    for path, body in foreign(alice):
        ident = re.search(r"[0-9a-f-]{36}|/[0-9]+", path)[0]
        random = path.replace(ident, "/99999999" if ident[0] == "/" else str(uuid.uuid4()))
        answers = [client.get(one) if body is None else client.post(one, body) for one in (path, random)]
        assert [answer.status_code for answer in answers] == [404, 404], path
        here, there = (_without_csrf(answer.content.decode()) for answer in answers)
        assert here == there, path
    number = alice.connections.get()
    assert number.removed_at is None
    assert number.is_active
    assert alice.api_keys.filter(revoked_at=None).count() == 2
    assert alice.agents.filter(name=f"{SECRET} bot").exists()
    assert alice.invitations.count() == alice.memberships.count() == 1


def _without_csrf(page: str) -> str:
    page = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page)
    return re.sub(r'X-CSRFToken": "\w+"', "", page)


def test_every_address_of_the_dashboard_asks_who_is_there():
    asked = [
        str(pattern.pattern)
        for resolver in get_resolver().url_patterns
        for pattern in getattr(resolver, "url_patterns", [])
        if str(pattern.pattern).startswith("app")
    ]
    assert len(asked) > 30
    client = Client()
    for route in asked:
        path = "/" + route.replace("<int:membership_id>", "1")
        while "<" in path:
            path = path[: path.index("<")] + str(uuid.uuid4()) + path[path.index(">") + 1 :]
        for answer in (client.get(path), client.post(path)):
            assert answer.status_code == 302, path
            assert answer.headers["Location"].startswith("/accounts/login/?next=/app"), path


def test_htmx_is_sent_to_sign_in_as_a_whole_page():
    answer = Client().get("/app/keys", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/accounts/login/"


#: what only admins and owners may do, and what only owners may
ADMINS = [
    ("/app/keys", {"name": "x", "kind": "sk_live", "scopes": "*"}),
    ("/app/numbers", {"name": "x"}),
    ("/app/team", {"email": "new@example.com", "role": "member"}),
    ("/app/settings", {"name": "Renamed"}),
    ("/app/setup/connect", {}),
]
OWNERS = [("/app/settings/export", {}), ("/app/settings/close", {}), ("/app/billing", {"do": "portal"})]


@pytest.mark.parametrize("role", ["member", "admin"])
def test_a_role_may_do_what_it_is_for_and_no_more(role, alice):
    client = signed_in(join(alice, role, f"{role}@example.com"))
    for path, body in ADMINS:
        status = client.post(path, body).status_code
        assert (status == 403) == (role == "member"), path
    for path, body in OWNERS:
        assert client.post(path, body).status_code == 403, path
    for path in PAGES:
        expected = 403 if path == "/app/numbers/new" and role == "member" else 200
        assert client.get(path).status_code == expected, path


def test_a_member_sees_no_buttons_that_would_be_refused(alice):
    client = signed_in(join(alice, "member", "member@example.com"))
    page = client.get("/app/keys").content.decode()
    assert "Revoke" not in page
    assert "/app/numbers/new" not in client.get("/app/numbers").content.decode()
    assert "Audit log" not in client.get("/app/team").content.decode()


def test_one_can_look_at_each_of_ones_accounts_and_at_no_other(alice, charlie):
    person = join(alice, "member", "both@example.com")
    charlie.memberships.create(user=person, role="admin")
    client = signed_in(person)
    assert "Zanzibar Books" in client.get("/app/team").content.decode()
    client.post("/app/switch", {"account": str(charlie.pk)})
    assert "<strong>Charlie</strong>" in client.get("/app/team").content.decode()
    stranger = make_owned("Dora")
    client.post("/app/switch", {"account": str(stranger.pk)})
    assert "<strong>Charlie</strong>" in client.get("/app/team").content.decode()


def test_a_deactivated_account_opens_no_page(alice):
    type(alice).objects.filter(pk=alice.pk).update(is_active=False)
    answer = signed_in(alice).get("/app/keys")
    assert answer.status_code == 403
    assert "deactivated" in answer.content.decode()


def test_an_unknown_address_is_a_page_and_the_api_stays_as_it_was(alice):
    answer = signed_in(alice).get("/app/none")
    assert answer.status_code == 404
    assert "This page does not exist" in answer.content.decode()
    api = signed_in(alice).get("/none", headers={"Accept-Language": "ar"})
    assert api.status_code == 404
    assert api.json()["success"] is False
    assert "Content-Language" not in api.headers
