"""The guide for somebody who is signed in: their own values, never a secret, never anybody else's."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import keys
from accounts.models import Account, ApiKey, Number
from developers import guide
from developers.guide import library
from messaging.models import Template
from tests import factories
from tests.dashboard import data, world
from tests.support.people import make_owned, signed_in

pytestmark = pytest.mark.django_db
#: the guide has an example of one, which the usual test value looks like
APP_SECRET = "feedc0de" * 4
EXAMPLES = (guide.EXAMPLE_NUMBER_ID, guide.EXAMPLE_WABA_ID, guide.EXAMPLE_PHONE, guide.EXAMPLE_KEY)


def pages() -> list[str]:
    """Return the address of every guide."""
    return [one.href for one in library(settings.PUBLIC_URL, settings.MAX_BULK_MESSAGES).guides.values()]


def read(client: Client, path: str) -> str:
    """Return a page's text."""
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


@pytest.fixture
def alice() -> Account:
    account = make_owned("Alice Books")
    number = factories.connect(account, waba_id="212290129340398", app_secret=APP_SECRET)
    Number.objects.filter(pk=number.pk).update(display_phone="15557650001", verified_name="Alice’s")
    data.fill(number, world.plain)
    return account


def test_the_samples_hold_the_readers_own_values(alice):
    key, _ = keys.create(alice, name="Shop", kind=ApiKey.Kind.SK, scopes=["*"])
    keys.create(alice, name="Newer", kind=ApiKey.Kind.MK, scopes=["whatsapp:send"])
    number, agent = alice.connections.get(), alice.agents.get()
    client = signed_in(alice)
    start = read(client, "/developers/quickstart")
    for own in (
        number.phone_number_id,
        "+15557650001",
        "Alice Books",
        "Alice’s",
        "order_shipped",
        str(agent.pk),
    ):
        assert own in start, own
    assert f"HERMOD_KEY={key}" in start and "…" in str(key)
    everything = "".join(read(client, path) for path in pages())
    assert [example for example in EXAMPLES if example in everything] == []
    assert client.get("/developers").headers["Cache-Control"] == "private, no-store"


def test_no_page_shows_a_secret(alice):
    texts = [
        keys.create(alice, name=f"K{index}", kind=kind, scopes=["*"])[1]
        for index, kind in enumerate(("sk_live", "sk_test"))
    ]
    number = alice.connections.get()
    secrets = [*(text.reveal() for text in texts), factories.TOKEN, APP_SECRET, number.verify_token]
    secrets += [number.callback_key, number.access_token_sealed]
    client = signed_in(alice)
    for path in pages():
        shown = read(client, path)
        assert [secret for secret in secrets if secret in shown] == [], path


def test_what_others_named_shows_as_text(alice):
    for rows, name in ((alice.agents, "name"), (alice.api_keys, "name"), (alice.templates, "name")):
        rows.update(**{name: data.attack(f"{rows.model.__name__.lower()}")[:100]})
    Account.objects.filter(pk=alice.pk).update(name=data.attack("account")[:200])
    alice.connections.update(
        verified_name=data.attack("verified")[:200], waba_id="<b>1</b>", display_phone="<i>2"
    )
    client = signed_in(alice)
    for path in pages():
        shown = read(client, path)
        assert "<script>window" not in shown and "<img src=x" not in shown, path
        assert "<b>1" not in shown and "<i>2" not in shown, path
        for place in ("agent", "template", "account", "verified"):
            assert f"window.pwned=&quot;{place}" in shown, (path, place)


def test_nothing_of_another_account_is_there(alice):
    charlie = make_owned("Charlie")
    stranger, client = Client(), signed_in(charlie)
    session = client.session
    session["account"] = str(alice.pk)  # what the session asks for counts only for one's own
    session.save()
    number = alice.connections.get()
    foreign = ("Alice", number.phone_number_id, "212290129340398", "15557650001", str(alice.agents.get().pk))
    for path in pages():
        for reader in (client, stranger):
            shown = read(reader, path)
            assert [one for one in foreign if one in shown] == [], path
    assert guide.EXAMPLE_NUMBER_ID in read(stranger, "/developers/quickstart")
    assert stranger.get("/developers").headers["Cache-Control"] == "no-cache"


def test_reading_costs_the_same_however_much_there_is(alice):
    client = signed_in(alice)

    def queries() -> int:
        with CaptureQueriesContext(database) as asked:
            read(client, "/developers/quickstart")
        return len(asked)

    few = queries()
    template = Template.objects.filter(account=alice).first()
    for index in range(6):
        keys.create(alice, name=f"K{index}", kind=ApiKey.Kind.SK, scopes=["*"])
        alice.agents.create(name=f"Agent {index}")
        alice.templates.create(
            waba_id="1",
            meta_id=str(index),
            name=f"t{index}",
            language="en",
            status="APPROVED",
            synced_at=template.synced_at,
        )
    assert queries() == few <= 9
