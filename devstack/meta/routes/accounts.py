"""Reading accounts and apps: fields, numbers of an account, webhook subscriptions, inspection of tokens."""

import base64
from collections.abc import Callable
from typing import Any

from ..errors import GraphError
from ..graph import Call, check_token, chosen_fields, route
from ..models import Waba
from .numbers import DEFAULT_FIELDS, fields_of, verify


def cursor(position: int) -> str:
    """A paging cursor: opaque to the caller."""
    return base64.urlsafe_b64encode(f"QVFIU{position:08d}".encode()).decode().rstrip("=")


def position_of(text: str) -> int:
    """The position a cursor names; code 131059 for one we did not make."""
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (ValueError, UnicodeDecodeError):
        plain = ""
    if not plain.startswith("QVFIU") or not plain[5:].isdigit():
        raise GraphError(131059)
    return int(plain[5:])


def page(call: Call, rows: list[Any], default_limit: int = 25) -> dict[str, Any]:
    """One page of a list; `next` carries the access token in its query, as Meta's does."""
    text = call.query.get("limit", str(default_limit))
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise GraphError(100, "Param limit must be an integer from 1 to 1000.")
    limit = int(text)
    start = position_of(call.query["after"]) + 1 if call.query.get("after") else 0
    if call.query.get("before"):
        start = max(0, position_of(call.query["before"]) - limit)
    shown = rows[start : start + limit]
    found: dict[str, Any] = {"data": shown}
    if shown:
        last = start + len(shown) - 1
        found["paging"] = {"cursors": {"before": cursor(start), "after": cursor(last)}}
        assert call.token is not None
        kept = {
            name: value
            for name, value in call.query.items()
            if name not in ("after", "before", "access_token")
        }
        address = call.request.url.with_query(kept | {"limit": str(limit), "access_token": call.token.value})
        if last + 1 < len(rows):
            found["paging"]["next"] = str(address.update_query(after=cursor(last)))
        if start:
            found["paging"]["previous"] = str(address.update_query(before=cursor(start)))
    return found


@route("GET", "waba")
async def read(call: Call) -> Any:
    """`GET /{waba_id}?fields=`."""
    waba: Waba = call.node
    blocked = waba.review_status == "REJECTED"
    entity = {"entity_type": "WABA", "id": waba.id, "can_send_message": "BLOCKED" if blocked else "AVAILABLE"}
    available: dict[str, Callable[[], Any]] = {
        "id": lambda: waba.id,
        "name": lambda: waba.name,
        "currency": lambda: "USD",
        "timezone_id": lambda: "1",
        "message_template_namespace": lambda: waba.namespace,
        "account_review_status": lambda: waba.review_status,
        "business_verification_status": lambda: "verified",
        "country": lambda: "US",
        "ownership_type": lambda: "SELF",
        "status": lambda: "ACTIVE",
        "whatsapp_business_manager_messaging_limit": lambda: "TIER_250",
        "health_status": lambda: {"can_send_message": entity["can_send_message"], "entities": [entity]},
    }
    default = ("name", "timezone_id", "message_template_namespace")
    return chosen_fields(call, available, default, "WhatsAppBusinessAccount")


@route("GET", "waba", "phone_numbers")
async def phone_numbers(call: Call) -> Any:
    """The account's numbers, the last onboarded first."""
    assert call.app is not None
    rows = []
    for number in call.world.numbers.values():
        if number.waba_id == call.node.id:
            available = fields_of(call.world, number, call.app.app_id)
            rows.append(chosen_fields(call, available, DEFAULT_FIELDS, "WhatsAppBusinessPhoneNumber"))
    rows.reverse()
    return page(call, rows)


@route("GET", "waba", "subscribed_apps")
async def subscribed_apps(call: Call) -> Any:
    """The apps that get this account's callbacks."""
    rows = []
    for app_id, override in call.node.subscribed.items():
        app = call.world.apps[app_id]
        link = f"https://www.facebook.com/games/?app_id={app_id}"
        row: dict[str, Any] = {"whatsapp_business_api_data": {"id": app_id, "link": link, "name": app.name}}
        if override:
            row["override_callback_uri"] = override
        rows.append(row)
    return {"data": rows}


