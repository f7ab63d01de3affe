"""Pages about errors, for developers and their machines: the list, a page and a Markdown twin for each."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from core.http.error_catalogue import API_ERRORS
from core.http.plain_views import markdown as markdown_response
from core.http.plain_views import not_found, only_read
from messaging.meta.codes import known
from messaging.reports.meanings import ACTS, OURS, meanings


def _answer(request: HttpRequest, name: str, context: dict[str, Any], *, markdown: bool) -> HttpResponse:
    """Draw a page, or its Markdown twin."""
    if not markdown:
        twin = request.path + ".md"
        return render(request, f"developers/{name}.html", context | {"twin": twin})
    return markdown_response(render_to_string(f"developers/{name}.md", context))


@only_read
def errors(request: HttpRequest, *, markdown: bool = False) -> HttpResponse:
    """List every refusal of our APIs and every failure that a message can end with."""
    codes = sorted(known(), key=lambda meta: meta.code)
    rows = [(meta.code, meta.slug, meta.title, ACTS[meta.outcome][0]) for meta in codes]
    context = {"rows": rows, "ours": OURS.values(), "refusals": API_ERRORS.values()}
    return _answer(request, "errors", context, markdown=markdown)


@only_read
def error(request: HttpRequest, code: str) -> HttpResponse:
    """Explain one error code, in Markdown when the address ends with ``.md``."""
    markdown, code = code.endswith(".md"), code.removesuffix(".md")
    found = meanings(code)
    if not found:
        return not_found(request)
    return _answer(request, "error", {"code": code, "meanings": found}, markdown=markdown)
