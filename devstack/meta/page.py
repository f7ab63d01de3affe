"""The page on which a person plays the customer: three files, served with a strict content policy."""

from pathlib import Path

from aiohttp import web

from .routes.control import Handler, guarded

_FOLDER = Path(__file__).parent
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_FILES = {
    "/": ("page.html", "text/html"),
    "/_sandbox/page.js": ("page.js", "text/javascript"),
    "/_sandbox/page.css": ("page.css", "text/css"),
    "/_sandbox/icon.svg": ("icon.svg", "image/svg+xml"),
}


def _serving(name: str, content_type: str) -> Handler:
    text = (_FOLDER / name).read_text(encoding="utf-8")

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, charset="utf-8", headers=_HEADERS)

    return guarded(serve)


def add_routes(app: web.Application) -> None:
    """Put the page into an application."""
    for path, (name, content_type) in _FILES.items():
        app.router.add_get(path, _serving(name, content_type))
