"""The API of the stand-in: the calls that the product makes, answered in Stripe's wire format."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from .keys import WORLD
from .objects import price, public, schedule
from .wire import Object, StripeError, needed, only, page, read_form
from .world import World

Call = Callable[[World, Object, str], Object]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_SESSION = (
    *("mode", "customer", "client_reference_id", "line_items", "success_url", "cancel_url", "metadata"),
    *("subscription_data", "payment_intent_data", "expand"),
)


@web.middleware
async def keeps_state(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Write the state to its file after whatever may have changed it."""
    try:
        return await handler(request)
    finally:
        if request.method != "GET":
            request.app[WORLD].save()


def _call(call: Call) -> Handler:
    """Turn a function of (world, parameters, id) into a handler: key, faults, idempotency, errors."""

    async def handle(request: web.Request) -> web.StreamResponse:
        world = request.app[WORLD]
        try:
            if world.fault is not None:
                raise StripeError(world.fault, "Something went wrong on our end.")
            _check_key(world, request)
            raw = await request.read()
            pairs = parse_qsl(raw.decode() if raw else request.query_string, keep_blank_values=True)
            return _answer(
                world, request, lambda: call(world, read_form(pairs), request.match_info.get("id", "")), raw
            )
        except StripeError as error:
            # As a server's fault would, but without a second try that only costs the tests half a second.
            headers = {"Stripe-Should-Retry": "false"}
            return web.json_response(error.body, status=error.status, headers=headers)

    return handle


def _check_key(world: World, request: web.Request) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not hmac.compare_digest(given.encode(), world.api_key.encode()):
        raise StripeError(401, "Invalid API Key provided", kind="invalid_request_error")


def _answer(world: World, request: web.Request, work: Callable[[], Object], raw: bytes) -> web.StreamResponse:
    """Do the work, once per Idempotency-Key; the first answer is given again, another request refused."""
    key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
    if key is None:
        return web.json_response(work())
    print_ = hashlib.sha256(f"{request.path}\n".encode() + raw).hexdigest()
    earlier = world.tables["replays"].get(key)
    if earlier is not None:
        if earlier["print"] != print_:
            raise StripeError(
                400,
                "Keys for idempotent requests can only be used with the same parameters.",
                kind="idempotency_error",
            )
        return web.json_response(earlier["body"], headers={"Idempotent-Replayed": "true"})
    body = json.loads(json.dumps(work()))
    world.tables["replays"][key] = {"print": print_, "body": body}
    return web.json_response(body)


# --- the calls


def _create_customer(world: World, given: Object, _id: str) -> Object:
    only(given, "name", "email", "metadata")
    return public(world.create_customer(given))


def _customer(world: World, given: Object, ident: str) -> Object:
    return public(world.get("customers", ident))


def _delete_customer(world: World, given: Object, ident: str) -> Object:
    return public(world.delete_customer(ident))


def _create_session(world: World, given: Object, _id: str) -> Object:
    only(given, *_SESSION)
    needed(given, "success_url")
    return _shown_session(world.create_session(given), given)


def _session(world: World, given: Object, ident: str) -> Object:
    return _shown_session(world.get("sessions", ident), given)


def _expire_session(world: World, given: Object, ident: str) -> Object:
    return _shown_session(world.expire_session(ident), given)


def _sessions(world: World, given: Object, _id: str) -> Object:
    only(given, "status", "created", "customer", "limit", "starting_after", "expand")
    since = int((given.get("created") or {}).get("gte", 0))
    rows = [
        _shown_session(one, {"expand": [name.removeprefix("data.") for name in given.get("expand", [])]})
        for one in world.tables["sessions"].values()
        if one["created"] >= since and given.get("status", one["status"]) == one["status"]
        if given.get("customer", one["customer"]) == one["customer"]
    ]
    return page(rows, given, "/v1/checkout/sessions")


