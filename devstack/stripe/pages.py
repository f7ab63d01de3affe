"""The stand-in's pages: checkout, portal, and one that shows everything and turns the clock."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from . import clock, html, seed
from .html import button, day, money
from .keys import WORLD
from .objects import price
from .wire import Object, StripeError
from .world import DAY, World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_CSS = Path(__file__).parent / "page.css"
SPANS = {"1 hour": 3_600, "1 day": DAY, "3 days": 3 * DAY, "1 month": 31 * DAY}


def guarded(handler: Handler) -> Handler:
    """Let only this machine in, and no foreign web page through its browser."""

    async def inside(request: web.Request) -> web.StreamResponse:
        host = urlsplit(f"//{request.host}").hostname or ""
        origin = request.headers.get("Origin")
        foreign = origin is not None and urlsplit(origin).netloc != request.host
        if not _local(request.remote or "") or not _local(host) or foreign:
            return web.Response(status=403, text="Open to this machine only.")
        try:
            return await handler(request)
        except StripeError as error:
            body = html.page("No", f"<h1>That does not work</h1><p>{escape(str(error))}</p>")
            return _page(body, status=error.status)

    return inside


def _local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost"


def _page(text: str, *leads_to: str | None, status: int = 200) -> web.Response:
    headers = {
        "Content-Security-Policy": html.policy(*leads_to),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    return web.Response(text=text, content_type="text/html", headers=headers, status=status)


def _go(address: str) -> web.Response:
    return web.Response(status=303, headers={"Location": address})


# --- checkout


async def _checkout(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    session = world.get("sessions", request.match_info["id"])
    return _page(_checkout_page(world, session), session["success_url"], session["cancel_url"])


def _checkout_page(world: World, session: Object, said: str = "") -> str:
    line = price(session["_lines"][0]["price"])
    often = " a month" if line["recurring"] else ", once"
    at = f"/c/pay/{session['id']}"
    who = escape(world.get("customers", session["customer"]).get("email") or session["customer"])
    if session["status"] == "open":
        choice = button(f"{at}/pay", "Pay", main=True) + button(f"{at}/decline", "Decline the card")
    else:
        choice = f"<p>This checkout is {escape(session['status'])}.</p>"
    back = f'<p><a href="{escape(session["cancel_url"] or "/")}">Back without buying</a></p>'
    return html.page(
        "Checkout",
        f"<h1>{escape(line['nickname'])}</h1><p class=price>{money(session['amount_total'])}{often}</p>"
        f"<p class=soft>For {who}</p><p role=status>{escape(said)}</p>{choice}{back}",
    )


async def _pay(request: web.Request) -> web.StreamResponse:
    session = request.app[WORLD].pay(request.match_info["id"])
    address = (session["success_url"] or "/").replace("{CHECKOUT_SESSION_ID}", session["id"])
    return _go(address)


async def _decline(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    session = world.decline(request.match_info["id"])
    text = _checkout_page(world, session, "Your card was declined. Try another one.")
    return _page(text, session["success_url"], session["cancel_url"])


# --- portal


async def _portal(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    portal = world.get("portals", request.match_info["id"])
    customer = world.customer(portal["customer"])
    at = f"/p/session/{portal['id']}"
    parts = [
        f"<h1>Billing of {escape(customer['name'] or customer['id'])}</h1>"
        f'<p><a href="{escape(portal["return_url"] or "/")}">Return to the service</a></p>'
    ]
    if portal["flow"] is not None:
        parts.append(_confirmation(world, portal, at))
    for one in reversed(world.subscriptions_of(customer["id"])):
        parts.append(f"<h2>Subscription</h2><p>{html.state(one)}</p>{_choices(one, at)}")
    works = customer["_card_works"]
    parts.append(
        f"<h2>Card</h2><p>{'Works' if works else 'Will be declined from now on'}</p>"
        + button(f"{at}/card", "Let it fail from now on" if works else "Replace it with one that works")
    )
    charges = [one for one in world.tables["charges"].values() if one["customer"] == customer["id"]]
    rows = [[day(one["created"]), money(one["amount"]), _fate(one)] for one in reversed(charges)]
    parts.append("<h2>Payments</h2>" + html.table(["When", "Amount", ""], rows))
    return _page(html.page("Portal", *parts), portal["return_url"])


def _fate(charge: Object) -> str:
    return "refunded" if charge["refunded"] else "disputed" if charge["disputed"] else "paid"


def _confirmation(world: World, portal: Object, at: str) -> str:
    update = portal["flow"]["subscription_update_confirm"]
    wanted = price(update["items"][0]["price"])
    now = world.get("subscriptions", update["subscription"])["items"]["data"][0]["price"]
    when = (
        "at once; the difference is charged now"
        if wanted["unit_amount"] >= now["unit_amount"]
        else "at the end of the period"
    )
    fields = {"subscription": update["subscription"], "price": wanted["id"]}
    return (
        f"<h2>Change from {escape(now['nickname'])} to {escape(wanted['nickname'])}</h2>"
        f"<p>{money(wanted['unit_amount'])} a month, {when}.</p>"
        + button(f"{at}/change", "Confirm", main=True, **fields)
    )


def _choices(subscription: Object, at: str) -> str:
    ident = {"subscription": subscription["id"]}
    if subscription["status"] == "canceled":
        return ""
    found = ""
    if subscription["status"] == "past_due":
        found += button(f"{at}/pay", "Pay the open invoice", main=True, **ident)
    if subscription["cancel_at_period_end"]:
        return found + button(f"{at}/resume", "Do not cancel", **ident)
    found += button(f"{at}/cancel", "Cancel at the end of the period", **ident)
    now = subscription["items"]["data"][0]["price"]["id"]
    for other, (name, _, monthly) in seed.PRICES.items():
        if monthly and other != now:
            found += button(f"{at}/change", f"Change to {name}", **ident, price=other)
    return found


async def _act(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    portal = world.get("portals", request.match_info["id"])
    customer = world.customer(portal["customer"])
    form = await request.post()
    action = request.match_info["action"]
    if action == "card":
        customer["_card_works"] = not customer["_card_works"]
        return _go(f"/p/session/{portal['id']}")
    ident = str(form.get("subscription", ""))
    if world.get("subscriptions", ident)["customer"] != customer["id"]:
        raise StripeError(404, "This subscription is somebody else's.")
    if action == "change":
        world.change_price(ident, str(form.get("price", "")))
    elif action == "pay":
        world.pay_overdue(ident)
    elif action in ("cancel", "resume"):
        world.cancel_later(ident, wanted=action == "cancel")
    else:
        raise StripeError(404, "There is no such button.")
    if portal["flow"] is not None and action == "change":
        portal["flow"] = None
        return _go(portal["return_url"] or "/")
    return _go(f"/p/session/{portal['id']}")


# --- everything


async def _home(request: web.Request) -> web.StreamResponse:
    world = request.app[WORLD]
    tables = world.tables
    turns = "".join(
        button("/_stripe/advance", f"+ {name}", seconds=str(span)) for name, span in SPANS.items()
    )
    fault = button(
        "/_stripe/fault",
        "Answer again" if world.fault else "Answer every call with 500",
        status="" if world.fault else "500",
    )
    subscriptions = [
        [_email(world, one["customer"]), html.state(one), f"<code>{escape(one['id'])}</code>"]
        for one in reversed(tables["subscriptions"].values())
    ]
    charges = [
        [_email(world, one["customer"]), money(one["amount"]), _fate(one), _undo(world, one)]
        for one in reversed(tables["charges"].values())
    ]
    customers = [
        [
            escape(one.get("name") or "deleted"),
            escape(one.get("email") or ""),
            "" if one.get("deleted") else button(f"/_stripe/customers/{one['id']}/delete", "Delete"),
        ]
        for one in reversed(tables["customers"].values())
    ]
    events = [
        [
            day(one["created"]),
            escape(one["type"]),
            "waits" if one["pending_webhooks"] else "delivered",
            button(f"/_stripe/events/{one['id']}/resend", "Send again"),
        ]
        for one in list(reversed(tables["events"].values()))[:100]
    ]
    return _page(
        html.page(
            "Overview",
            f"<h1>Stand-in for Stripe</h1><p>Its clock says {day(world.now())}. Move it forward and "
            f"what falls due on the way happens: renewals, cancellations, failed cards.</p>{turns}{fault}",
            "<h2>Subscriptions</h2>" + html.table(["Customer", "State", "Id"], subscriptions),
            "<h2>Payments</h2>" + html.table(["Customer", "Amount", "State", ""], charges),
            "<h2>Customers</h2>" + html.table(["Name", "Mail", ""], customers),
            f"<h2>Events, to {escape(world.webhook_url or 'nobody')}</h2>"
            + html.table(["When", "Type", "State", ""], events),
        )
    )


def _email(world: World, customer: str) -> str:
    return escape(world.tables["customers"][customer].get("email") or customer)


def _undo(world: World, charge: Object) -> str:
    for one in world.tables["disputes"].values():
        if one["charge"] == charge["id"]:
            if one["status"] != "needs_response":
                return f"dispute {escape(one['status'])}"
            at = f"/_stripe/disputes/{one['id']}"
            return button(f"{at}/won", "Dispute won") + button(f"{at}/lost", "Dispute lost")
    if charge["refunded"]:
        return ""
    at = f"/_stripe/charges/{charge['id']}"
    return button(f"{at}/refund", "Refund") + button(f"{at}/dispute", "Dispute")


async def _control(request: web.Request) -> web.StreamResponse:
    world, ident = request.app[WORLD], request.match_info.get("id", "")
    form = await request.post()
    match request.match_info["what"], request.match_info.get("action", ""):
        case "advance", "":
            clock.advance(world, float(str(form.get("seconds", "0"))))
        case "fault", "":
            status = str(form.get("status", ""))
            world.fault = int(status) if status else None
        case "customers", "delete":
            world.delete_customer(ident)
        case "charges", "refund":
            world.refund(ident)
        case "charges", "dispute":
            world.dispute(ident)
        case "disputes", ("won" | "lost") as how:
            world.close_dispute(ident, how)
        case "events", "resend":
            world.on_event(world.get("events", ident))
        case _:
            raise StripeError(404, "There is no such button.")
    return _go("/")


async def _css(_request: web.Request) -> web.StreamResponse:
    return web.Response(text=_CSS.read_text(), content_type="text/css")


def add_routes(app: web.Application) -> None:
    """Put the pages into an application."""
    for method, path, handler in (
        ("GET", "/", _home),
        ("GET", "/_stripe/page.css", _css),
        ("GET", "/c/pay/{id}", _checkout),
        ("POST", "/c/pay/{id}/pay", _pay),
        ("POST", "/c/pay/{id}/decline", _decline),
        ("GET", "/p/session/{id}", _portal),
        ("POST", "/p/session/{id}/{action}", _act),
        ("POST", "/_stripe/{what}", _control),
        ("POST", "/_stripe/{what}/{id}/{action}", _control),
    ):
        app.router.add_route(method, path, guarded(handler))
