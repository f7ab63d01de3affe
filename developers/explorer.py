"""``/docs``: the API explorer in the site's frame, and its Markdown twin, a list of every operation."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularSwaggerSplitView

from core.http.plain_views import markdown, only_read

explorer = only_read(
    SpectacularSwaggerSplitView.as_view(url_name="openapi", template_name="developers/explorer.html")
)


@lru_cache(maxsize=8)
def _operations(public_url: str) -> str:
    """Draw the list once for a server's address; the operations are part of the program."""
    groups: dict[str, list[dict[str, str]]] = {}
    for path, methods in SchemaGenerator().get_schema(request=None, public=True)["paths"].items():
        for method, operation in methods.items():
            about = {"method": method.upper(), "path": path, "summary": _sentence(operation)}
            groups.setdefault((operation.get("tags") or ["Other"])[0], []).append(about)
    return render_to_string("developers/operations.md", {"groups": groups, "public_url": public_url})


def _sentence(operation: dict[str, str]) -> str:
    """Return what an operation does, in one line of a table."""
    text = operation.get("summary") or operation.get("description", "").partition("\n")[0]
    return text.replace("|", "\\|")


@only_read
def explorer_markdown(request: HttpRequest) -> HttpResponse:
    """Give the list as Markdown."""
    return markdown(_operations(settings.PUBLIC_URL))
