"""Template tags that show a message: its status in people's words, its text in one line, its JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from core.ui.templatetags.ui import STATUS
from messaging.models import Message
from messaging.status import words

register = template.Library()


register.filter("shown", words.shown)


@register.filter
def status_word(status: str) -> str:
    """Return the word of a status alone, for places where a badge cannot stand."""
    return str(STATUS[status][0]) if status in STATUS else status


@register.filter
def gist(message: Message | None) -> str:
    """Return what a message says in one line: its text, its template's name, or what kind it is."""
    if message is None:
        return ""
    if message.body:
        return message.body
    content = message.content if isinstance(message.content, dict) else {}
    named = content.get("template")
    if isinstance(named, dict) and isinstance(named.get("name"), str):
        return named["name"]
    return _("[%(kind)s]") % {"kind": message.type}


@register.filter
def template_name(message: Message) -> str:
    """Return the name of a message's template; empty for other kinds."""
    named = message.content.get("template") if isinstance(message.content, dict) else None
    return str(named.get("name", "")) if isinstance(named, dict) else ""


@register.filter
def pretty(value: Any) -> str:
    """Write a value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


@register.filter
def pretty_text(text: str) -> str:
    """Write a text of JSON indented; as it is when it is none."""
    try:
        return pretty(json.loads(text))
    except ValueError:
        return text


@register.filter
def percent(part: float) -> str:
    """Write a share (0 to 1) as a percentage."""
    return f"{part * 100:.1f} %".replace(".0 %", " %")


@register.filter
def took(seconds: float) -> str:
    """Write a duration as people say it: ``45 s``, ``12 min``, ``3 h 20 min``."""
    whole = max(1, round(seconds))
    if whole < 120:
        return _("%(count)s s") % {"count": whole}
    minutes = round(whole / 60)
    if minutes < 120:
        return _("%(count)s min") % {"count": minutes}
    return _("%(hours)s h %(minutes)s min") % {"hours": minutes // 60, "minutes": minutes % 60}


_GAP = re.compile(r"\{\{[ \t]*[A-Za-z0-9_]{1,64}[ \t]*\}\}")


@register.filter
def gaps(text: str) -> SafeString:
    """Show a text with its unfilled placeholders marked, everything else as it is."""
    last = 0
    marked = SafeString("")
    for found in _GAP.finditer(text):
        marked += format_html('{}<mark class="gap">{}</mark>', text[last : found.start()], found[0])
        last = found.end()
    return marked + escape(text[last:])


@register.filter
def wordlist(text: str) -> list[str]:
    """Split a template's literal into words."""
    return text.split()
