"""The product's addresses and three views that crash, for the tests that look at what a crash tells."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from config import urls
from core.http.classic import ClassicView, ok

#: must not be seen outside; shaped like nothing that a log would mask
CANARY = "canary-in-the-exception"


class CrashingAPI(ClassicView):
    """An API view with a bug."""

    authentication_classes = []
    permission_classes = []

    def get(self, request: Request) -> Response:
        raise RuntimeError(CANARY)


class UnwritableAPI(ClassicView):
    """An API view whose answer cannot be written as JSON."""

    authentication_classes = []
    permission_classes = []

    def get(self, request: Request) -> Response:
        return ok({CANARY: object()})


def crashing_page(request: HttpRequest) -> HttpResponse:
    """A plain page with a bug."""
    raise RuntimeError(CANARY)


urlpatterns = [
    path("crash/api", CrashingAPI.as_view()),
    path("crash/unwritable", UnwritableAPI.as_view()),
    path("crash/page", crashing_page),
    *urls.urlpatterns,
]
handler400 = urls.handler400
handler404 = urls.handler404
handler500 = urls.handler500
