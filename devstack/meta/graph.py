"""Entry of the Graph API: sorts out version, token, object and edge, then calls a route."""

import contextlib
import hashlib
import hmac
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from . import ids
from .callbacks import Courier
from .errors import GraphError, no_such_object, token_refused
from .models import App, Media, Number, Template, Token, Waba
from .statuses import Lives
from .world import World

WORLD: web.AppKey[World] = web.AppKey("world", World)
COURIER: web.AppKey[Courier] = web.AppKey("courier", Courier)
LIVES: web.AppKey[Lives] = web.AppKey("lives", Lives)

Node = App | Waba | Number | Template | Media
_VERSION = re.compile(r"v(\d{1,2})\.0\Z")
OLDEST, NEWEST = 20, 26


class Call:
    """One Graph request after sorting: who calls, with what, on which object."""

    def __init__(self, request: web.Request, version: str) -> None:
        self.request = request
        self.version = version
        self.world: World = request.app[WORLD]
        self.courier: Courier = request.app[COURIER]
        self.node: Any = None
        self.token: Token | None = None
        self.app: App | None = None

    @property
    def query(self) -> Any:
        """The query's parameters."""
        return self.request.query

    @property
    def host_url(self) -> str:
        """The address under which the caller reached us."""
        return f"{self.request.scheme}://{self.request.host}"

    async def raw(self) -> bytes:
        """The body's bytes."""
        return await self.request.read()

    async def params(self) -> dict[str, Any]:
        """The parameters of a management call: query, then form or JSON body, as Graph mixes them."""
        found: dict[str, Any] = {name: _decoded(value) for name, value in self.query.items()}
        found.update(await self.body())
        found.pop("access_token", None)
        found.pop("appsecret_proof", None)
        return found

    async def body(self) -> dict[str, Any]:
        """The body as an object; an empty body is an empty object."""
        kind = self.request.content_type
        if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
            return {name: _decoded(value) for name, value in (await self.request.post()).items()}
        return parsed(await self.raw())


def parsed(raw: bytes) -> dict[str, Any]:
    """A JSON object out of a body."""
    if not raw.strip():
        return {}
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        raise GraphError(100, "The request body is not valid JSON.") from None
    if not isinstance(found, dict):
        raise GraphError(100, "The request body must be a JSON object.")
    return found


def _decoded(value: Any) -> Any:
    """Graph reads objects and lists out of form fields."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


Route = Callable[[Call], Awaitable[Any]]
_ROUTES: dict[tuple[str, str, str], Route] = {}
_EDGES: set[tuple[str, str]] = set()
_NAMES: dict[type, str] = {App: "app", Waba: "waba", Number: "number", Template: "template", Media: "media"}


def route(method: str, kind: str, edge: str = "") -> Callable[[Route], Route]:
    """Register a handler for a method on an edge of a kind of object ("" is the object itself)."""

    def register(handler: Route) -> Route:
        _ROUTES[method, kind, edge] = handler
        _EDGES.add((kind, edge))
        return handler

    return register


def answer(
    body: Any, status: int = 200, version: str = "", extra: dict[str, str] | None = None
) -> web.Response:
    """A JSON answer with the headers Meta sends along."""
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "x-fb-trace-id": ids.trace_id(),
        "x-fb-rev": "1029999999",
        "x-app-usage": '{"call_count":1,"total_time":1,"total_cputime":1}',
        "facebook-api-version": version or f"v{NEWEST}.0",
    }
    if extra:
        headers |= extra
    return web.Response(body=json.dumps(body).encode(), status=status, headers=headers)


async def handle(request: web.Request) -> web.StreamResponse:
    """Every request to the Graph API comes through here."""
    version = ""
    request.app[WORLD].stats["requests"] += 1
    try:
        path = [part for part in request.path.split("/") if part]
        version = _version(path)
        call = Call(request, version)
        result = await _dispatch(call, path[1:])
        if isinstance(result, web.StreamResponse):
            return result
        return answer(result, version=version, extra=_usage(call))
    except GraphError as refusal:
        request.app[WORLD].stats[f"refused {refusal.code}"] += 1
        extra = (
            {"WWW-Authenticate": 'OAuth "Facebook Platform" "invalid_token"'}
            if refusal.status == 401
            else None
        )
        return answer(refusal.envelope(), refusal.status, version, extra)


def _version(path: list[str]) -> str:
    found = _VERSION.match(path[0]) if path else None
    if found is None:
        shown = "/" + "/".join(path)
        raise GraphError(2500, message=f"Unknown path components: {shown}", plain=True)
    if not OLDEST <= int(found.group(1)) <= NEWEST:
        raise GraphError(2635, message=f"(#2635) There is no version {path[0]} of the API", plain=True)
    return path[0]


async def _dispatch(call: Call, path: list[str]) -> Any:
    if not path:
        raise GraphError(2500, message="An active object is needed in the path.", plain=True)
    method = call.request.method
    _authenticate(call)
    if path[0] == "debug_token":
        kind, edge = "root", "debug_token"
    elif path[0].startswith("upload:"):
        kind, edge = "upload", ""
        call.node = path[0]
    else:
        call.node = _find(call, path[0], method)
        kind = _NAMES[type(call.node)]
        edge = "/".join(path[1:])
    handler = _ROUTES.get((method, kind, edge))
    if handler is None:
        if (kind, edge) in _EDGES:
            raise no_such_object(path[0], method)
        raise GraphError(2500, message=f"Unknown path components: /{edge}", plain=True)
    return await handler(call)


def _authenticate(call: Call) -> None:
    """Who is calling: a system user's token, or the app itself with `app_id|app_secret`."""
    world = call.world
    header = call.request.headers.get("Authorization", "")
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() not in ("bearer", "oauth"):
        value = ""
    if not value:
        value = call.query.get("access_token", "")
    if not value:
        raise GraphError(
            104, message="An access token is required to request this resource.", status=401, plain=True
        )
    token = world.tokens.get(value)
    if token is None:
        app_id, bar, secret = value.partition("|")
        app = world.apps.get(app_id) if bar else None
        if app is None or not hmac.compare_digest(app.secret.encode(), secret.encode()):
            raise token_refused("Invalid OAuth access token - Cannot parse access token")
        call.app = app
    else:
        check_token(token, world.clock.now())
        call.token = token
        call.app = world.apps[token.app_id]
    proof = call.query.get("appsecret_proof")
    if proof is not None:
        right = hmac.new(call.app.secret.encode(), value.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right.encode(), proof.encode()):
            raise GraphError(100, message="Invalid appsecret_proof provided in the API argument", plain=True)


