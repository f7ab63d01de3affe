"""The floor plan holds: who imports whom, what each file promises first, how long a file may get."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("accounts", "billing", "webhooks", "messaging")
OURS = (*ROOMS, "config", "tests")
FACES = {"whatsapi", "mojeeb", "dashboard", "receivers", "tasks", "admin", "urls"}
#: a face that grew too long is cut into ``whatsapi_keys`` and the like
CUT_FACES = ("whatsapi_", "mojeeb_", "dashboard_")
LONGEST_FILE = 450

#: the rooms that the cores of a room may use
BELOW = {
    "accounts": set(),
    "billing": {"accounts"},
    "webhooks": {"accounts"},
    "messaging": {"accounts", "billing", "webhooks"},
}
#: what single modules of the foundation may know of the rooms; None: all of them
FOUNDATION_KNOWS: dict[str, set[str] | None] = {
    "config.urls": None,
    "config.pages": None,
    "config.developers": None,
    "config.developers_guide": None,
    "config.events": {"webhooks.catalogue"},
    "config.admin": None,
    "config.checks": {"accounts.vault"},
    # processes of their own
    "config.supervisor": {"messaging.sandbox.seed", "billing.sandbox.seed"},
    "config.demo": {"messaging.sandbox.seed"},
    "config.embedded": {"messaging.sandbox.seed"},
}
#: who may import what from outside; a name covers its submodules
RESERVED = {
    "aiohttp": {
        *("messaging.meta", "messaging.sandbox", "messaging.dispatch", "webhooks.egress"),
        "billing.sandbox",
    },
    "stripe": {"billing.stripe_api"},
    **dict.fromkeys(
        ("requests", "httpx", "urllib3", "http.client", "urllib.request"),
        # Those of the second line only ask our own server; the listener runs on a developer's machine.
        {"messaging.meta", "webhooks.egress", "billing.stripe_api"}
        | {"messaging.heartbeat", "config.supervisor", "config.demo", "webhooks.listening"},
    ),
}


def within(name: str, package: str) -> bool:
    """Tell whether ``name`` is the module ``package`` or inside it."""
    return name == package or name.startswith(package + ".")


def is_face(name: str) -> bool:
    """Tell whether a module translates for the outside world."""
    parts = name.split(".")
    if parts[0] not in ROOMS:
        return name == "config.urls" or within(name, "config.management")
    named = any(part in FACES or part.startswith(CUT_FACES) for part in parts[1:])
    return named or within(name, f"{parts[0]}.management")


def is_shared_by_faces(name: str) -> bool:
    """Tell whether a module holds what several faces of one dialect share (``shared_whatsapi``)."""
    return name.rpartition(".")[2].startswith("shared_")


def imports_of(name: str, source: str, modules: Mapping[str, str], *, is_package: bool = False) -> set[str]:
    """Return the full names of what a module imports, wherever in the file it does so.

    ``from a import b`` is ``a.b`` when that is a module, else ``a``.
    """
    found: set[str] = set()
    package = name.split(".") if is_package else name.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                known = whole in modules or base.partition(".")[0] not in OURS
                found.add(whole if known and whole in {*modules, *RESERVED} else base)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__") and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found.add(first.value)
    return found - {name}


def faults_in(modules: Mapping[str, str], packages: frozenset[str] = frozenset()) -> list[str]:
    """Check made-up or real ``modules`` (name → source); each fault is a sentence."""
    graph = {
        name: imports_of(name, source, modules, is_package=name in packages)
        for name, source in modules.items()
    }
    faults: list[str] = []
    for name, imported in sorted(graph.items()):
        for other in sorted(imported):
            faults += _forbidden(name, other)
    return faults + [f"These modules import each other in a circle: {circle}." for circle in _circles(graph)]


def _forbidden(name: str, other: str) -> Iterator[str]:
    room, other_room = name.partition(".")[0], other.partition(".")[0]
    inside = other_room in OURS
    for reserved, allowed in RESERVED.items():
        if within(other, reserved) and room != "tests" and not any(within(name, one) for one in allowed):
            yield f"{name} imports {other}; only {', '.join(sorted(allowed))} may."
    if room == "tests":
        return
    if other_room == "tests":
        yield f"{name} imports {other}: the product does not know its tests."
    for package, friends in (
        ("messaging.meta", ("messaging.meta", "config.secret")),
        ("messaging.sandbox", ("messaging.sandbox",)),
        ("billing.sandbox", ("billing.sandbox",)),
    ):
        if not within(name, package):
            continue
        if within(other, "django") or within(other, "rest_framework"):
            yield f"{name} imports {other}: {package} knows no Django."
        if inside and not any(within(other, friend) for friend in friends):
            yield f"{name} imports {other}: {package} imports nothing of ours but {', '.join(friends)}."
    if not inside:
        return
    if is_face(other) and not (name.endswith(".urls") or name == "config.urls"):
        yield f"{name} imports the face {other}: nobody does, except urls."
    if is_shared_by_faces(other) and not (is_face(name) or is_shared_by_faces(name)):
        yield f"{name} imports {other}: only faces do."
    if room == "config" and other_room in ROOMS and not within(name, "config.management"):
        known = FOUNDATION_KNOWS.get(name, set())
        if known is not None and other not in known:
            yield f"{name} imports {other}: the foundation knows no room."
    if room not in ROOMS or other_room not in ROOMS or is_face(name):
        return
    if other_room not in {room, *BELOW[room]}:
        allowed_rooms = ", ".join(sorted(BELOW[room])) or "no other room"
        yield f"{name} imports {other}: the cores of {room} may use {allowed_rooms}."


def _circles(graph: Mapping[str, set[str]]) -> list[str]:
    """Find each circle once (Tarjan's strongly connected components), written as ``a, b, c``."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[str] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in graph:
                continue
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            circle = [stack.pop()]
            while circle[-1] != name:
                circle.append(stack.pop())
            if len(circle) > 1:
                found.append(", ".join(sorted(circle)))

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def product_files() -> list[Path]:
    """Return the files that are shipped."""
    return [path for top in (*ROOMS, "config") for path in sorted((ROOT / top).rglob("*.py"))]


def product() -> tuple[dict[str, str], frozenset[str]]:
    """Return the shipped modules (name → source), and which of them are packages."""
    modules: dict[str, str] = {}
    packages = set()
    for path in product_files():
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
            packages.add(".".join(parts))
        modules[".".join(parts)] = path.read_text()
    return modules, frozenset(packages)


def documented_files() -> list[Path]:
    """Return every file of ours that must say first what it is for."""
    others = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py"), ROOT / "manage.py"]
    return [
        path
        for path in [*product_files(), *sorted(others)]
        if path.name != "__init__.py" and "migrations" not in path.parts
    ]


def test_it_follows_the_floor_plan():
    modules, packages = product()
    assert len(modules) > 50
    faults = faults_in(modules, packages)
    assert not faults, "\n" + "\n".join(faults)


def test_every_file_begins_with_its_promise():
    silent = [
        str(path.relative_to(ROOT))
        for path in documented_files()
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent, f"These files do not say first what they are for: {', '.join(silent)}."


def test_no_file_is_too_long_to_hold_in_mind():
    long = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in product_files()
        if "migrations" not in path.parts
    }
    long = {name: lines for name, lines in long.items() if lines > LONGEST_FILE}
    assert not long, f"These files have more than {LONGEST_FILE} lines; cut them by subject: {long}."


BAD_IMPORTS = [
    ("messaging.queueing", "from accounts.whatsapi import me", "the face accounts.whatsapi"),
    ("messaging.queueing", "from accounts import whatsapi", "the face accounts.whatsapi"),
    ("messaging.whatsapi", "import messaging.tasks", "the face messaging.tasks"),
    ("accounts.keys", "from accounts.management.commands import create_account", "the face accounts.manag"),
    ("messaging.queueing", "import config.urls", "the face config.urls"),
    ("messaging.whatsapi", "from accounts import whatsapi_keys", "the face accounts.whatsapi_keys"),
    ("messaging.queueing", "from messaging.shared_whatsapi import find", "only faces do"),
    ("config.json", "import accounts.vault", "the foundation knows no room"),
    ("config.checks", "from accounts import models", "the foundation knows no room"),
    ("config.demo", "from messaging.sandbox import server", "the foundation knows no room"),
    ("config.celery", "def f():\n    from messaging import dispatch", "the foundation knows no room"),
    ("accounts.keys", "from messaging import numbers", "the cores of accounts"),
    ("accounts.keys", "from importlib import import_module\nimport_module('billing.plans')", "of accounts"),
    ("billing.plans", "from webhooks import inbox", "the cores of billing"),
    ("billing.plans", "import messaging.models", "the cores of billing"),
    ("webhooks.inbox", "from messaging.meta import codes", "the cores of webhooks"),
    ("webhooks.inbox", "from billing import plans", "the cores of webhooks"),
    ("messaging.meta.client", "from django.conf import settings", "knows no Django"),
    ("messaging.meta.client", "from config import json", "nothing of ours but"),
    ("messaging.meta.client", "from ..models import Message", "nothing of ours but"),
    ("messaging.sandbox.world", "from config.secret import Secret", "nothing of ours but"),
    ("messaging.sandbox.world", "import django", "knows no Django"),
    ("billing.sandbox.world", "from billing.plans import Plan", "nothing of ours but"),
    ("messaging.queueing", "import aiohttp.web", "imports aiohttp.web; only"),
    ("messaging.numbers", "import requests", "imports requests; only"),
    ("messaging.numbers", "from urllib import request", "imports urllib.request; only"),
    ("messaging.numbers", "from http.client import HTTPConnection", "imports http.client; only"),
    ("billing.plans", "import stripe", "imports stripe; only"),
    ("messaging.queueing", "from tests.factories import api", "does not know its tests"),
]
_KNOWN = dict.fromkeys(
    [
        "accounts.whatsapi",
        "accounts.whatsapi_keys",
        "messaging.shared_whatsapi",
        "accounts.vault",
        "accounts.models",
        "accounts.management.commands.create_account",
        "messaging.tasks",
        "messaging.numbers",
        "messaging.dispatch",
        "messaging.models",
        "messaging.meta.codes",
        "messaging.sandbox.server",
        "messaging.sandbox.seed",
        "billing.plans",
        "webhooks.inbox",
        "config.urls",
        "config.json",
        "config.secret",
        "tests.factories",
    ],
    "",
)


@pytest.mark.parametrize(("name", "source", "complaint"), BAD_IMPORTS)
def test_it_catches_a_bad_import(name, source, complaint):
    faults = faults_in(_KNOWN | {name: source})
    assert len(faults) == 1, faults
    assert complaint in faults[0]
    assert faults[0].startswith(name)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("accounts.urls", "from accounts import whatsapi"),
        ("accounts.admin", "from messaging import numbers"),
        ("messaging.whatsapi_bulk", "from messaging.shared_whatsapi import find"),
        ("messaging.shared_mojeeb", "from messaging.shared_whatsapi import find"),
        ("messaging.queueing", "from accounts.models import Account\nfrom billing.plans import PLANS"),
        ("messaging.meta.client", "import aiohttp\nfrom config.secret import Secret\nfrom . import codes"),
        ("messaging.sandbox.world", "import aiohttp\nfrom . import seed"),
        ("config.checks", "def f():\n    from accounts.vault import KeyRing"),
        ("config.demo", "from messaging.sandbox import seed"),
        ("tests.test_it", "import aiohttp, stripe\nfrom messaging.tasks import drain"),
        ("messaging.queueing", "from urllib.parse import urlsplit\nfrom http import HTTPStatus"),
    ],
)
def test_it_lets_a_good_import_pass(name, source):
    assert faults_in(_KNOWN | {name: source}) == []


def test_it_catches_a_circle_even_inside_functions():
    faults = faults_in(
        {
            "messaging.a": "from messaging import b",
            "messaging.b": "def f():\n    from messaging.c import x",
            "messaging.c": "import messaging.a",
            "messaging.d": "import messaging.a",
        }
    )
    assert faults == ["These modules import each other in a circle: messaging.a, messaging.b, messaging.c."]


def test_it_reads_relative_imports_of_a_package():
    modules = {"messaging.meta": "from . import codes", "messaging.meta.codes": ""}
    found = imports_of("messaging.meta", modules["messaging.meta"], modules, is_package=True)
    assert found == {"messaging.meta.codes"}
