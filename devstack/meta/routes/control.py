"""The control API under `/_sandbox`, for tests and for the page; open to this machine alone."""

import ipaddress
import json
import resource
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from .. import inbound, magic, rendering, seed
from ..callbacks import Item
from ..errors import GraphError
from ..graph import COURIER, WORLD
from ..models import App, Number, SentMessage, Token
from ..world import World
from . import templates

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_TEXT_FIELDS = (
    "status",
    "quality_rating",
    "throughput_level",
    "account_mode",
    "name_status",
    "verified_name",
)


class Trouble(Exception):
    """A control call that makes no sense."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def guarded(handler: Handler) -> Handler:
    """Let only this machine in, and no foreign web page through its browser."""

    async def inside(request: web.Request) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peername") if request.transport else None
        # The name in Host must be local too, or a foreign page could rebind its own name to this machine.
        host = urlsplit(f"//{request.host}").hostname or ""
        origin = request.headers.get("Origin")
        at_home = origin is None or urlsplit(origin).netloc == request.host
        if not peer or not _is_local(str(peer[0])) or not _is_local(host) or not at_home:
            return web.json_response({"error": "The control API is open to this machine only."}, status=403)
        try:
            return await handler(request)
        except Trouble as trouble:
            return web.json_response({"error": str(trouble)}, status=trouble.status)
        except (GraphError, ValueError) as trouble:
            return web.json_response({"error": str(trouble)}, status=400)

    return inside


async def _given(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    given = json.loads(raw) if raw.strip() else {}
    if not isinstance(given, dict):
        raise Trouble("The body must be a JSON object.")
    return given


def _number(world: World, number_id: Any) -> Number:
    number = world.numbers.get(str(number_id))
    if number is None:
        raise Trouble(f"There is no number '{number_id}'.", 404)
    return number


def _shown(app: App) -> str:
    """Return the secret of an app made by hand; the seeded one signs for the demo's number too."""
    return "(set as META_APP_SECRET)" if app.app_id == seed.APP_ID else app.secret


def credentials(world: World, number: Number) -> dict[str, Any]:
    """A number with what is needed to connect it; the demo's own token is never shown."""
    app = world.apps[world.wabas[number.waba_id].app_id]
    shown: dict[str, Any] = {
        "index": number.seeded,
        "phone": number.phone,
        "verified_name": number.verified_name,
        "phone_number_id": number.id,
        "waba_id": number.waba_id,
        "status": number.status,
        "quality_rating": number.quality_rating,
        "spare": number.seeded != 0,
    }
    if number.seeded == 0:
        return shown | {"access_token": "EAA" + "•" * 12}
    secrets = {"app_id": app.app_id, "app_secret": _shown(app), "verify_token": app.verify_token}
    return shown | secrets | {"access_token": number.token}


async def state(request: web.Request) -> web.Response:
    """Counts of everything."""
    world, courier = request.app[WORLD], request.app[COURIER]
    return web.json_response(
        {
            "messages": len(world.messages),
            "numbers": len(world.numbers),
            "media": len(world.media),
            "received": len(world.received),
            "templates": len(world.templates),
            "callbacks_waiting": courier.waiting,
            "planned": courier.planned,
            "callback_url": world.callback_url,
            "now": world.clock.now(),
            "memory_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
            "stats": dict(world.stats),
            "options": world.options.as_dict(),
        }
    )


async def messages(request: web.Request) -> web.Response:
    """The ledger, filtered by `ref`, `to` and `phone_number_id`; `limit` and `after` page through it."""
    world, query = request.app[WORLD], request.query
    found: list[SentMessage] = world.by_ref.get(query["ref"], []) if query.get("ref") else world.messages
    if query.get("to"):
        to = query["to"].strip().lstrip("+")
        found = [one for one in found if one.to == to or one.wa_id == to]
    if query.get("phone_number_id"):
        found = [one for one in found if one.phone_number_id == query["phone_number_id"]]
    start, limit = int(query.get("after", 0)), int(query.get("limit", 1000))
    shown = [one.as_dict() for one in found[start : start + limit]]
    return web.json_response({"count": len(found), "messages": shown})


async def doubles(request: web.Request) -> web.Response:
    """Which references were accepted more than once: what a gateway must avoid."""
    world = request.app[WORLD]
    twice = {ref: len(lines) for ref, lines in world.by_ref.items() if len(lines) > 1}
    return web.json_response({"references": len(world.by_ref), "doubled": twice})


