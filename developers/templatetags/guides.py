"""The list of guides that stands beside every page of the documentation."""

from __future__ import annotations

from django import template
from django.conf import settings

register = template.Library()


@register.simple_tag
def shelves() -> list[object]:
    """Return the shelves in reading order."""
    from developers.guide import library  # a circle otherwise: its views draw this tag's template

    return list(library(settings.PUBLIC_URL, settings.MAX_BULK_MESSAGES).shelves)
