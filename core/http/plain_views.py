"""Plain Django views in the APIs' envelopes: pages that are only read, and what answers unknown addresses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt

from core.errors import Refusal
from core.http import v1
from core.http.classic import STATUS, error_body


def only_read(page: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Let a page be read and nothing else, and say so in the API's envelope."""

    @csrf_exempt
    @wraps(page)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method not in ("GET", "HEAD"):
            response = _refuse(request, Refusal("method_not_allowed", "This method is not allowed here."))
            response["Allow"] = "GET, HEAD"
            return response
        return page(request, *args, **kwargs)

    return answer


#: documents are written one at a time: their generator's settings belong to the whole process
_writing = threading.Lock()


def written_once(document: Callable[..., Any]) -> Callable[[HttpRequest], HttpResponse]:
    """Give everybody the document that the first one is given; nothing in a request changes it.

    Writing it costs more than anything else that a stranger may ask for, and its generator would take
    a language from the query and keep the catalogue of each one that is invented.
    """
    kept: list[HttpResponse] = []

    @wraps(document)
    def answer(request: HttpRequest) -> HttpResponse:
        with _writing:
            if not kept:
                kept.append(_written(document))
        return HttpResponse(
            kept[0].content,
            content_type=kept[0]["Content-Type"],
            headers={"Content-Disposition": kept[0]["Content-Disposition"]},
        )

    return answer


def _written(document: Callable[..., Any]) -> HttpResponse:
    asked = HttpRequest()
    asked.method, asked.META = "GET", {"SERVER_NAME": "localhost", "SERVER_PORT": "80"}
    with translation.override(settings.LANGUAGE_CODE):
        answer: HttpResponse = document(asked).render()
    return answer


def markdown(text: str) -> HttpResponse:
    """Answer with Markdown, as the twin of a page does."""
    return HttpResponse(text.strip() + "\n", content_type="text/markdown; charset=utf-8")


@csrf_exempt
def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer an unknown path in the envelope of the API that it belongs to."""
    return _refuse(request, Refusal("not_found", "This address does not exist. See /docs."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer a crash outside of the API views; nothing of it is told."""
    return _refuse(
        request, Refusal("internal_error", "Something went wrong on our side. Try again in a moment.")
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer what Django itself refuses (a wrong Host header, a body too large for it)."""
    return _refuse(request, Refusal("invalid_request", "The request could not be read."))


def _refuse(request: HttpRequest, refusal: Refusal) -> HttpResponse:
    if request.path == v1.ROOT or request.path.startswith(f"{v1.ROOT}/"):
        body, status, headers = v1.refused(refusal)
        return JsonResponse(body, status=status, headers=headers)
    return JsonResponse(error_body(refusal), status=STATUS[refusal.code])
