"""No id of another account opens anything, on any address: what is foreign is answered as what is not there.

The addresses come from the URLconf, so a new one that takes an id has to say here what it takes.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.db import connection as database
from django.db import transaction
from django.db.models import ForeignKey, Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts import agents, keys, team
from accounts.models import Account, ApiKey
from messaging.models import Batch, Message, Status, Suppression, Template
from tests import factories
from tests.dashboard.data import make_contact, make_talk
from tests.factories import Api
from tests.support.people import make_owned, signed_in
from tests.support.v1 import PHONE, TO, add
from webhooks.models import Delivery
from webhooks.outgoing import endpoints, outbox
from webhooks.outgoing.outbox import Announcement

pytestmark = pytest.mark.django_db

#: addresses whose parameter is no id of something that an account has
NOT_IDS = {
    "app/join/<str:secret>": "whoever has the secret is invited",
    "webhooks/whatsapp/<slug:callback_key>": "Meta's: signed, see tests/messaging/inbound/test_tenants.py",
    "developers/<str:slug>": "public",
    "developers/errors/<str:code>": "public",
    "developers/events/<str:name>.json": "public",
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass
class Everything:
    """An account that has one of everything, its ways in, and the ids by the names that addresses use."""

    account: Account
    ids: dict[str, str]
    api: Api
    v1: Api
    browser: Client

    def call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """Call an address as its kind of caller does."""
        if path.startswith("/app"):
            if method == "GET":
                return self.browser.get(path, body or {})
            return self.browser.generic(method, path, _form(body), content_type=_FORM)
        client = self.v1 if path.startswith("/v1/") else self.api
        return client.send(method, path, body)


_FORM = "application/x-www-form-urlencoded"


def _form(body: dict[str, Any] | None) -> str:
    from urllib.parse import urlencode

    return urlencode(body or {}, doseq=True)


def everything(name: str, phone: str) -> Everything:
    """Make an account with one of everything."""
    account = make_owned(name)
    agent = account.agents.get()
    branch = agents.create(account, f"{name} branch")
    number = add(account, agent, phone, waba_id=f"10{phone[1:]}")
    contact = make_contact(number, name=name, phone=f"1999{phone[-7:]}")
    make_talk(number, contact, wrote=f"{name} wrote")
    batch = Batch.objects.create(account=account, total=1, created_at=timezone.now())
    message = factories.make_message(
        account,
        status=Status.FAILED,
        source=Message.Source.V1,
        connection=number,
        agent_id=agent.pk,
        contact=contact,
        batch=batch,
        body=f"{name} said",
        failed_at=timezone.now(),
    )
    template = Template.objects.create(
        account=account,
        waba_id=number.waba_id,
        meta_id=f"77{phone[1:]}",
        name=f"{name.lower()}_template",
        language="en_US",
        status="APPROVED",
        category="UTILITY",
        components=[{"type": "BODY", "text": f"{name} greets you"}],
        synced_at=timezone.now(),
    )
    suppressed = f"1888{phone[-7:]}"
    Suppression.objects.create(account=account, phone=suppressed, reason="manual")
    owner = account.memberships.get()
    invitation, _ = team.invite(account, email=f"{name.lower()}@example.net", role="member", by=owner.user)
    endpoint, _ = endpoints.create(account, endpoints.Given(url="https://example.com/hook"))
    outbox.publish([Announcement(account.pk, "message.received", {"name": name})])
    delivery = Delivery.objects.get(endpoint=endpoint)
    Delivery.objects.filter(pk=delivery.pk).update(status="failed", due_at=None)
    spare, _ = keys.create(account, name=f"{name} spare", kind=ApiKey.Kind.SK, scopes=["*"])
    ids = {
        "message_id": message.pk,
        "batch_id": batch.pk,
        "contact_id": contact.pk,
        "template_id": template.pk,
        "template_name": template.name,
        "meta_id": template.meta_id,
        "phone": suppressed,
        "number_id": number.pk,
        "agent_id": branch.pk,
        "key_id": spare.pk,
        "membership_id": owner.pk,
        "invitation_id": invitation.pk,
        "endpoint_id": endpoint.pk,
        "delivery_id": delivery.pk,
        "event_id": f"evt_{delivery.event_id.hex}",
    }
    scopes = {"scopes": ("*",), "rate_limit_per_minute": 10_000}
    return Everything(
        account,
        {name: str(ident) for name, ident in ids.items()},
        Api(factories.make_key(account, **scopes)[1]),
        Api(factories.make_key(account, kind=ApiKey.Kind.MK, **scopes)[1]),
        signed_in(account),
    )


def nothing(ids: dict[str, str]) -> dict[str, str]:
    """Return ids of the same shape that belong to nobody."""

    def other(ident: str) -> str:
        if re.fullmatch(r"[0-9a-f-]{36}", ident):
            return str(uuid.uuid4())
        if ident.startswith("evt_"):
            return f"evt_{uuid.uuid4().hex}"
        if ident.endswith("_template"):
            return "other_template"
        return f"{int(ident) + 4_321}"

    return {name: other(ident) for name, ident in ids.items()}


@pytest.fixture
def alice() -> Everything:
    return everything("Alice", "+15557650001")


@pytest.fixture
def bob() -> Everything:
    return everything("Bob", "+15557650002")


# --- the addresses


def _patterns(found: list[URLPattern | URLResolver], before: str = "") -> Iterator[tuple[str, URLPattern]]:
    for one in found:
        here = before + str(one.pattern)
        if isinstance(one, URLResolver):
            if not here.startswith(("admin/", "accounts/")):  # operators' and one's own
                yield from _patterns(one.url_patterns, here)
        elif "<" in here:
            yield here, one


def routes() -> list[tuple[str, str]]:
    """Return every (method, address) that takes an id."""
    found = []
    for path, pattern in _patterns(get_resolver().url_patterns):
        view = getattr(pattern.callback, "cls", None) or getattr(pattern.callback, "view_class", None)
        if path in NOT_IDS:
            continue
        assert view is not None, path
        found += [(method, path) for method in METHODS if hasattr(view, method.lower())]
    return found


#: what must be sent for a request to get as far as looking for the id; nothing where nothing is needed
BODIES: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("PATCH", "webhook-endpoints/<str:endpoint_id>"): [{"description": "Mine now"}, {"enabled": False}],
    ("POST", "webhook-endpoints/<str:endpoint_id>/replay"): [{"since": "2020-01-01T00:00:00Z"}],
    ("PATCH", "v1/agents/<str:agent_id>"): [{"name": "Mine now"}],
    ("PATCH", "v1/whatsapp/templates/manage/<str:template_id>"): [{"template": {"category": "UTILITY"}}],
    ("POST", "app/agents/<str:agent_id>"): [{"name": "Mine now"}],
    ("POST", "app/numbers/<str:number_id>"): [
        {"do": what} for what in ("check", "default", "inactive", "active", "remove", "subscribe", "nonsense")
    ],
    ("POST", "app/conversations/<str:contact_id>"): [{"body": "Hello", "token": "t" * 32}, {}],
    ("POST", "app/team/<int:membership_id>"): [{"do": "remove"}, {"role": "member"}],
    ("POST", "app/webhooks/<str:endpoint_id>"): [{"url": "https://example.com/mine", "events": "*"}, {}],
}


def _path(route: str, ids: dict[str, str]) -> str:
    ids = ids | ({"template_id": ids["meta_id"]} if route.startswith("v1/") else {})

    def put(match: re.Match[str]) -> str:
        name = match[1]
        assert name in ids, f"{route}: say in Everything.ids what {name} is"
        return ids[name]

    return "/" + re.sub(r"<\w+:(\w+)>", put, route)


def _shape(answer: Any, names: dict[str, str]) -> tuple[Any, ...]:
    """Return everything that a stranger can compare; the request's own id and the ids asked for left out."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"|X-CSRFToken": "\w+"', "", body.decode())
    told = {name: value for name, value in answer.headers.items() if not name.startswith("X-RateLimit-")}
    whole = f"{text}\n{sorted(told.items())}".replace(told.get("X-Correlation-ID") or "-", "")
    for ident in filter(lambda one: len(one) > 5, names.values()):
        whole = whole.replace(ident, "?")
    return answer.status_code, whole


