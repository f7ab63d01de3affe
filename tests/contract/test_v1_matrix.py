"""The matrix of the /v1 API: every route with every kind of key, and strangers who learn nothing."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from accounts import keys
from accounts.models import Account, ApiKey
from core.http.v1 import V1DialectView
from messaging.models import Message
from tests import factories
from tests.factories import Api
from tests.support.v1 import AGENTS, LOOKUP, MESSAGES, TEMPLATES, Customer, make_customer

pytestmark = pytest.mark.django_db

Route = tuple[str, str, Callable[["World"], Any]]


class World:
    """An organisation with two agents and a message of each, and a stranger who has the same."""

    def __init__(self, org: Customer) -> None:
        self.org = org
        self.branch = org.another()
        self.message = self._message(org, org.agent.pk)
        self.stranger = make_customer("+15550001111")
        self.foreign = self._message(self.stranger, self.stranger.agent.pk)

    @staticmethod
    def _message(org: Customer, agent_id: uuid.UUID) -> Message:
        return factories.make_message(
            org.account, source=Message.Source.V1, connection=org.number, agent_id=agent_id
        )

    def key(self, name: str) -> str:
        """Make the key of this name."""
        now = timezone.now()
        made: dict[str, Callable[[], str]] = {
            "nothing": lambda: "",
            "mistyped": lambda: self.org.key()[:-1] + "!",
            "unknown": keys.new_mk,
            "revoked": lambda: self.org.key("*", revoked_at=now - timedelta(seconds=1)),
            "expired": lambda: self.org.key("*", expires_at=now - timedelta(seconds=1)),
            "send": lambda: self.org.key("whatsapp:send"),
            "read": lambda: self.org.key("whatsapp:read"),
            "reserved": lambda: self.org.key("messenger:send"),
            "all": lambda: self.org.key("*"),
            "classic": lambda: self.org.key("*", kind=ApiKey.Kind.SK),
            "test": lambda: self.org.key("*", kind=ApiKey.Kind.MK_TEST),
            "other agent": lambda: self.org.key("*", agent_ids=[str(self.branch.pk)]),
            "this agent": lambda: self.org.key("*", agent_ids=[str(self.org.agent.pk)]),
            "no agent": lambda: self.org.key("*", agent_ids=[]),
            "other organisation": lambda: self.stranger.key("*"),
            "wrong plan": self._downgraded,
        }
        return made[name]()

    def _downgraded(self) -> str:
        Account.objects.filter(pk=self.org.account.pk).update(plan="basic")
        return self.org.key("*")


ROUTES: dict[str, Route] = {
    "send text": ("POST", MESSAGES, lambda world: world.org.text()),
    "send template": ("POST", TEMPLATES, lambda world: world.org.template(name="hello", language="en_US")),
    "status": ("GET", f"{MESSAGES}/{{message}}", lambda world: None),
    "look up": ("POST", LOOKUP, lambda world: {"ids": [str(world.message.pk)]}),
    "templates": ("GET", TEMPLATES, lambda world: None),
    "agents": ("GET", AGENTS, lambda world: None),
    "new agent": ("POST", AGENTS, lambda world: {"name": "Third"}),
    "rename agent": ("PATCH", f"{AGENTS}/{{agent}}", lambda world: {"name": "Renamed"}),
}
FORBIDDEN = {"send text": 403, "send template": 403, "status": 403, "new agent": 403, "rename agent": 403}
STRANGER = {"send text": 403, "send template": 403, "status": 404, "rename agent": 404}
#: what each key is answered: one status for all routes, or what differs from success
EXPECTED: dict[str, tuple[int | None, str, dict[str, int]]] = {
    "nothing": (401, "invalid_api_key", {}),
    "mistyped": (401, "invalid_api_key", {}),
    "unknown": (401, "invalid_api_key", {}),
    "revoked": (401, "revoked_api_key", {}),
    "expired": (401, "expired_api_key", {}),
    "reserved": (403, "insufficient_scope", {}),
    "wrong plan": (403, "plan_not_eligible", {}),
    "send": (None, "insufficient_scope", {"new agent": 403, "rename agent": 403}),
    "read": (
        None,
        "insufficient_scope",
        {"send text": 403, "send template": 403, "new agent": 403, "rename agent": 403},
    ),
    "all": (None, "", {}),
    "classic": (None, "", {}),
    "test": (None, "insufficient_scope", {"new agent": 403, "rename agent": 403}),
    "other agent": (None, "agent_not_authorized", FORBIDDEN),
    "this agent": (None, "agent_not_authorized", {"new agent": 403, "rename agent": 403}),
    "no agent": (None, "agent_not_authorized", FORBIDDEN),
    "other organisation": (None, "", STRANGER),
}
CODES_OF_A_STRANGER = {
    "send text": "agent_not_authorized",
    "send template": "agent_not_authorized",
    "status": "message_not_found",
    "rename agent": "agent_not_found",
}


@pytest.fixture
def world(org: Customer) -> World:
    """Everything the matrix needs."""
    return World(org)


def call(world: World, key: str, route: Route, **names: str) -> Any:
    """Call a route with a key."""
    method, path, body = route
    names = {"message": str(world.message.pk), "agent": str(world.org.agent.pk)} | names
    return Api(key or None).send(method, path.format(**names), body(world))


@pytest.mark.parametrize("name", EXPECTED)
def test_every_route_answers_every_key_with_the_right_code(world: World, name: str) -> None:
    for_all, code, others = EXPECTED[name]
    key = world.key(name)
    for label, route in ROUTES.items():
        answer = call(world, key, route)
        status = for_all or others.get(label)
        if status is None:
            assert 200 <= answer.status_code < 300, (label, answer.content)
            continue
        assert answer.status_code == status, (label, answer.content)
        expected = CODES_OF_A_STRANGER[label] if name == "other organisation" else code
        assert answer.json()["error"]["code"] == expected, label


@pytest.mark.parametrize("name", ["other agent", "no agent", "other organisation"])
def test_what_a_key_may_not_see_is_not_in_any_answer(world: World, name: str) -> None:
    secrets = [str(world.message.pk), str(world.org.agent.pk), "+15557654321"]
    key = world.key(name)
    for label, route in ROUTES.items():
        if label in ("status", "look up"):  # the id is asked for by the caller
            secrets_here = secrets[1:]
        else:
            secrets_here = secrets
        text = call(world, key, route).content.decode()
        assert not [one for one in secrets_here if one in text], label


def _shape(answer: Any) -> tuple[Any, ...]:
    """Return everything that a stranger can compare; only the request's own id is left out."""
    body = answer.content.decode().replace(answer["X-Correlation-ID"], "")
    headers = {name: value for name, value in answer.headers.items() if name != "X-Correlation-ID"}
    return answer.status_code, body, headers


