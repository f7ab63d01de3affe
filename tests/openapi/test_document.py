"""The document as a reader finds it: complete, named, with examples and every way of saying no."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.translation import trans_real

from core.http.base import DialectView
from tests.support.v1 import MESSAGES, TEMPLATES

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def document(client: Any) -> dict[str, Any]:
    """The document as it is served."""
    return client.get("/openapi.json").json()


@pytest.fixture
def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every operation by its method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def _routes(patterns: list[URLPattern | URLResolver], before: str = "/") -> Iterator[tuple[str, Any]]:
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from _routes(one.url_patterns, route)
        else:
            yield route.replace("<str:", "{").replace(">", "}"), getattr(one.callback, "cls", None)


def _served() -> set[str]:
    return {
        f"{method.upper()} {route}"
        for route, view in _routes(get_resolver().url_patterns)
        if view is not None and issubclass(view, DialectView)
        for method in METHODS
        if hasattr(view, method)
    }


def test_every_route_of_the_dialects_is_documented_and_nothing_else(operations):
    assert len(_served()) > 25
    assert set(operations) == _served()


def test_the_v1_document_is_the_v1_part_of_the_whole(client, document, operations):
    """Its own title and version; its operations and shapes are those of the combined document."""
    own = client.get("/v1/openapi.json").json()
    assert own["openapi"].startswith("3.1")
    assert own["info"]["version"] == "1.0.0"
    assert own["info"]["title"] != document["info"]["title"]
    listed = {f"{method.upper()} {path}" for path, item in own["paths"].items() for method in item}
    assert listed == {label for label in _served() if " /v1/" in label}
    for path, item in own["paths"].items():
        assert item == document["paths"][path]
    for name, schema in own["components"]["schemas"].items():
        assert schema == document["components"]["schemas"][name]
    assert client.post("/v1/openapi.json").status_code == 405


@pytest.mark.parametrize("path", ["/openapi.json", "/v1/openapi.json"])
def test_a_document_is_written_once_and_nothing_that_a_stranger_asks_for_changes_it(path, client):
    """Each invented language would leave its catalogue in memory, each request cost a tenth of a second."""
    first, catalogues = client.get(path).content, len(trans_real._translations)
    began = time.process_time()
    for number in range(10):
        query = {"lang": f"xx-{number}", "version": "9", "format": "yaml"}
        assert client.get(path, query, HTTP_ACCEPT_LANGUAGE="ar").content == first
    assert time.process_time() - began < 0.3
    assert len(trans_real._translations) == catalogues


@pytest.mark.parametrize("path", [MESSAGES, TEMPLATES])
def test_sending_under_v1_has_examples_that_the_service_takes(path, operations, org):
    examples = operations[f"POST {path}"]["requestBody"]["content"]["application/json"]["examples"]
    assert examples
    for example in examples.values():
        body = example["value"] | {"agent_id": str(org.agent.pk)}
        answer = org.api().post_json(path, body)
        assert answer.status_code == 202, answer.content


def test_every_operation_is_named_summarised_filed_and_described(operations):
    names = [operation["operationId"] for operation in operations.values()]
    assert len(set(names)) == len(names)
    for label, operation in operations.items():
        assert operation["summary"], label
        assert operation["description"], label
        assert operation["tags"], label


@pytest.mark.parametrize("label", ["POST /send-message", "POST /messages/bulk"])
def test_sending_has_examples_that_the_service_takes(label, operations, pro, key, client):
    examples = operations[label]["requestBody"]["content"]["application/json"]["examples"]
    assert examples
    for example in examples.values():
        body = example["value"]
        for one in body.get("messages", [body]):
            one["dry_run"] = True
        path = label.split()[1]
        answer = client.post(path, body, content_type="application/json", HTTP_AUTHORIZATION=f"Bearer {key}")
        assert answer.status_code == 202, answer.content


def test_every_operation_documents_its_refusals_in_the_one_envelope(operations):
    for label, operation in operations.items():
        refusals = {status for status in operation["responses"] if status >= "4"}
        v1 = " /v1/" in label
        expected = {"406", "429", "500", "503"} | (set() if v1 else {"400"})
        if operation.get("security") not in (None, [], [{}]):
            expected |= {"401", "403"}
        if "requestBody" in operation:
            expected |= {"413", "415"} | ({"422"} if v1 else set())
        if "{" in label:
            expected.add("404")
        assert expected <= refusals, label
        for status in refusals:
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            name = "ErrorEnvelopeV1" if v1 else "ErrorEnvelope"
            assert schema == {"$ref": f"#/components/schemas/{name}"}, (label, status)


def test_every_operation_but_registering_asks_for_a_key(operations):
    keyless = {label for label, one in operations.items() if one.get("security") != [{"apiKey": []}]}
    assert keyless == {"POST /auth/register"}


def test_what_sends_takes_an_idempotency_key(operations):
    takers = {
        label
        for label, one in operations.items()
        if any(parameter["name"] == "Idempotency-Key" for parameter in one.get("parameters", []))
    }
    assert takers == {
        "POST /send-message",
        "POST /messages/bulk",
        "POST /messages/{message_id}/retry",
        "POST /auth/me/test-message",
        "POST /v1/whatsapp/messages",
        "POST /v1/whatsapp/templates",
        "POST /v1/whatsapp/templates/manage",
    }


def test_the_generator_has_nothing_to_complain_of(capsys):
    from drf_spectacular.generators import SchemaGenerator

    SchemaGenerator().get_schema(request=None, public=True)
    assert "Warning" not in capsys.readouterr().err
