"""Keys and numbers in the dashboard: made, shown once, revoked; checked, mended, removed."""

from __future__ import annotations

import re

import pytest

from accounts import agents, keys
from accounts.models import ApiKey
from core.errors import Refusal
from devstack.meta import seed
from tests import factories
from tests.support.meta import know_template
from tests.support.people import make_owned, signed_in

pytestmark = pytest.mark.django_db
KEY = re.compile(r"(?:sk|mk)_(?:live|test)_[0-9A-Za-z_]{20,}")


@pytest.fixture
def alice():
    return make_owned("Alice")


def create(client, **fields):
    """Fill in the form of a new key."""
    body = {"name": "Shop", "kind": "sk_live", "scopes": ["*"], "days": ""} | fields
    return client.post("/app/keys", body)


@pytest.mark.parametrize("kind", ["sk_live", "sk_test", "mk_live", "mk_test"])
def test_a_key_works_at_once_and_is_shown_this_once(kind, alice):
    client = signed_in(alice)
    page = create(client, kind=kind, scopes=["whatsapp:send"], rate_limit_per_minute="7", days="30")
    shown = set(KEY.findall(page.content.decode()))
    assert len(shown) == 1
    text = shown.pop()
    key = keys.authenticate(text)
    assert (key.kind, key.scopes, key.rate_limit_per_minute) == (kind, ["whatsapp:send"], 7)
    assert 29 <= (key.expires_at - key.created_at).days <= 30
    again = client.get("/app/keys").content.decode()
    assert text not in again
    assert text[-4:] in again
    event = alice.audit_events.get(action="key.created")
    assert text not in str(event.__dict__)


def test_a_key_made_here_can_be_used_to_call_the_api(alice):
    text = KEY.search(create(signed_in(alice)).content.decode())[0]
    assert factories.api(text).get("/auth/me").json()["data"]["name"] == "Alice"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "x" * 101}, "at most 100"),
        ({"kind": "root"}, "valid choice"),
        ({"scopes": []}, "Choose at least one"),
        ({"scopes": ["everything"]}, "valid choice"),
        ({"rate_limit_per_minute": "0"}, "greater than or equal to 1"),
        ({"rate_limit_per_minute": "501"}, "at most 500 requests"),
        ({"rate_limit_per_minute": "501", "kind": "mk_live"}, "at most 500 requests"),
        ({"days": "-1"}, "valid choice"),
    ],
)
def test_a_faulty_form_comes_back_with_what_is_wrong(fields, said, alice):
    page = create(signed_in(alice), **fields)
    assert page.status_code == 400
    assert said in page.content.decode()
    assert alice.api_keys.count() == 1


def test_a_key_for_a_foreign_agent_is_refused(alice):
    agents.create(alice, "Second")
    theirs = agents.create(make_owned("Charlie"), "Theirs")
    page = create(signed_in(alice), kind="mk_live", scopes=["whatsapp:send"], agent_ids=[str(theirs.pk)])
    assert page.status_code == 400
    mine = alice.agents.get(name="Second")
    create(signed_in(alice), kind="mk_live", scopes=["whatsapp:send"], agent_ids=[str(mine.pk)])
    assert alice.api_keys.get(kind="mk_live").agent_ids == [str(mine.pk)]


def test_v1_keys_belong_to_the_larger_plans():
    free = make_owned("Free", "free")
    page = create(signed_in(free), kind="mk_live")
    assert page.status_code == 400
    assert "Professional plan" in page.content.decode()


def preset(client, query: str = "") -> tuple[str, list[str]]:
    """Return the kind and the rights that the form of a new key comes with."""
    page = client.get(f"/app/keys{query}").content.decode()
    kind = re.search(r'<option value="([a-z_]+)" selected', page)
    return kind[1] if kind else "", re.findall(r'name="scopes" value="([^"]+)"[^>]* checked', page)


def test_a_new_key_is_preset_as_the_document_of_its_api_has_it(alice):
    client = signed_in(alice)
    root, v1 = ("sk_live", ["*"]), ("mk_live", ["whatsapp:send"])
    assert (preset(client), preset(client, "?for=root"), preset(client, "?for=v1")) == (root, root, v1)
    page = create(client, kind="mk_live", scopes=["whatsapp:send"], name="")
    assert page.status_code == 400 and "mk_test" in page.content.decode(), "the form stays with its API"
    assert create(client, kind="mk_live", scopes=["whatsapp:send"]).status_code == 200
    assert preset(client) == v1, "the next key is for the API of the last one"
    assert preset(client, "?for=root") == root
    assert "upgrade under Billing" not in client.get("/app/keys?for=v1").content.decode()
    free = signed_in(make_owned("Small", "basic"))
    assert "upgrade under Billing" in free.get("/app/keys?for=v1").content.decode()