def check_token(token: Token, now: float) -> None:
    """Refuse a token that was revoked or has run out, each with its subcode."""
    if not token.valid:
        raise token_refused(
            "Error validating access token: The session has been invalidated because the user changed their "
            "password or Facebook has changed the session for security reasons.",
            460,
        )
    if token.expires_at and token.expires_at <= now:
        raise token_refused("Error validating access token: Session has expired.", 463)


def _find(call: Call, object_id: str, method: str) -> Node:
    """The object, if it exists and the caller may see it; Meta answers both failures alike."""
    world = call.world
    number = world.numbers.get(object_id)
    if number is not None:
        owner: str = number.waba_id
        node: Node = number
    elif object_id in world.wabas:
        node, owner = world.wabas[object_id], object_id
    elif object_id in world.templates:
        node = world.templates[object_id]
        owner = node.waba_id
    elif object_id in world.media:
        node = world.media[object_id]
        owner = node.waba_id
    elif object_id in world.apps:
        if call.app is None or call.app.app_id != object_id:
            raise no_such_object(object_id, method)
        return world.apps[object_id]
    else:
        raise no_such_object(object_id, method)
    if call.token is None:
        raise GraphError(200, message="(#200) Requires a system user access token", plain=True)
    if owner not in call.token.waba_ids:
        raise no_such_object(object_id, method)
    if isinstance(node, Waba | Template):
        _count(call, owner)
    return node


def need_scope(call: Call, scope: str) -> None:
    """Code 10 when the token lacks a permission."""
    if call.token is not None and scope not in call.token.scopes:
        raise GraphError(10, f"Permission {scope} is missing.")


def _count(call: Call, waba_id: str) -> None:
    """The management API's own limit: calls in an hour, per account."""
    need_scope(call, "whatsapp_business_management")
    rate = call.world.options.management_rate
    now = call.world.clock.now()
    if rate and not call.world.management_limits.take(waba_id, now, 3600 / rate, rate):
        raise GraphError(80007)


def _usage(call: Call) -> dict[str, str] | None:
    if not isinstance(call.node, Waba):
        return None
    used = {"type": "whatsapp", "call_count": 1, "total_cputime": 1, "total_time": 1}
    usage = {call.node.id: [used | {"estimated_time_to_regain_access": 0}]}
    return {"x-business-use-case-usage": json.dumps(usage)}


def chosen_fields(
    call: Call, available: dict[str, Callable[[], Any]], default: tuple[str, ...], node: str
) -> dict:
    """The fields asked for with `fields=`, or the default ones; code 100 for one that does not exist."""
    asked = call.query.get("fields", "")
    names = (
        [name.split("{")[0].split(".")[0].strip() for name in asked.split(",")] if asked else list(default)
    )
    chosen = {}
    for name in names:
        if name not in available:
            raise GraphError(
                100,
                message=f"(#100) Tried accessing nonexisting field ({name}) on node type ({node})",
                plain=True,
            )
        value = available[name]()
        if value is not None:
            chosen[name] = value
    chosen["id"] = available["id"]()
    return chosen