async def options(request: web.Request) -> web.Response:
    """Read the options, or change some of them."""
    world = request.app[WORLD]
    if request.method == "PUT":
        world.options.change(await _given(request))
    return web.json_response(world.options.as_dict())


async def reset(request: web.Request) -> web.Response:
    """Begin again, with the seeded state."""
    request.app[COURIER].forget()
    request.app[WORLD].reset()
    return web.json_response({"success": True})


async def receive(request: web.Request) -> web.Response:
    """A customer writes, or any field of any account changes."""
    world, courier = request.app[WORLD], request.app[COURIER]
    given = await _given(request)
    number_id = given.get("phone_number_id") or next(iter(world.numbers))
    waba_id = str(given.get("waba_id") or _number(world, number_id).waba_id)
    if waba_id not in world.wabas:
        raise Trouble(f"There is no account '{waba_id}'.", 404)
    if given.get("dashboard_test"):
        inbound.dashboard_test(courier, waba_id)
        return web.json_response({"success": True})
    if "field" in given:
        if not isinstance(given.get("value"), dict):
            raise Trouble("'value' must be an object.")
        inbound.change(world, courier, waba_id, str(given["field"]), given["value"])
        return web.json_response({"success": True})
    entry = inbound.receive(world, courier, _number(world, number_id), given)
    return web.json_response({"id": entry.wamid, "message": entry.message})


async def numbers(request: web.Request) -> web.Response:
    """The numbers and their credentials."""
    world = request.app[WORLD]
    return web.json_response({"numbers": [credentials(world, number) for number in world.numbers.values()]})


async def make_number(request: web.Request) -> web.Response:
    """A new number; with `own_app` in an app of its own, as every customer of a gateway brings one."""
    world = request.app[WORLD]
    given = await _given(request)
    first_app = next(iter(world.apps))
    app_id = str(given.get("app_id") or first_app)
    if given.get("own_app"):
        url, token = str(given.get("callback_url", "")), str(given.get("verify_token", ""))
        app_id = world.add_app(url, token).app_id
    if app_id not in world.apps:
        raise Trouble(f"There is no app '{app_id}'.", 404)
    phone = str(given.get("phone", ""))
    if phone and not (phone.startswith("+") and phone[1:].isdigit() and 8 <= len(phone) <= 16):
        raise Trouble("'phone' is a number in E.164 with its plus.")
    number = world.add_number(
        app_id,
        phone=phone,
        verified_name=str(given.get("verified_name", "")),
        waba_id=str(given.get("waba_id", "")),
    )
    return web.json_response(credentials(world, number), status=201)


async def change_number(request: web.Request) -> web.Response:
    """Change a number's condition, or revoke, restore or time-limit its token."""
    world, courier = request.app[WORLD], request.app[COURIER]
    number = _number(world, request.match_info["id"])
    given = await _given(request)
    unknown = set(given) - {*_TEXT_FIELDS, "rate", "is_on_biz_app", "allowed_recipients", "token", "scopes"}
    if unknown:
        raise Trouble(f"A number has no '{sorted(unknown)[0]}'.")
    before = number.quality_rating, number.throughput_level
    for name in _TEXT_FIELDS:
        if name in given:
            setattr(number, name, str(given[name]))
    if "rate" in given:
        number.rate = None if given["rate"] is None else float(given["rate"])
    if "is_on_biz_app" in given:
        number.is_on_biz_app = bool(given["is_on_biz_app"])
    if "allowed_recipients" in given:
        number.allowed_recipients = {str(one).lstrip("+") for one in given["allowed_recipients"]}
    _change_token(world, world.tokens[number.token], given)
    if before != (number.quality_rating, number.throughput_level):
        event = "THROUGHPUT_UPGRADE" if before[1] != number.throughput_level else "FLAGGED"
        if event == "FLAGGED" and number.quality_rating == "GREEN":
            event = "UNFLAGGED"
        value = {"display_phone_number": number.digits, "event": event, "current_limit": "TIER_UNLIMITED"}
        courier.publish(Item(number.waba_id, "phone_number_quality_update", value))
    return web.json_response(credentials(world, number))


def _change_token(world: World, token: Token, given: dict[str, Any]) -> None:
    wish = given.get("token")
    if wish is not None and wish not in ("revoke", "restore", "expire"):
        raise Trouble("'token' is one of revoke, restore, expire.")
    if wish == "restore":
        token.valid, token.expires_at = True, 0.0
    elif wish == "revoke":
        token.valid = False
    elif wish == "expire":
        token.expires_at = world.clock.now()
    if "scopes" in given:
        token.scopes = tuple(str(scope) for scope in given["scopes"])