@pytest.mark.parametrize("label", ["status", "rename agent", "send text", "send template"])
def test_what_is_somebody_elses_is_as_what_is_not_there(world: World, label: str) -> None:
    """Body, headers and the work done (the queries with their shapes) are the same."""
    key = world.org.key("*")
    Api(key).get(AGENTS)  # notes that the key was used
    seen, work = [], []
    method, path, _ = ROUTES[label]
    for message, agent in (
        (str(world.foreign.pk), str(world.stranger.agent.pk)),
        (str(uuid.uuid4()), str(uuid.uuid4())),
    ):
        bodies: dict[str, Callable[[World], Any]] = {
            "send text": lambda world, agent=agent: world.org.text(agent_id=agent),
            "send template": lambda world, agent=agent: world.org.template() | {"agent_id": agent},
        }
        route = (method, path, bodies.get(label, ROUTES[label][2]))
        with CaptureQueriesContext(connection) as queries:
            answer = call(world, key, route, message=message, agent=agent)
        seen.append(_shape(answer))
        work.append([query["sql"].replace(message, "?").replace(agent, "?") for query in queries])
    assert seen[0] == seen[1]
    assert _without_values(work[0]) == _without_values(work[1])


def _without_values(queries: list[str]) -> list[str]:
    return [re.sub(r"'[^']*'|s\d+_x\d+", "?", one) for one in queries]


def test_a_look_up_of_somebody_elses_message_finds_nothing(world: World) -> None:
    ids = [str(world.foreign.pk), str(uuid.uuid4()), "x", str(world.message.pk)]
    answer = Api(world.org.key()).post_json(LOOKUP, {"ids": ids}).json()
    assert [one["id"] for one in answer["data"]] == [str(world.message.pk)]
    assert answer["not_found"] == ids[:3]


def _routes(patterns: list[URLPattern | URLResolver]) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for one in patterns:
        if isinstance(one, URLResolver):
            found |= _routes(one.url_patterns)
        else:
            view = getattr(one.callback, "cls", None)
            if view is not None and issubclass(view, V1DialectView):
                for method in ("get", "post", "put", "patch", "delete"):
                    if hasattr(view, method):
                        found.add((method.upper(), str(one.pattern)))
    return found


def test_no_route_of_the_dialect_is_open_without_a_key() -> None:
    """Also those that the matrix does not list by name."""
    routes = _routes(get_resolver().url_patterns)
    assert len(routes) >= len(ROUTES)
    for method, pattern in routes:
        path = "/" + pattern.replace("<str:", "").replace(">", "")
        answer = Api().send(method, path, {} if method != "GET" else None)
        assert answer.status_code == 401, path
        assert answer.json()["error"]["code"] == "invalid_api_key"
