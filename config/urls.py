"""Addresses of the whole service: every app's in one flat list."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from accounts.dashboard import sign_in
from config.ops import health
from core.http import openapi_v1, plain_views
from developers import errors as error_pages
from developers import events, explorer, pages
from developers import guide as developers_guide

_DOCUMENT = plain_views.written_once(SpectacularJSONAPIView.as_view())
_V1_DOCUMENT = plain_views.written_once(openapi_v1.V1Document.as_view())

urlpatterns: list[URLPattern | URLResolver] = [
    # First what is asked for most: addresses are tried one after the other.
    path("", include("messaging.urls")),
    path("", include("webhooks.urls")),
    path("", include("accounts.urls")),
    path("", include("billing.urls")),
    path("", pages.home),
    path("index.md", pages.home_markdown),
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("openapi.json", plain_views.only_read(_DOCUMENT), name="openapi"),
    path("v1/openapi.json", plain_views.only_read(_V1_DOCUMENT)),
    path("docs", explorer.explorer, name="docs"),
    path("docs.md", explorer.explorer_markdown),
    path("developers", developers_guide.developers),
    path("developers.md", developers_guide.developers_markdown),
    path("developers/events", events.events),
    path("developers/events.md", events.events_markdown),
    path("developers/events.json", events.events_json),
    path("developers/events/vectors.json", events.vectors),
    path("developers/events/<str:name>.json", events.event_schema),
    path("developers/errors", error_pages.errors),
    path("developers/errors.md", error_pages.errors, {"markdown": True}),
    path("developers/errors/<str:code>", error_pages.error),
    path("developers/<str:slug>", developers_guide.guide),
    path("changelog", developers_guide.changelog),
    path("changelog.md", developers_guide.changelog_markdown),
    path("llms.txt", developers_guide.llms),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    re_path(r"^app(?:/.*)?$", sign_in.NotFound.as_view()),
    # Last: the API's own envelope for every other address.
    re_path(r"", plain_views.not_found),
]

handler400 = "core.http.plain_views.bad_request"
handler404 = "core.http.plain_views.not_found"
handler500 = "core.http.plain_views.server_error"