def _work(queries: CaptureQueriesContext) -> list[str]:
    """Return the statements without their values: the same work takes the same time."""
    return [re.sub(r"'[^']*'|\b[0-9]+\b|s\d+_x\d+", "?", one["sql"]) for one in queries]


def _seen(who: Everything, method: str, path: str, body: Any, names: dict[str, str]) -> tuple[Any, ...]:
    with transaction.atomic(), CaptureQueriesContext(database) as queries:
        answer = who.call(method, path, body)
        shape = _shape(answer, names)
        transaction.set_rollback(True)
    return shape, _work(queries)


def _belongings(account: Account) -> dict[str, list[Any]]:
    """Return every row that is an account's, or hangs on one of its rows."""
    found: dict[str, list[Any]] = {}
    for model in apps.get_models():
        to = _way_to_account(model)
        if to and model not in (ApiKey,):  # keys note their last use
            rows = model._default_manager.filter(**{to: account.pk}).order_by("pk")
            found[model.__name__] = list(rows.values())
    return found


def _way_to_account(model: type[Model]) -> str:
    links = [one for one in model._meta.fields if isinstance(one, ForeignKey)]
    for link in links:
        if link.related_model is Account:
            return link.name
    for link in links:
        if link.related_model is not model and _way_to_account(link.related_model):
            return f"{link.name}__{_way_to_account(link.related_model)}"
    return ""


