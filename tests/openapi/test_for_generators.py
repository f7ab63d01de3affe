"""What generators of clients stumble over, as rules that both documents keep.

openapi-generator's python target needs Java, so it is not run here. It stopped, or wrote a package that could
not be imported, at a document that broke one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

DOCUMENTS = ("/openapi.json", "/v1/openapi.json")
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(params=DOCUMENTS)
def document(request: pytest.FixtureRequest, client: Any) -> dict[str, Any]:
    """Either document as it is served."""
    return client.get(request.param).json()


def schemas(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Find every schema in a document, by its place; examples are none."""
    if isinstance(node, list):
        for index, inner in enumerate(node):
            yield from schemas(inner, f"{path}/{index}")
    elif isinstance(node, dict):
        if isinstance(node.get("type"), str | list) and not path.endswith("/properties"):
            yield path, node
        for name, inner in node.items():
            if name not in ("example", "examples", "enum", "default"):
                yield from schemas(inner, f"{path}/{name}")


def _faults(schema: dict[str, Any]) -> Iterator[str]:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if len([kind for kind in kinds if kind != "null"]) > 1:
        yield "is of two types: say anyOf"
    if "array" in kinds and not schema.get("items"):
        yield "is an array and does not say of what"
    if "object" in kinds and not schema.keys() & {"properties", "additionalProperties"}:
        yield "is an object and does not say what it may hold"


def test_every_array_says_of_what_it_is_and_every_object_what_it_holds(document):
    found = list(schemas(document))
    assert len(found) > 100
    assert [f"{path} {fault}" for path, schema in found for fault in _faults(schema)] == []


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array"},
        {"type": "array", "items": {}},
        {"type": ["array", "null"]},
        {"type": ["object", "array", "null"]},
        {"type": ["string", "integer"]},
        {"type": "object"},
        {"type": ["object", "null"]},
    ],
)
def test_the_rules_tell_what_stopped_a_generator(schema):
    around = {"anyOf": [{"type": "string"}, {"properties": {"type": schema}}]}
    assert [path for path, one in schemas(around) if any(_faults(one))] == ["/anyOf/1/properties/type"]


def test_the_first_server_is_absolute(document):
    """A client that is told no address calls this one; Postman makes a variable of it."""
    assert document["servers"][0]["url"] == settings.PUBLIC_URL
    assert [one["url"] for one in document["servers"][1:]] == ["/"]


def test_events_and_operations_share_no_tag_and_no_name(document):
    """Each tag becomes a file, each operationId a function; the second of a name replaces the first."""
    operations = [
        operation
        for part in ("paths", "webhooks")
        for item in document.get(part, {}).values()
        for method, operation in item.items()
        if method in METHODS
    ]
    names = [operation["operationId"].lower() for operation in operations]
    assert len(set(names)) == len(names)
    events = [one["post"] for one in document.get("webhooks", {}).values()]
    mine = {tag for one in events for tag in one["tags"]}
    assert not mine & {tag for one in operations if one not in events for tag in one["tags"]}