async def change_template(request: web.Request) -> web.Response:
    """Give a template another status, category or quality; its subscribers are told of it."""
    world, courier = request.app[WORLD], request.app[COURIER]
    template = world.templates.get(request.match_info["id"])
    if template is None:
        raise Trouble("There is no such template.", 404)
    given = await _given(request)
    named = {
        "message_template_id": int(template.id),
        "message_template_name": template.name,
        "message_template_language": template.language.replace("_", "-"),
    }
    if "category" in given:
        value = named | {"previous_category": template.category, "new_category": str(given["category"])}
        template.category = str(given["category"])
        courier.publish(Item(template.waba_id, "template_category_update", value))
    if "quality" in given:
        value = named | {
            "previous_quality_score": template.quality,
            "new_quality_score": str(given["quality"]),
        }
        template.quality = str(given["quality"])
        courier.publish(Item(template.waba_id, "message_template_quality_update", value))
    if "components" in given:
        template.components, template.spec = list(given["components"]), None
    if "status" in given:
        status = str(given["status"]).upper()
        if status not in templates.STATUSES:
            raise Trouble(f"'{status}' is no status of a template.")
        templates.change_status(world, courier, template, status, str(given.get("reason", "")))
    return web.json_response({"id": template.id, "name": template.name, "status": template.status})


async def list_templates(request: web.Request) -> web.Response:
    """The templates of a number's account, to find their ids."""
    world = request.app[WORLD]
    number = _number(world, request.query.get("phone_number_id") or next(iter(world.numbers)))
    rows = world.wabas[number.waba_id].templates.values()
    shown = [{"id": t.id, "name": t.name, "language": t.language, "status": t.status} for t in rows]
    return web.json_response({"templates": shown})


async def clock(request: web.Request) -> web.Response:
    """Move time forward."""
    world = request.app[WORLD]
    given = await _given(request)
    if "advance" in given:
        world.clock.advance(float(given["advance"]))
    return web.json_response({"now": world.clock.now()})


async def magic_table(_request: web.Request) -> web.Response:
    """The recipients with a fate."""
    return web.json_response({"recipients": magic.as_rows(), "notes": list(magic.NOTES)})


async def chats(request: web.Request) -> web.Response:
    """The customers a number talked with last, the latest first."""
    world = request.app[WORLD]
    number = _number(world, request.query.get("phone_number_id", ""))
    shown = []
    for wa_id, at in reversed(list(world.recent.get(number.id, {}).items())):
        last = rendering.entry(world, world.chats[number.id, wa_id][-1])
        text = last.get("body") or last.get("media") or ""
        name = world.contact(wa_id).name if wa_id.isdigit() else wa_id
        shown.append({"customer": wa_id, "name": name, "at": at, "text": text[:80], "mine": last["mine"]})
    return web.json_response({"chats": shown})


async def chat(request: web.Request) -> web.Response:
    """One conversation, as the customer sees it."""
    world = request.app[WORLD]
    number = _number(world, request.query.get("phone_number_id", ""))
    wa_id = request.query.get("customer", "").strip().lstrip("+")
    entries = [rendering.entry(world, one) for one in world.chats.get((number.id, wa_id), [])[-60:]]
    until = world.windows.get((number.id, wa_id), 0.0)
    name = world.contact(wa_id).name if wa_id.isdigit() else wa_id
    seconds = max(0, int(until - world.clock.now()))
    return web.json_response({"customer": wa_id, "name": name, "window_seconds": seconds, "entries": entries})


def add_routes(app: web.Application) -> None:
    """Put the control API into an application."""
    table: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "state", state),
        ("GET", "messages", messages),
        ("GET", "doubles", doubles),
        ("GET", "options", options),
        ("PUT", "options", options),
        ("POST", "reset", reset),
        ("POST", "inbound", receive),
        ("GET", "numbers", numbers),
        ("POST", "numbers", make_number),
        ("PATCH", "numbers/{id}", change_number),
        ("GET", "templates", list_templates),
        ("PATCH", "templates/{id}", change_template),
        ("POST", "clock", clock),
        ("GET", "magic", magic_table),
        ("GET", "chats", chats),
        ("GET", "chat", chat),
    )
    for method, path, handler in table:
        app.router.add_route(method, f"/_sandbox/{path}", guarded(handler))