@pytest.mark.usefixtures("meta_is_away")
def test_a_foreign_id_is_answered_as_one_that_does_not_exist_on_every_address(alice, bob):
    nobodys = nothing(alice.ids)
    before = _belongings(alice.account)
    bob.api.get("/auth/me"), bob.v1.get("/v1/agents"), bob.browser.get("/app")  # first uses are noted
    tried = 0
    for method, route in routes():
        for body in BODIES.get((method, route), [None]):
            ways = [(alice.ids, nobodys)]
            if "<str:delivery_id>" in route:
                mine = {"endpoint_id": bob.ids["endpoint_id"]}
                ways.append((alice.ids | mine, nobodys | mine))
            for theirs, unknown in ways:
                here = _seen(bob, method, _path(route, theirs), body, theirs)
                there = _seen(bob, method, _path(route, unknown), body, unknown)
                what = (method, route, body)
                assert here[0] == there[0], what
                assert here[1] == there[1], what
                assert here[0][0] == 404 or (here[0][0], route) in ANSWERED_OTHERWISE, (what, here[0])
                tried += 1
    assert tried >= 60
    assert _belongings(alice.account) == before


#: addresses that answer a foreign id and an unknown one alike, but not with 404
ANSWERED_OTHERWISE: dict[tuple[int, str], str] = {
    (302, "app/webhooks/<str:endpoint_id>/switch"): "a GET leads to the page that has the button",
    (302, "app/webhooks/<str:endpoint_id>/remove"): "likewise",
}


@pytest.mark.usefixtures("meta_is_away")
def test_the_owner_gets_further_with_the_same_requests(bob):
    """Or the test above would prove nothing: a request that is refused for its form asks for no id."""
    for method, route in routes():
        for body in BODIES.get((method, route), [None]):
            with transaction.atomic():
                answer = bob.call(method, _path(route, bob.ids), body)
                transaction.set_rollback(True)
            assert answer.status_code != 404, (method, route, body)
            assert answer.status_code != 405, (method, route)


@pytest.fixture
def meta_is_away(settings) -> None:
    """Nobody listens where Meta would: what goes there fails at once."""
    settings.META_GRAPH_URL = "http://127.0.0.1:9"


# --- ids that stand elsewhere than in the path

Ask = Callable[[dict[str, str]], tuple[str, str, dict[str, Any] | None]]