def test_the_words_of_the_documents_lead_to_keys_and_numbers(alice):
    page = signed_in(alice).get("/app").content.decode()
    for word, path in (("API Keys", "/app/keys"), ("Connections", "/app/numbers")):
        assert re.search(rf'<a href="{path}"[^>]*>(?:<svg.*?</svg>)?{word}</a>', page), word
        assert f"<h1>{word}</h1>" in signed_in(alice).get(path).content.decode()


def test_everything_that_a_call_names_can_be_copied_where_the_number_stands(alice):
    number = factories.connect(alice, waba_id="102290129340398")
    alice.connections.update(display_phone="15557650001")
    wanted = ("+15557650001", number.phone_number_id, str(number.agent_id))
    for path in ("/app/numbers", f"/app/numbers/{number.pk}"):
        page = signed_in(alice).get(path).content.decode()
        for text in wanted:
            assert f'data-copy="{text}"' in page, (path, text)


def test_a_numbers_page_shows_the_templates_of_its_whatsapp_account_and_no_others(alice):
    number = factories.connect(alice, waba_id="102290129340398")
    know_template(number, "UTILITY", "order_shipped")
    strangers = factories.connect(make_owned("Charlie"), waba_id=number.waba_id)
    know_template(strangers, "UTILITY", "a_strangers")
    alice.connections.update(waba_id="102290129340399")
    number.refresh_from_db()
    know_template(number, "UTILITY", "of_another_account")
    alice.connections.update(waba_id="102290129340398")
    client, path = signed_in(alice), f"/app/numbers/{number.pk}"
    page = client.get(path).content.decode()
    assert "order_shipped" in page
    assert "of_another_account" not in page and "a_strangers" not in page
    alice.connections.update(waba_id="")
    page = client.get(path).content.decode()
    assert "order_shipped" not in page and "Its ID is not known yet" in page


def test_a_revoked_key_stops_working_and_the_last_one_cannot_be(alice):
    client = signed_in(alice)
    text = KEY.search(create(client).content.decode())[0]
    key = keys.authenticate(text)
    assert client.post(f"/app/keys/{key.pk}/revoke").headers["Location"] == "/app/keys"
    with pytest.raises(Refusal):
        keys.authenticate(text)
    last = alice.api_keys.get(name="Default")
    client.post(f"/app/keys/{last.pk}/revoke")
    assert "last live key" in client.get("/app/keys").content.decode()
    assert ApiKey.objects.get(pk=last.pk).revoked_at is None


# --- numbers


def test_an_agent_is_added_renamed_and_limited_by_the_plan():
    basic = make_owned("Basic", "basic")
    client = signed_in(basic)
    for name in ("Two", "Three"):
        assert client.post("/app/numbers", {"name": name}).status_code == 302
    refused = client.post("/app/numbers", {"name": "Four"})
    assert refused.status_code == 400
    assert "no room for another agent" in refused.content.decode()
    agent = basic.agents.get(name="Two")
    client.post(f"/app/agents/{agent.pk}", {"name": "Twice"})
    assert basic.agents.filter(name="Twice").exists()
    client.post(f"/app/agents/{agent.pk}", {"name": " "})
    assert "1 to 200 characters" in client.get("/app/numbers").content.decode()


@pytest.fixture
def connected(meta, alice, settings, live_server):
    """Alice's number in the sandbox, as the set-up's form connects it."""
    settings.PUBLIC_URL = live_server.url
    spare = seed.number(1)
    body = {
        "access_token": str(spare.access_token),
        "phone_number_id": spare.phone_number_id,
        "waba_id": spare.waba_id,
        "app_secret": str(seed.APP_SECRET),
    }
    answer = signed_in(alice).post("/app/setup/connect", body)
    assert answer.headers["Location"].startswith("/app/setup/check")
    return alice.connections.get()


def lines(number) -> dict[str, bool | None]:
    """Return the doctor's lines as they are stored."""
    number.refresh_from_db()
    return {line["check"]: line["ok"] for line in number.checks}


