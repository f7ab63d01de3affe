"""HTML of the stand-in's pages: put together with escaped values, no scripts. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from urllib.parse import urlsplit

from .wire import Object


def page(title: str, *sections: str) -> str:
    """Return a whole page; sections are HTML."""
    inner = "\n".join(f"<section>{one}</section>" for one in sections)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)} · stand-in for Stripe</title>"
        '<link rel="stylesheet" href="/_stripe/page.css"></head>'
        f'<body><main>{inner}<p class="soft">A stand-in for Stripe. No money moves; nothing leaves this '
        'machine. <a href="/">Everything it knows</a></p></main></body></html>'
    )


def button(action: str, label: str, *, main: bool = False, **fields: str) -> str:
    """Return a form with one button."""
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    look = ' class="main"' if main else ""
    return (
        f'<form method="post" action="{escape(action)}">{hidden}'
        f'<button type="submit"{look}>{escape(label)}</button></form>'
    )


def table(heads: list[str], rows: list[list[str]]) -> str:
    """Return a table; cells are HTML."""
    if not rows:
        return '<p class="soft">None yet.</p>'
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def money(cents: int) -> str:
    """Write an amount."""
    return f"€{cents / 100:,.2f}"


def day(seconds: int | None) -> str:
    """Write a moment."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else "–"


def state(subscription: Object) -> str:
    """Say in words how a subscription stands."""
    item = subscription["items"]["data"][0]
    said = f"{escape(item['price']['nickname'])}, {escape(subscription['status'].replace('_', ' '))}"
    if subscription["status"] == "canceled":
        return f"{said} {day(subscription['ended_at'])}"
    if subscription["cancel_at_period_end"]:
        return f"{said}, ends {day(subscription['cancel_at'])}"
    if subscription["_next_price"]:
        return f"{said}, becomes {escape(subscription['_next_price'])} {day(item['current_period_end'])}"
    return f"{said}, renews {day(item['current_period_end'])}"


def policy(*addresses: str | None) -> str:
    """Return the content policy of a page whose forms may lead to these addresses."""
    origins = {
        f"{parts.scheme}://{parts.netloc}" for one in addresses if one and (parts := urlsplit(one)).netloc
    }
    targets = " ".join(["'self'", *sorted(origins)])
    return (
        f"default-src 'none'; style-src 'self'; form-action {targets}; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