ELSEWHERE: dict[str, Ask] = {
    "the messages of a batch": lambda ids: ("GET", f"/messages?batchId={ids['batch_id']}", None),
    "a search for a message": lambda ids: ("GET", f"/messages?search={ids['message_id']}", None),
    "an export of a batch": lambda ids: ("GET", f"/messages/export?batchId={ids['batch_id']}", None),
    "events after one": lambda ids: ("GET", f"/events?after={ids['event_id']}", None),
    "templates of an agent": lambda ids: ("GET", f"/v1/whatsapp/templates?agent_id={ids['agent_id']}", None),
    "templates of a name": lambda ids: (
        *("GET", f"/v1/whatsapp/templates?name={ids['template_name']}"),
        None,
    ),
    "many messages at once": lambda ids: (
        *("POST", "/v1/whatsapp/messages/lookup"),
        {"ids": [ids["message_id"]]},
    ),
    "a text of an agent": lambda ids: (
        *("POST", "/v1/whatsapp/messages"),
        {"agent_id": ids["agent_id"], "from": PHONE, "to": TO, "text": {"body": "Hi"}},
    ),
    "a template of an agent": lambda ids: (
        *("POST", "/v1/whatsapp/templates"),
        {
            "agent_id": ids["agent_id"],
            "from": PHONE,
            "to": TO,
            "template": {"name": ids["template_name"], "language": "en_US"},
        },
    ),
    "a new template of an agent": lambda ids: (
        *("POST", "/v1/whatsapp/templates/manage"),
        {
            "agent_id": ids["agent_id"],
            "from": PHONE,
            "template": {"name": "x", "language": "en", "category": "UTILITY", "components": []},
        },
    ),
    "a lint by name": lambda ids: (
        *("POST", "/v1/whatsapp/templates/lint"),
        {"template": {"name": ids["template_name"], "language": "en_US"}},
    ),
    "a page of messages found": lambda ids: ("GET", f"/app/messages?search={ids['message_id']}", None),
    "a page of a batch": lambda ids: ("GET", f"/app/messages?batch={ids['batch_id']}", None),
    "an export of the pages": lambda ids: ("GET", f"/app/messages/export?batch={ids['batch_id']}", None),
    "a send from a number": lambda ids: (
        *("POST", "/app/compose"),
        {"number": ids["number_id"], "template": ids["template_id"], "to": TO[1:], "kind": "template"},
    ),
    "a preview of a template": lambda ids: (
        *("POST", "/app/compose/preview"),
        {"number": ids["number_id"], "template": ids["template_id"]},
    ),
    "a key for an agent": lambda ids: (
        *("POST", "/app/keys"),
        {"name": "x", "kind": "mk_live", "scopes": "*", "agent_ids": ids["agent_id"]},
    ),
    "another account": lambda ids: ("POST", "/app/switch", {"account": ids["account"]}),
}


@pytest.mark.usefixtures("meta_is_away")
@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_foreign_id_elsewhere_in_a_request_is_as_one_that_does_not_exist(alice, bob, name):
    theirs = alice.ids | {"account": str(alice.account.pk)}
    unknown = nothing(alice.ids) | {"account": str(uuid.uuid4())}
    before = _belongings(alice.account)
    seen = []
    for ids in (theirs, unknown) * 2:  # the first time notes that a key was used, or that Meta was asked
        method, path, body = ELSEWHERE[name](ids)
        seen.append(_seen(bob, method, path, body, ids))
    assert seen[2] == seen[3]
    assert seen[2][0][0] < 500
    assert "Alice" not in seen[0][0][1]
    assert _belongings(alice.account) == before


def test_a_number_goes_to_no_foreign_agent(alice, bob):
    path = f"/app/numbers/{bob.ids['number_id']}"
    for agent in (alice.ids["agent_id"], str(uuid.uuid4())):
        assert bob.browser.post(path, {"do": "assign", "agent": agent}).status_code == 404
    assert bob.account.connections.get().agent.account == bob.account


def test_a_key_of_the_same_name_and_an_idempotency_key_of_another_account_are_not_ones_own(alice, bob):
    body = {"to": "14155552671", "message": "Hi", "dry_run": True}
    key = {"HTTP_IDEMPOTENCY_KEY": "the-same"}
    first = alice.api.post_json("/send-message", body, **key)
    second = bob.api.post_json("/send-message", body, **key)
    assert first.status_code == second.status_code == 202
    assert "Idempotency-Replayed" not in second.headers
    assert first.json()["data"]["id"] != second.json()["data"]["id"]


def test_pages_after_a_foreign_place_hold_only_ones_own(alice, bob):
    """A cursor is a place in time: another account's says nothing and shows nothing."""
    hook = bob.ids["endpoint_id"]
    for who, path in (
        (bob.api, f"/messages?cursor={alice.ids['message_id']}"),
        (bob.v1, f"/v1/whatsapp/templates?cursor={alice.ids['template_id']}"),
        (bob.browser, f"/app/messages?before={alice.ids['message_id']}"),
        (bob.browser, f"/app/webhooks/{hook}?before={alice.ids['delivery_id']}"),
        (
            bob.api,
            f"/webhook-endpoints/{hook}/deliveries?before={alice.ids['delivery_id']}",
        ),
    ):
        answer = who.get(path)
        assert answer.status_code == 200
        assert "alice" not in answer.content.decode().lower()