def _shown_session(session: Object, given: Object) -> Object:
    shown = public(session)
    if "line_items" in (given.get("expand") or []):
        lines = [
            {
                "id": f"li_{number}",
                "object": "item",
                "price": price(line["price"]),
                "quantity": line["quantity"],
            }
            for number, line in enumerate(session["_lines"])
        ]
        url = f"/v1/checkout/sessions/{session['id']}/line_items"
        shown["line_items"] = {"object": "list", "data": lines, "has_more": False, "url": url}
    return shown


def _create_portal(world: World, given: Object, _id: str) -> Object:
    only(given, "customer", "return_url", "flow_data", "configuration")
    return public(world.create_portal(given))


def _subscriptions(world: World, given: Object, _id: str) -> Object:
    only(given, "customer", "status", "limit", "starting_after", "price", "expand")
    if given.get("customer"):
        world.get("customers", given["customer"], status=400, param="customer")
    wanted = given.get("status")
    rows = [
        _shown_subscription(one, given)
        for one in world.tables["subscriptions"].values()
        if given.get("customer", one["customer"]) == one["customer"]
        if wanted == "all" or (one["status"] == wanted if wanted else one["status"] != "canceled")
    ]
    return page(rows, given, "/v1/subscriptions")


def _shown_subscription(subscription: Object, given: Object) -> Object:
    shown = public(subscription)
    if shown["schedule"] and "data.schedule" in (given.get("expand") or []):
        shown["schedule"] = schedule(subscription)
    return shown


def _subscription(world: World, given: Object, ident: str) -> Object:
    return public(world.get("subscriptions", ident))


def _cancel(world: World, given: Object, ident: str) -> Object:
    found = world.get("subscriptions", ident)
    world.end(found)
    return public(found)


def _charge(world: World, given: Object, ident: str) -> Object:
    return public(world.get("charges", ident))


def _charges(world: World, given: Object, _id: str) -> Object:
    only(given, "payment_intent", "customer", "limit", "starting_after", "expand")
    rows = [
        public(one)
        for one in world.tables["charges"].values()
        if all(given.get(name, one[name]) == one[name] for name in ("payment_intent", "customer"))
    ]
    return page(rows, given, "/v1/charges")


def _dispute(world: World, given: Object, ident: str) -> Object:
    shown = public(world.get("disputes", ident))
    if "charge" in (given.get("expand") or []):
        shown["charge"] = public(world.get("charges", shown["charge"]))
    return shown


def _price(world: World, given: Object, ident: str) -> Object:
    return price(ident)


_CALLS: list[tuple[str, str, Call]] = [
    ("POST", "/v1/customers", _create_customer),
    ("GET", "/v1/customers/{id}", _customer),
    ("DELETE", "/v1/customers/{id}", _delete_customer),
    ("POST", "/v1/checkout/sessions", _create_session),
    ("GET", "/v1/checkout/sessions", _sessions),
    ("GET", "/v1/checkout/sessions/{id}", _session),
    ("POST", "/v1/checkout/sessions/{id}/expire", _expire_session),
    ("POST", "/v1/billing_portal/sessions", _create_portal),
    ("GET", "/v1/subscriptions", _subscriptions),
    ("GET", "/v1/subscriptions/{id}", _subscription),
    ("DELETE", "/v1/subscriptions/{id}", _cancel),
    ("GET", "/v1/charges", _charges),
    ("GET", "/v1/charges/{id}", _charge),
    ("GET", "/v1/disputes/{id}", _dispute),
    ("GET", "/v1/prices/{id}", _price),
]


async def _unknown(request: web.Request) -> web.StreamResponse:
    said = f"Unrecognized request URL ({request.method}: {request.path})."
    return web.json_response(StripeError(404, said).body, status=404)


def add_routes(app: web.Application) -> None:
    """Put the API into an application."""
    for method, path, call in _CALLS:
        app.router.add_route(method, path, _call(call))
    app.router.add_route("*", "/v1/{rest:.*}", _unknown)


__all__: list[Any] = ["add_routes", "keeps_state"]
