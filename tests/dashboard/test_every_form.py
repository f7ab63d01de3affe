"""Every form of the dashboard, of signing in and of the operators' pages takes any bytes in any field.

NUL, 100 kB and words that are on no list: an answer, never a crash, and no word of a stranger becomes an
action of the audit log. The forms are read from the pages themselves, so a new one is tested as it appears.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.db import transaction
from django.test import Client

from accounts.models import AuditEvent, User
from messaging.numbers.doctor import Repair
from tests.dashboard import table, world
from tests.support import operators
from tests.support.people import make_owned, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]

#: a word that is on no list of ours
INVENTED = "invented-word"
HARM = {"NUL": "a\x00b", "100 kB": "x" * 100_000, "a word of no list": INVENTED}


@dataclass
class Form:
    """What a browser would send of a form: its way, its address, its fields with their values."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._open: Form | None = None
        self._named: dict[str, Form] = {}
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._open = Form((given.get("method") or "get").lower(), given.get("action") or "")
            self.forms.append(self._open)
            self._named[given.get("id") or ""] = self._open
            return
        form = self._named.get(given["form"] or "") if "form" in given else self._open
        name = given.get("name")
        if form is None:
            return
        if tag == "option" and self._select and form.fields.get(self._select) == "":
            form.fields[self._select] = given.get("value") or ""
        if not name or given.get("type") == "file" or name == "csrfmiddlewaretoken":
            return
        if tag == "select":
            self._select = name
            form.fields.setdefault(name, "")
        elif tag == "textarea":
            self._area = name
            form.fields[name] = ""
        elif tag in ("input", "button"):
            form.fields.setdefault(name, given.get("value") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, text: str) -> None:
        if self._area and self._open is not None:
            self._open.fields[self._area] += text


def forms_of(page: str, path: str) -> list[Form]:
    """Read the forms of a page; one without an address is sent to the page itself."""
    reader = _Reader()
    reader.feed(page)
    for one in reader.forms:
        one.action = (one.action or path).partition("#")[0]
        one.action = path.partition("?")[0] + one.action if one.action.startswith("?") else one.action
    return [one for one in reader.forms if one.fields]


def shape(form: Form) -> tuple[str, ...]:
    """Name a form so that its repetitions in the rows of a list count once."""
    ids = r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)\d+(?=/|$)"
    return (form.method, re.sub(ids, "…", form.action), form.fields.get("do", ""), *sorted(form.fields))


def attack(client: Client, form: Form) -> Iterator[str]:
    """Send a form with harm in each field; yields what crashed. Nothing of it stays."""
    client.raise_request_exception = False
    cookies = deepcopy(client.cookies)
    for name in form.fields:
        for what, value in HARM.items():
            data = form.fields | {name: value}
            with transaction.atomic():
                send = client.post if form.method == "post" else client.get
                answer = send(form.action, data)
                words = set(AuditEvent.objects.values_list("action", flat=True))
                transaction.set_rollback(True)
            client.cookies = deepcopy(cookies)
            if answer.status_code >= 500:
                yield f"{form.method} {form.action}: {what} in {name} is a {answer.status_code}"
            if any(INVENTED in word for word in words):
                yield f"{form.method} {form.action}: {name} becomes an action of the audit log"


def attack_all(pages: Iterator[tuple[Client, str, str]]) -> tuple[list[str], int]:
    """Attack each form of these pages once; returns what crashed, and how many forms there were."""
    seen: set[tuple[str, ...]] = set()
    crashed: list[str] = []
    for client, path, text in pages:
        for form in forms_of(text, path):
            if shape(form) not in seen and form.action.startswith("/"):
                seen.add(shape(form))
                crashed += attack(client, form)
    return crashed, len(seen)


def test_no_form_of_the_dashboard_or_of_signing_in_crashes(monkeypatch):
    monkeypatch.setattr("messaging.numbers.doctor.repair", lambda *_: Repair(False, "Not now."))
    account = make_owned("Alice")
    made = world.furnish(account)
    person, made["secret"] = world.newcomer()
    people = {"owner": account, "member": world.careful(account), "newcomer": person}
    clients = {"": Client()} | {who: signed_in(one) for who, one in people.items()}

    def pages() -> Iterator[tuple[Client, str, str]]:
        for page in [*table.DASHBOARD, *table.SIGNING_IN]:
            client, path = clients[page.who], page.address(made)
            with transaction.atomic():
                answer = client.post(path, page.values(made)) if page.post else client.get(path)
                transaction.set_rollback(bool(page.post))
            yield client, path, answer.content.decode()

    crashed, count = attack_all(pages())
    assert crashed == []
    assert count > 50


def test_no_form_of_the_operators_crashes():
    account = make_owned("Alice")
    world.furnish(account)
    client = operators.operator(Client())
    User.objects.create_superuser("another@example.com")

    def pages() -> Iterator[tuple[Client, str, str]]:
        yield client, "/admin/", client.get("/admin/").content.decode()
        for model in admin.site._registry:
            path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            listed = client.get(path).content.decode()
            yield client, path, listed
            ways = sorted(set(re.findall(rf'href="({path}[^"?]+/change/)', listed)))[:1]
            for way in (*ways, f"{path}add/"):
                answer = client.get(way)
                if answer.status_code == 200:
                    yield client, way, answer.content.decode()

    crashed, count = attack_all(pages())
    assert crashed == []
    assert count > 30


@pytest.mark.parametrize("what", [INVENTED, "", "PLAN", "portal\x00"])
def test_a_button_of_the_bill_that_does_not_exist_does_nothing(what):
    client = signed_in(make_owned("Alice"))
    page = client.post("/app/billing", {"do": what, "what": "a\x00b"}, follow=True)
    assert "There is no such button." in page.content.decode()
    assert not AuditEvent.objects.exists()