@pytest.mark.django_db(transaction=True)
def test_the_doctor_finds_what_is_wrong_and_mends_what_it_can(connected, alice, settings):
    client = signed_in(alice)
    client.post("/app/setup/check")
    found = lines(connected)
    assert connected.status == "active"
    assert {found[name] for name in ("token", "token_kind", "token_expiry", "scopes", "phone_number")} == {
        True
    }
    assert {found[name] for name in ("waba", "webhook", "registration", "quality", "app_secret")} == {True}
    # Meta does not know the number's own address yet: the button tells it, when Meta can reach us.
    settings.PUBLIC_URL, ours = "http://127.0.0.1:9", settings.PUBLIC_URL
    client.post("/app/setup/callback")
    assert "Meta could not reach the callback address" in client.get("/app/setup/callback").content.decode()
    settings.PUBLIC_URL = ours
    answer = client.post("/app/setup/callback")
    assert answer.headers["Location"] == "/app/setup/callback"
    assert lines(connected)["callback"] is True
    assert "Meta reports to the address of this number." in client.get("/app/setup/callback").content.decode()
    # A token that Meta refuses is a line with its cure, not a crash.
    body = {"access_token": "EAA" + "x" * 40, "phone_number_id": connected.phone_number_id}
    client.post("/app/setup/connect", body)
    page = client.post("/app/setup/check").content.decode()
    assert lines(connected)["token"] is False
    assert "Create a new token" in page
    assert body["access_token"] not in page


@pytest.mark.django_db(transaction=True)
def test_a_token_that_cannot_be_opened_is_a_line_and_not_a_crash(connected, alice):
    alice.connections.update(access_token_sealed="v1.00000000.AAAA")
    client = signed_in(alice)
    assert "cannot be read" in client.post("/app/setup/check").content.decode()
    assert client.post("/app/setup/callback").headers["Location"] == "/app/setup/connect"


@pytest.mark.django_db(transaction=True)
def test_a_second_number_takes_the_place_of_the_default_and_the_first_is_removed(connected, alice):
    client = signed_in(alice)
    spare = seed.number(2)
    agent = alice.agents.get()
    body = {
        "agent": str(agent.pk),
        "access_token": str(spare.access_token),
        "phone_number_id": spare.phone_number_id,
        "waba_id": spare.waba_id,
    }
    second = client.post("/app/numbers/new", body).headers["Location"]
    assert "is ready" in client.get(second).content.decode()
    first = f"/app/numbers/{connected.pk}"
    client.post(first, {"do": "remove"})
    assert "default number" in client.get("/app/numbers").content.decode()
    client.post(second, {"do": "default"})
    client.post(second, {"do": "inactive"})
    client.post(first, {"do": "remove"})
    connected.refresh_from_db()
    assert (connected.status, connected.access_token_sealed) == ("removed", "")
    left = alice.connections.get(removed_at=None)
    assert (left.is_default, left.is_active) == (True, False)
    assert client.get(first).status_code == 404


def test_a_form_never_shows_a_saved_or_refused_token_again(alice):
    factories.connect(alice, token="EAAsavedsecrettoken000000000000")
    client = signed_in(alice)
    page = client.get("/app/setup/connect").content.decode()
    assert "EAAsavedsecret" not in page
    body = {"access_token": "EAAtypedsecrettoken00000000000", "phone_number_id": "+49 151"}
    page = client.post("/app/setup/connect", body)
    assert page.status_code == 400
    assert "EAAtypedsecret" not in page.content.decode()
    assert "not the phone number" in page.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_spare_number_of_the_sandbox_is_filled_in_once(meta, alice, settings):
    settings.DEVELOPMENT = True
    client = signed_in(alice)
    for path in ("/app/setup/connect", "/app/numbers/new"):
        page = client.get(path).content.decode()
        assert seed.number(1).access_token in page and "spare number in the sandbox" in page
        assert seed.APP_SECRET not in page
    meta.connect(alice, 1)
    page = client.get("/app/numbers/new").content.decode()
    assert seed.number(2).access_token in page and seed.number(1).access_token not in page
    settings.META_GRAPH_URL = "http://127.0.0.1:9"  # nobody answers there
    assert "spare number" not in client.get("/app/numbers/new").content.decode()
    settings.META_GRAPH_URL, settings.DEVELOPMENT = meta.sandbox.url, False
    assert "EAA" not in client.get("/app/numbers/new").content.decode().replace("Begins with EAA", "")
