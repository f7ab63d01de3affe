"""The template tag of the admin's first page."""

from __future__ import annotations

from django import template

from config.ops.service_status import Figure, figures

register = template.Library()


@register.simple_tag
def service_status() -> list[Figure]:
    """Return how the service stands."""
    return figures()
