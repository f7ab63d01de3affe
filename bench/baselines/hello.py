"""The hello ceiling: an empty Django view, no middleware, no database; for the product's gunicorn command."""

from __future__ import annotations

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY="only-for-the-benchmark", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[]
)


def hello(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer at once."""
    return HttpResponse(b"hello", headers={"Content-Length": "5"})


urlpatterns = [path("", hello), path("<path:rest>", hello)]
application = get_wsgi_application()
