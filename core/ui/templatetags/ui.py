"""The small parts that every page is made of: icons, badges, moments, things to copy."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.ui.refusal_texts import translated

register = template.Library()
#: ``{{ refusal.message|translated }}``: what a core said, in the reader's language
register.filter("translated", translated)

#: statuses of messages, deliveries, numbers and keys: what a person reads, and the tone of the badge
STATUS = {
    "scheduled": (gettext_lazy("Scheduled"), "info"),
    "queued": (gettext_lazy("Queued"), "info"),
    "processing": (gettext_lazy("Sending"), "info"),
    "submitting": (gettext_lazy("Sending"), "info"),
    "unknown": (gettext_lazy("Waiting for WhatsApp’s report"), "warn"),
    "retrying": (gettext_lazy("Trying again"), "warn"),
    "sent": (gettext_lazy("Sent"), "good"),
    "delivered": (gettext_lazy("Delivered"), "good"),
    "read": (gettext_lazy("Read"), "good"),
    "received": (gettext_lazy("Received"), "good"),
    "failed": (gettext_lazy("Failed"), "bad"),
    "canceled": (gettext_lazy("Canceled"), ""),
    "unverified": (gettext_lazy("Not verified"), "warn"),
    "active": (gettext_lazy("Active"), "good"),
    "held": (gettext_lazy("Held"), "bad"),
    "removed": (gettext_lazy("Removed"), ""),
    "revoked": (gettext_lazy("Revoked"), ""),
    "expired": (gettext_lazy("Expired"), ""),
    "pending": (gettext_lazy("Pending"), "info"),
    "approved": (gettext_lazy("Approved"), "good"),
    "rejected": (gettext_lazy("Rejected"), "bad"),
    "paused": (gettext_lazy("Paused"), "warn"),
    "disabled": (gettext_lazy("Disabled"), "bad"),
}


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """Draw an icon of ``static/icons.svg``; without a ``label`` it is decoration and not read aloud."""
    address = f"{static('icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, address
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', address)


@register.simple_tag
def status(value: str) -> SafeString:
    """Show a status as a badge: a word in the reader's language, never colour alone."""
    word, tone = STATUS.get(str(value).lower(), (str(value).replace("_", " ").capitalize(), ""))
    return format_html('<span class="badge dot {}">{}</span>', tone, word)


@register.simple_tag
def moment(at: datetime | None, empty: str = "–") -> SafeString:
    """Show a moment in the reader's time zone, with the exact time in UTC to the pointer and to machines."""
    if at is None:
        return format_html('<span class="soft">{}</span>', empty)
    local = timezone.localtime(at)
    day = date_format(local, "DATE_FORMAT")
    shown = _("today") if local.date() == timezone.localdate() else day
    return format_html(
        '<time datetime="{}" title="{}" class="nowrap">{} {}</time>',
        at.isoformat(),
        at.strftime("%Y-%m-%d %H:%M:%S %Z"),
        shown,
        local.strftime("%H:%M:%S"),
    )


@register.simple_tag
def copyable(text: Any, label: str = "") -> SafeString:
    """Show a text with a button that copies it."""
    return format_html(
        '<span class="copy"><code>{}</code><button type="button" data-copy="{}" data-done="{}">{}'
        '<span class="unseen"> {}</span></button></span>',
        text,
        text,
        _("Copied"),
        _("Copy"),
        label,
    )


@register.simple_tag
def chip(text: Any, label: str = "") -> SafeString:
    """Show an id that is copied by a click on it."""
    return format_html(
        '<button type="button" class="chip-copy" data-copy="{}" data-done="{}" title="{}">{}'
        '<span class="unseen"> {}</span></button>',
        text,
        _("Copied"),
        _("Click to copy"),
        text,
        label or _("copy"),
    )


@register.filter
def phone(digits: str | None) -> str:
    """Write a number as people do, with a plus; a dash when there is none."""
    return f"+{digits.lstrip('+')}" if digits else "–"


@register.inclusion_tag("ui/empty.html")
def empty(
    symbol: str, title: str, text: str, href: str = "", action: str = "", whole: bool = False
) -> dict[str, Any]:
    """Fill an empty list, or (``whole``) an empty page, with what belongs there and how to begin."""
    return {"symbol": symbol, "title": title, "text": text, "href": href, "action": action, "whole": whole}


@register.inclusion_tag("ui/notice.html")
def notice(tone: str, text: str) -> dict[str, str]:
    """Show one sentence in a coloured frame; ``tone``: good, warn, bad or info."""
    text = translated(str(text))
    symbols = {"good": "check", "warn": "warn", "bad": "cross"}
    return {"tone": tone, "text": text, "symbol": symbols.get(tone, "info")}
