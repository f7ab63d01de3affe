"""The front door: every room's addresses in one flat list."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView

from accounts import dashboard
from config import developers, developers_guide, events, explorer, openapi_v1, pages

urlpatterns: list[URLPattern | URLResolver] = [
    # First what is asked for most: addresses are tried one after the other.
    path("", include("webhooks.urls")),
    path("", include("messaging.urls")),
    path("", include("accounts.urls")),
    path("", include("billing.urls")),
    path("", pages.home),
    path("index.md", pages.home_markdown),
    path("healthz", pages.healthz),
    path("readyz", pages.readyz),
    path("openapi.json", pages.only_read(SpectacularJSONAPIView.as_view()), name="openapi"),
    path("v1/openapi.json", pages.only_read(openapi_v1.V1Document.as_view())),
    path("docs", explorer.explorer, name="docs"),
    path("docs.md", explorer.explorer_markdown),
    path("developers", developers_guide.developers),
    path("developers.md", developers_guide.developers_markdown),
    path("developers/events", events.events),
    path("developers/events.md", events.events_markdown),
    path("developers/events.json", events.events_json),
    path("developers/events/vectors.json", events.vectors),
    path("developers/events/<str:name>.json", events.event_schema),
    path("developers/errors", developers.errors),
    path("developers/errors.md", developers.errors, {"markdown": True}),
    path("developers/errors/<str:code>", developers.error),
    path("developers/<str:slug>", developers_guide.guide),
    path("changelog", developers_guide.changelog),
    path("changelog.md", developers_guide.changelog_markdown),
    path("llms.txt", developers_guide.llms),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    re_path(r"^app(?:/.*)?$", dashboard.NotFound.as_view()),
    # Last: the API's own envelope for every other address.
    re_path(r"", pages.not_found),
]

handler400 = "config.pages.bad_request"
handler404 = "config.pages.not_found"
handler500 = "config.pages.server_error"
