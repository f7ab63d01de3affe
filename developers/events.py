"""Pages about events for developers: Markdown, schemas, receivers to copy, test vectors."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from core.http.plain_views import markdown, not_found, only_read
from developers.markdown import Section, page_of
from developers.samples import expand
from webhooks.outgoing.catalogue import CATALOGUE, TYPES, EventType, Schema

_KINDS = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}


def _written(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _rows(schema: Schema) -> list[tuple[str, str, str]]:
    """List the members of ``data``: name, type in words, meaning."""
    return [(name, _kind(inner), _about(inner)) for name, inner in schema["properties"].items()]


def _kind(schema: Schema) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    kinds = [kind for one in schema.get("anyOf", [schema]) for kind in _kinds(one)]
    words = [_KINDS.get(kind, kind) for kind in kinds]
    if schema.get("format") == "date-time":
        words[0] = "time"
    elif schema.get("format") == "uuid":
        words[0] = "id"
    return " or ".join(words)


def _kinds(schema: Schema) -> list[str]:
    return schema["type"] if isinstance(schema["type"], list) else [schema["type"]]


def _about(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema["enum"] if word is not None)
    if "properties" in schema:
        return f"{schema.get('description', '')} {', '.join(f'`{name}`' for name in schema['properties'])}"
    return str(schema.get("description", ""))


def _receiver(name: str) -> str:
    return render_to_string(f"developers/receivers/{name}.txt").rstrip("\n")


@lru_cache(maxsize=1)
def in_short() -> dict[str, Any]:
    """Return what fits into a page about everything: the members of each type in a line, and two examples."""
    types = [
        {"name": one.name, "when": one.when, "members": "; ".join(_member(*row) for row in _rows(one.data))}
        for one in TYPES
    ]
    shown = ("message.status_updated", "message.received")
    examples = [json.dumps(CATALOGUE[name].body(), ensure_ascii=False) for name in shown]
    return {"types": types, "examples": examples, "verify": _receiver("verify.py")}


def _member(name: str, kind: str, about: str) -> str:
    about = about.strip().rstrip(".")
    return f"{name}: {kind} ({about})" if about else f"{name}: {kind}"


@lru_cache(maxsize=8)
def _markdown(public_url: str) -> str:
    types = [
        {"name": one.name, "when": one.when, "rows": _rows(one.data), "example": _written(one.body())}
        for one in TYPES
    ]
    text = render_to_string(
        "developers/events.md",
        {
            "public_url": public_url,
            "body": _written(TYPES[0].body()),
            "types": types,
            "python": _receiver("receiver.py"),
            "javascript": _receiver("receiver.js"),
            "shell": _receiver("send.sh"),
        },
    )
    return expand(text, public_url)


@lru_cache(maxsize=8)
def _page(public_url: str) -> list[Section]:
    return page_of(_markdown(public_url))


@only_read
def events(request: HttpRequest) -> HttpResponse:
    """Show every type of event, and how to receive one."""
    context = {"sections": _page(settings.PUBLIC_URL), "twin": "/developers/events.md"}
    return render(request, "developers/events.html", context)


@only_read
def events_markdown(request: HttpRequest) -> HttpResponse:
    """Give the page as Markdown."""
    return markdown(_markdown(settings.PUBLIC_URL))


@only_read
def events_json(request: HttpRequest) -> HttpResponse:
    """Give every type with its schema and an example."""
    found = [
        {
            "event": one.name,
            "when": one.when,
            "schema": one.schema(settings.PUBLIC_URL),
            "example": one.body(),
        }
        for one in TYPES
    ]
    return JsonResponse({"events": found})


@only_read
def event_schema(request: HttpRequest, name: str) -> HttpResponse:
    """Give the JSON Schema of one type."""
    one = CATALOGUE.get(name)
    if one is None:
        return not_found(request)
    return JsonResponse(one.schema(settings.PUBLIC_URL), content_type="application/schema+json")


@only_read
def vectors(request: HttpRequest) -> HttpResponse:
    """Give signatures with known secrets, for whoever writes a verifier."""
    return HttpResponse(render_to_string("developers/vectors.json"), content_type="application/json")


def in_openapi(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Name every event in the OpenAPI document that has ``GET /events`` (a hook of drf-spectacular)."""
    if "/events" in result["paths"]:
        result["webhooks"] = {one.name: {"post": _as_webhook(one)} for one in TYPES}
    return result


def _as_webhook(one: EventType) -> dict[str, Any]:
    schema = {name: value for name, value in one.schema().items() if not name.startswith("$")}
    return {
        "operationId": "on" + "".join(word.capitalize() for word in re.split(r"[._]", one.name)),
        "summary": one.when,
        # Under a tag of their own: openapi-generator writes a file for each tag, and that of the events would
        # take the place of that of the operations.
        "tags": ["Events"],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "schema": {"type": "string"},
                "description": about,
            }
            for name, about in (
                ("webhook-id", "The event's id; the same on every attempt."),
                ("webhook-timestamp", "When this attempt was signed, in Unix seconds."),
                ("webhook-signature", "`v1,` and base64 of HMAC-SHA256; several are parted by spaces."),
            )
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema, "example": one.body()}},
        },
        "responses": {
            "2XX": {"description": "Received. Anything else, or nothing in 10 seconds: it comes again."}
        },
    }
