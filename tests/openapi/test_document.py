"""The document as a reader finds it: complete, named, with examples and every way of saying no."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from config.dialects.whatsapi import WhatsAPIView

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


def test_every_route_of_the_dialect_is_documented_and_nothing_else(operations):
    served = {
        f"{method.upper()} {route}"
        for route, view in _routes(get_resolver().url_patterns)
        if view is not None and issubclass(view, WhatsAPIView)
        for method in METHODS
        if hasattr(view, method)
    }
    assert len(served) > 20
    assert set(operations) == served


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
        expected = {"400", "406", "429", "500", "503"}
        if operation.get("security") not in (None, [], [{}]):
            expected |= {"401", "403"}
        if "requestBody" in operation:
            expected |= {"413", "415"}
        if "{" in label:
            expected.add("404")
        assert expected <= refusals, label
        for status in refusals:
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}, (label, status)


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
    }


def test_the_generator_has_nothing_to_complain_of(capsys):
    from drf_spectacular.generators import SchemaGenerator

    SchemaGenerator().get_schema(request=None, public=True)
    assert "Warning" not in capsys.readouterr().err
