"""API keys: their formats, what is kept of them, and that a text that cannot be one costs no query."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import keys
from accounts.models import ApiKey
from core.errors import Refusal
from tests.factories import api, make_account, make_key

MK = keys.new_mk()
SK = keys.new_sk()


def test_the_formats_are_the_documents():
    for _ in range(200):
        assert re.fullmatch(r"sk_live_[0-9a-f]{48}", keys.new_sk())
        assert re.fullmatch(r"mk_live_[0-9A-Za-z]{22}_[0-9a-z]{10}", keys.new_mk())


def test_no_two_keys_are_alike():
    assert len({keys.new_sk() for _ in range(1_000)} | {keys.new_mk() for _ in range(1_000)}) == 2_000


def test_what_it_makes_is_well_formed():
    assert all(keys.well_formed(keys.new_mk()) and keys.well_formed(keys.new_sk()) for _ in range(200))


def _other(letter: str) -> str:
    return "1" if letter == "0" else "0"


MALFORMED = {
    "nothing": "",
    "a word": "secret",
    "no prefix": SK[8:],
    "another prefix": "pk_live_" + SK[8:],
    "another environment": "sk_demo_" + SK[8:],
    "a v1 test key": MK.replace("live", "test"),
    "a digit short": SK[:-1],
    "a digit long": SK + "0",
    "upper case": SK.upper(),
    "upper-case digits": "sk_live_" + "A" * 48,
    "no hexadecimal": "sk_live_" + "g" * 48,
    "a line break behind": SK + "\n",
    "NUL": SK[:-1] + "\x00",
    "an Arabic digit": SK[:-1] + "٣",
    "a full-width digit": SK[:-1] + "３",
    "beyond ASCII": "sk_live_" + "é" * 48,
    "half a surrogate": "sk_live_" + "\ud800" * 48,
    "100 kB": "sk_live_" + "0" * 100_000,
    "100 kB of v1": "mk_live_" + "0" * 100_000,
    "no checksum": MK[:-11],
    "a short checksum": MK[:-1],
    "a typo in the checksum": MK[:-1] + _other(MK[-1]),
    "a typo in the body": MK[:10] + _other(MK[10]) + MK[11:],
    "the document's placeholder": "mk_live_8aB3cDe4FgH5iJ6kLm7nOp_a1b2c3d4e5",
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_text_that_cannot_be_a_key_costs_no_query(text, db, django_assert_num_queries):
    with django_assert_num_queries(0), pytest.raises(Refusal) as caught:
        keys.authenticate(text)
    assert caught.value.code == "invalid_api_key"


def test_every_typo_in_one_place_is_caught_by_the_checksum():
    for at in range(len("mk_live_"), len(MK)):
        if MK[at] == "_":
            continue
        for letter in "0aZ":
            if letter != MK[at]:
                assert not keys.well_formed(MK[:at] + letter + MK[at + 1 :])


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(ApiKey.Kind))
def test_only_a_digest_is_kept(kind):
    key, text = make_key(make_account(), kind=kind)
    values = ApiKey.objects.filter(pk=key.pk).values().get()
    assert bytes(values["digest"]) == keys.digest_of(text)
    assert text not in str(values)
    # What is shown to recognise a key by leaves enough of it unknown.
    assert text.startswith(values["prefix"]) and text.endswith(values["last_four"])
    assert len(text) - len(values["prefix"]) - len(values["last_four"]) >= 24
    assert str(key) == f"{text[:12]}…{text[-4:]}"


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(ApiKey.Kind))
def test_a_key_finds_its_account_in_one_query(kind, django_assert_num_queries):
    account = make_account()
    key, text = make_key(account, kind=kind, last_used_at=timezone.now())
    with django_assert_num_queries(1):
        found = keys.authenticate(text)
        assert found.account == account
    assert found == key


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"revoked_at": -1}, "revoked_api_key"),
        ({"expires_at": -1}, "expired_api_key"),
        ({"revoked_at": -1, "expires_at": -1}, "revoked_api_key"),
    ],
)
def test_a_key_that_was_ended_is_refused_by_its_own_code(fields, code):
    moments = {name: timezone.now() + timedelta(seconds=seconds) for name, seconds in fields.items()}
    _, text = make_key(make_account(), **moments)
    with pytest.raises(Refusal) as caught:
        keys.authenticate(text)
    assert caught.value.code == code


@pytest.mark.django_db
def test_a_key_works_until_the_moment_it_ends():
    soon = timezone.now() + timedelta(hours=1)
    _, text = make_key(make_account(), expires_at=soon, revoked_at=soon)
    assert keys.authenticate(text)


@pytest.mark.django_db
def test_its_last_use_is_noted_at_most_once_a_minute(django_assert_num_queries):
    key, text = make_key(make_account())
    keys.authenticate(text)
    key.refresh_from_db()
    first = key.last_used_at
    assert first is not None
    with django_assert_num_queries(1):
        keys.authenticate(text)
    key.refresh_from_db()
    assert key.last_used_at == first
    long_ago = first - timedelta(seconds=61)
    ApiKey.objects.filter(pk=key.pk).update(last_used_at=long_ago)
    keys.authenticate(text)
    key.refresh_from_db()
    assert key.last_used_at >= first


@pytest.mark.django_db
def test_a_refused_key_is_not_noted_as_used():
    key, text = make_key(make_account(), revoked_at=timezone.now())
    assert api(text).get("/auth/me").status_code == 401
    key.refresh_from_db()
    assert key.last_used_at is None
