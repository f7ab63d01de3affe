"""The vault: what it seals opens only in its own place, unaltered, with a key of the ring."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import vault
from accounts.models import Number
from accounts.vault import BadKey, CannotOpen, KeyRing, key_id, new_key
from core.secret import Secret
from tests.factories import APP_SECRET, TOKEN, connect, make_account

RING = KeyRing.from_texts([new_key()])
PLACE = "connection:a:b:access_token"


def parts_of(sealed: str) -> tuple[str, str, bytes]:
    version, ident, payload = sealed.split(".")
    return version, ident, base64.urlsafe_b64decode(payload)


def sealed_from(version: str, ident: str, data: bytes) -> str:
    return f"{version}.{ident}.{base64.urlsafe_b64encode(data).decode()}"


@given(value=st.text(st.characters(exclude_categories=("Cs",)), max_size=300))
def test_it_opens_what_it_sealed(value):
    assert RING.open(RING.seal(value, context=PLACE), context=PLACE) == value


def test_it_seals_the_same_value_differently_each_time():
    assert len({RING.seal(TOKEN, context=PLACE) for _ in range(100)}) == 100


def test_the_sealed_text_holds_nothing_of_the_value():
    sealed = RING.seal(TOKEN, context=PLACE)
    version, ident, data = parts_of(sealed)
    assert version == "v1"
    assert ident == RING.sealing_id
    assert TOKEN not in sealed
    assert TOKEN.encode()[:8] not in data
    assert base64.b64encode(TOKEN.encode()).decode()[:8] not in sealed


@pytest.mark.parametrize(
    "place", ["", "connection:a:b:app_secret", "connection:a:c:access_token", PLACE + " "]
)
def test_it_opens_nowhere_else(place):
    sealed = RING.seal(TOKEN, context=PLACE)
    with pytest.raises(CannotOpen):
        RING.open(sealed, context=place)


def test_a_flip_of_any_byte_is_noticed():
    version, ident, data = parts_of(RING.seal("EAA-short", context=PLACE))
    for at in range(len(data)):
        for bit in (1, 128):
            altered = data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]
            with pytest.raises(CannotOpen):
                RING.open(sealed_from(version, ident, altered), context=PLACE)


def test_a_cut_or_lengthened_value_is_noticed():
    version, ident, data = parts_of(RING.seal("EAA-short", context=PLACE))
    for length in range(len(data)):
        with pytest.raises(CannotOpen):
            RING.open(sealed_from(version, ident, data[:length]), context=PLACE)
    with pytest.raises(CannotOpen):
        RING.open(sealed_from(version, ident, data + b"\x00"), context=PLACE)


@pytest.mark.parametrize(
    "alter",
    [
        lambda sealed: "",
        lambda sealed: "v2" + sealed[2:],
        lambda sealed: sealed[3:],
        lambda sealed: sealed.replace(".", ":"),
        lambda sealed: sealed + "!",
        lambda sealed: sealed[:15] + " " + sealed[15:],
        lambda sealed: sealed[:15] + "\n" + sealed[15:],
        lambda sealed: sealed[:15] + "ä" + sealed[16:],
        lambda sealed: sealed[:15] + "\ud800" + sealed[16:],
        lambda sealed: sealed[:12],
        lambda sealed: TOKEN,
    ],
)
def test_a_text_of_another_form_is_refused(alter):
    sealed = RING.seal(TOKEN, context=PLACE)
    with pytest.raises(CannotOpen) as caught:
        RING.open(alter(sealed), context=PLACE)
    assert TOKEN not in str(caught.value)


def test_an_old_key_opens_and_the_first_one_seals():
    old, new = new_key(), new_key()
    before = KeyRing.from_texts([old]).seal(TOKEN, context=PLACE)
    both = KeyRing.from_texts([new, old])
    assert both.open(before, context=PLACE) == TOKEN
    after = both.seal(TOKEN, context=PLACE)
    assert KeyRing.from_texts([new]).open(after, context=PLACE) == TOKEN
    with pytest.raises(CannotOpen):
        KeyRing.from_texts([old]).open(after, context=PLACE)


def test_an_unknown_key_is_named_by_its_id_only():
    key = new_key()
    sealed = KeyRing.from_texts([key]).seal(TOKEN, context=PLACE)
    with pytest.raises(CannotOpen) as caught:
        RING.open(sealed, context=PLACE)
    assert parts_of(sealed)[1] in str(caught.value)
    assert key not in str(caught.value)


def test_a_key_under_anothers_name_does_not_open():
    version, _, data = parts_of(KeyRing.from_texts([new_key()]).seal(TOKEN, context=PLACE))
    with pytest.raises(CannotOpen):
        RING.open(sealed_from(version, RING.sealing_id, data), context=PLACE)


@pytest.mark.parametrize(
    "texts",
    [
        [],
        [""],
        ["c2hvcnQ="],
        [base64.urlsafe_b64encode(b"x" * 31).decode()],
        [base64.urlsafe_b64encode(b"x" * 33).decode()],
        [base64.urlsafe_b64encode(b"x" * 16).decode()],
        ["not base64 at all, is it?"],
        ["ä" * 44],
        [new_key()[:-1]],
        [new_key(), "c2hvcnQ="],
    ],
)
def test_a_bad_key_is_refused_without_showing_it(texts):
    with pytest.raises(BadKey) as caught:
        KeyRing.from_texts(texts)
    assert not any(text and text in str(caught.value) for text in texts)


def test_a_new_key_is_a_key_and_always_another():
    made = {new_key() for _ in range(50)}
    assert len(made) == 50
    assert all(len(base64.urlsafe_b64decode(key)) == 32 for key in made)
    KeyRing.from_texts([f"  {made.pop()}\n"])


def test_the_id_of_a_key_is_safe_to_show():
    key = base64.urlsafe_b64decode(new_key())
    assert len(key_id(key)) == 8
    assert key_id(key) not in key.hex()


def test_an_empty_secret_stays_empty():
    assert vault.seal(Secret(""), context=PLACE) == ""
    assert not vault.unseal("", context=PLACE)


@pytest.fixture
def rows(db) -> tuple[Number, Number, Number]:
    """Two numbers of one account (the first replaced) and one of another, all with credentials."""
    account = make_account()
    first = connect(account, app_secret=APP_SECRET)
    kept = first.access_token_sealed, first.app_secret_sealed
    second = connect(account, app_secret=APP_SECRET)
    Number.objects.filter(pk=first.pk).update(access_token_sealed=kept[0], app_secret_sealed=kept[1])
    first.refresh_from_db()
    return first, second, connect(make_account(), app_secret=APP_SECRET)


def test_a_number_opens_its_own_credentials(rows):
    for row in Number.objects.all():
        assert row.access_token.reveal() == TOKEN
        assert row.app_secret.reveal() == APP_SECRET


@pytest.mark.parametrize("other", [1, 2], ids=["another row", "another account"])
def test_a_value_moved_to_another_row_does_not_open(rows, other):
    Number.objects.filter(pk=rows[other].pk).update(access_token_sealed=rows[0].access_token_sealed)
    with pytest.raises(CannotOpen):
        _ = Number.objects.get(pk=rows[other].pk).access_token


def test_a_value_moved_to_another_column_does_not_open(rows):
    Number.objects.filter(pk=rows[0].pk).update(app_secret_sealed=rows[0].access_token_sealed)
    with pytest.raises(CannotOpen):
        _ = Number.objects.get(pk=rows[0].pk).app_secret


def test_a_row_moved_to_another_account_does_not_open(rows):
    Number.objects.filter(pk=rows[0].pk).update(account=rows[2].account, is_default=False)
    with pytest.raises(CannotOpen):
        _ = Number.objects.get(pk=rows[0].pk).access_token


def test_the_database_holds_no_credential(rows):
    for values in Number.objects.values():
        assert TOKEN not in str(values)
        assert APP_SECRET not in str(values)


def test_a_number_shows_no_credential(rows):
    for row in rows:
        shown = repr(row) + str(row) + repr(row.access_token) + f"{row.app_secret}"
        assert TOKEN not in shown
        assert APP_SECRET not in shown