@route("POST", "waba", "subscribed_apps")
async def subscribe(call: Call) -> Any:
    """Subscribe the token's app, or set its own callback address for this account."""
    assert call.app is not None
    waba: Waba = call.node
    given = await call.params()
    url = given.get("override_callback_uri")
    if url is None:
        waba.subscribed[call.app.app_id] = ""
        return {"success": True}
    if call.app.app_id not in waba.subscribed:
        raise GraphError(
            100,
            message="(#100) Before override the current callback uri, your app must be subscribed to receive "
            "messages for WhatsApp Business Account",
            plain=True,
        )
    if url:
        await verify(call, str(url), str(given.get("verify_token", "")))
    waba.subscribed[call.app.app_id] = str(url)
    return {"success": True}


@route("DELETE", "waba", "subscribed_apps")
async def unsubscribe(call: Call) -> Any:
    """End the subscription of the token's app."""
    assert call.app is not None
    call.node.subscribed.pop(call.app.app_id, None)
    return {"success": True}


@route("GET", "app")
async def read_app(call: Call) -> Any:
    """`GET /{app_id}`."""
    app = call.node
    available: dict[str, Callable[[], Any]] = {"id": lambda: app.app_id, "name": lambda: app.name}
    return chosen_fields(call, available, ("name",), "Application")


def _needs_app_token(call: Call) -> None:
    if call.token is not None:
        raise GraphError(15, message="(#15) This method must be called with an app access_token.", plain=True)


@route("POST", "app", "subscriptions")
async def set_callback(call: Call) -> Any:
    """Set the app's callback address, after asking it for the challenge."""
    _needs_app_token(call)
    given = await call.params()
    if given.get("object") != "whatsapp_business_account":
        raise GraphError(100, "Param object must be one of {WHATSAPP_BUSINESS_ACCOUNT}.")
    url, verify_token = str(given.get("callback_url", "")), str(given.get("verify_token", ""))
    if not url:
        raise GraphError(100, "Param callback_url is required.")
    await verify(call, url, verify_token)
    app = call.node
    app.callback_url, app.verify_token = url, verify_token
    fields = given.get("fields", "messages")
    app.fields = tuple(fields.split(",")) if isinstance(fields, str) else tuple(str(one) for one in fields)
    return {"success": True}


@route("GET", "app", "subscriptions")
async def list_subscriptions(call: Call) -> Any:
    """What the app is subscribed to, and where."""
    _needs_app_token(call)
    app = call.node
    if not app.callback_url:
        return {"data": []}
    fields = [{"name": name, "version": "v25.0"} for name in app.fields]
    row = {
        "object": "whatsapp_business_account",
        "callback_url": app.callback_url,
        "active": True,
        "fields": fields,
    }
    return {"data": [row]}


@route("DELETE", "app", "subscriptions")
async def remove_callback(call: Call) -> Any:
    """Forget the app's callback address."""
    _needs_app_token(call)
    call.node.callback_url = ""
    return {"success": True}


@route("GET", "root", "debug_token")
async def debug_token(call: Call) -> Any:
    """What a token is: valid or not, of which app, with which permissions."""
    assert call.app is not None
    value = call.query.get("input_token", "")
    if not value:
        raise GraphError(100, message="(#100) The parameter input_token is required.", plain=True)
    token = call.world.tokens.get(value)
    if token is None:
        return {"data": _unusable(190, "Invalid OAuth access token - Cannot parse access token")}
    if token.app_id != call.app.app_id:
        raise GraphError(
            100, message="(#100) The App_id in the input_token did not match the Viewing App", plain=True
        )
    data: dict[str, Any] = {
        "app_id": token.app_id,
        "type": "SYSTEM_USER",
        "application": call.app.name,
        "data_access_expires_at": 0,
        "expires_at": int(token.expires_at),
        "is_valid": True,
        "issued_at": int(token.issued_at),
        "scopes": list(token.scopes),
        "granular_scopes": [{"scope": scope, "target_ids": sorted(token.waba_ids)} for scope in token.scopes],
        "user_id": token.user_id,
    }
    try:
        check_token(token, call.world.clock.now())
    except GraphError as refusal:
        data |= _unusable(190, refusal.body["message"], refusal.body.get("error_subcode"))
    return {"data": data}


def _unusable(code: int, message: str, subcode: int | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    if subcode:
        error["subcode"] = subcode
    return {"error": error, "is_valid": False, "scopes": []}
