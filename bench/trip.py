"""Length of a message's trip: the functions and files of ours that it passes, and its statements.

``python -m bench.trip`` starts a Postgres and a Valkey of its own, sends one request of each kind through
Django's test client and prints a table; ``--list`` names the stations. It is no part of ``make bench``.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
#: not the product's: the tools that look at it, and what it stands on
_OTHERS = tuple(f"{ROOT / name}{os.sep}" for name in ("bench", "tests", ".venv"))


@dataclass
class Trip:
    """The stations of one request, in the order in which they were first reached, and its statements."""

    stations: list[tuple[str, str]] = field(default_factory=list)
    #: those from the view's ``post`` on: without middleware, routing and the look at the key
    inner: list[tuple[str, str]] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    @staticmethod
    def told(stations: list[tuple[str, str]]) -> str:
        """Say how many functions there are, in how many files, and how many stays in one that makes."""
        files = [file for file, _ in stations]
        changes = sum(one != following for one, following in pairwise(files))
        return f"{len(stations)} / {len(set(files))} / {changes + 1}"


def follow(call: Callable[[], Any]) -> Trip:
    """Do ``call`` and return which functions of ours it passed. No lambda, no comprehension."""
    trip = Trip()
    seen: dict[CodeType, tuple[str, str] | None] = {}
    inside: list[FrameType] = []

    def station(code: CodeType) -> tuple[str, str] | None:
        if code not in seen:
            path, name = code.co_filename, code.co_qualname.replace(".<locals>", "")
            ours = path.startswith(f"{ROOT}{os.sep}") and not path.startswith(_OTHERS)
            known = ours and not code.co_name.startswith("<")
            seen[code] = (path.removeprefix(f"{ROOT}{os.sep}"), name) if known else None
        return seen[code]

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and (where := station(frame.f_code)) is not None:
            if frame.f_code.co_name == "post" and not inside:
                inside.append(frame)
            if where not in trip.stations:
                trip.stations.append(where)
            if inside and where not in trip.inner:
                trip.inner.append(where)
        elif event == "return" and inside == [frame]:
            inside.clear()

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return trip


def measured(call: Callable[[int], Any]) -> Trip:
    """Follow ``call`` once everything is warm; the statements, BEGIN and COMMIT too, are the next one's."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    call(0)
    call(1)
    trip = follow(lambda: call(2))
    with CaptureQueriesContext(connection) as captured:
        call(3)
    trip.statements = [query["sql"] for query in captured]
    return trip


def _requests() -> dict[str, Callable[[int], Any]]:
    """Return each kind of request by its title; it is called with a number, which makes its key fresh."""
    from django.test import Client

    from accounts import keys
    from accounts.connections import save_credentials
    from accounts.models import ApiKey
    from accounts.registration import register
    from core.secret import Secret
    from messaging.models import Template

    account = register(name="Trip", email="trip@example.com", plan="enterprise").account
    token = Secret("EAAJB" + "ZCtrip0token1" * 8)
    number = save_credentials(account, access_token=token, phone_number_id="700000000001", waba_id="1" * 15)
    number.display_phone, number.status = "15557654321", "active"
    number.save()
    Template.objects.create(
        account=account,
        waba_id=number.waba_id,
        meta_id="1",
        name="order_ready",
        language="en",
        status="APPROVED",
        category="UTILITY",
        components=[{"type": "BODY", "text": "Hi {{1}}, your order is ready!"}],
        raw={},
        synced_at=number.created_at,
    )
    key = keys.issue(account, kind=ApiKey.Kind.SK, name="trip")[1].reveal()
    client = Client(headers={"Authorization": f"Bearer {key}"})

    def post(path: str, body: dict[str, Any], *, keyed: bool = False) -> Callable[[int], Any]:
        def call(n: int) -> None:
            headers = {"Idempotency-Key": f"{path} {n}"} if keyed else {}
            answer = client.post(path, json.dumps(body), content_type="application/json", headers=headers)
            if answer.status_code != 202:
                raise SystemExit(f"Not accepted: {answer.status_code} {answer.content.decode()}")

        return call

    person = {"agent_id": str(number.agent_id), "from": "+15557654321", "to": "+14155552671"}
    text = person | {"text": {"body": "Hello, World!"}}
    template = {"name": "order_ready", "language": "en", "parameters": {"1": "Sara"}}
    v1 = "/v1/whatsapp"
    return {
        "/send-message": post("/send-message", {"to": "14155552671", "message": "Hello, World!"}),
        "/send-message, with a key": post(
            "/send-message", {"to": "14155552671", "message": "Hello, World!"}, keyed=True
        ),
        "/v1/whatsapp/messages": post(f"{v1}/messages", text),
        "/v1/whatsapp/messages, with a key": post(f"{v1}/messages", text, keyed=True),
        "/v1/whatsapp/templates, with a key": post(
            f"{v1}/templates", person | {"template": template}, keyed=True
        ),
    }


def _prepare(folder: Path) -> Any:
    """Start what the product needs and make it ready in this process; returns the servers."""
    from devstack.launcher.embedded import Embedded

    servers = Embedded(folder, durable=False)
    urls = servers.start()
    os.environ |= {
        "DATABASE_URL": urls.database_url,
        "REDIS_URL": urls.redis_url,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "CREDENTIALS_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "DATA_DIR": str(folder),
        "DEBUG": "0",
        "LOG_LEVEL": "ERROR",
        "ALLOWED_HOSTS": "testserver",
        "PUBLIC_URL": "http://127.0.0.1:8000",
        "STRIPE_SECRET_KEY": "",  # set, if only to nothing: a developer's .env must not reach the run
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    return servers


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.trip", description=__doc__)
    parser.add_argument("--list", action="store_true", help="name the stations and statements of each, too")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix="hermod-trip-", dir="/tmp"))
    folder.chmod(0o711)  # started by root, the servers run as nobody
    servers = None
    try:
        servers = _prepare(folder)
        print("Functions of ours / their files / stays in one (a file that is come back to counts again)")
        print(f"{'POST':36}{'from its view on':>20}{'all in all':>16}{'statements':>12}")
        for title, call in _requests().items():
            trip = measured(call)
            inner, whole = Trip.told(trip.inner), Trip.told(trip.stations)
            print(f"{title:36}{inner:>20}{whole:>16}{len(trip.statements):>12}")
            if options.list:
                print(*(f"    {file}: {name}" for file, name in trip.inner), sep="\n")
                print(*(f"    {' '.join(sql.split())[:100]}" for sql in trip.statements), sep="\n")
    finally:
        if servers is not None:
            servers.remove()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
