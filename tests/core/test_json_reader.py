"""The strict JSON reader refuses every doubtful text, says where, and changes nothing it accepts."""

from __future__ import annotations

import gc
import json
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from core.json import LARGEST, has_more_values, is_deeper, read_object
from tests.support.json_texts import ACCEPTED, REFUSED


def refusal_of(raw: bytes) -> Invalid:
    with pytest.raises(Invalid) as caught:
        read_object(raw)
    return caught.value


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_it_refuses(raw):
    refusal = refusal_of(raw)
    assert refusal.code == "invalid_request"
    assert len(refusal.fields) == 1
    assert len(refusal.fields[0].message) < 300
    # What it says can itself be written as JSON and stored.
    assert "\x00" not in refusal.fields[0].field + refusal.fields[0].message
    (refusal.fields[0].field + refusal.fields[0].message).encode()


@pytest.mark.parametrize(("raw", "value"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_it_reads(raw, value):
    assert read_object(raw) == value


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"metadata":{"a":"\\u0000"}}', "metadata.a"),
        (b'{"metadata":{"a":[0,{"b":"\\ud800"}]}}', "metadata.a[1].b"),
        (b'{"message":"\\udfff"}', "message"),
        (b'{"metadata":{"a":1,"\\u0000":2}}', "metadata"),
        (b'{"to":1,"to":2}', "to"),
        (b"[]", ""),
    ],
)
def test_it_names_the_faulty_field(raw, field):
    assert refusal_of(raw).fields[0].field == field


def test_it_takes_another_limit_of_keys():
    raw = json.dumps({str(n): n for n in range(20)}).encode()
    assert len(read_object(raw, max_keys=20)) == 20
    with pytest.raises(Invalid):
        read_object(raw, max_keys=19)


def _cost(raw: bytes) -> float:
    """The quickest of several readings, as processor time: a busy machine changes it little."""

    def once() -> float:
        started = time.process_time()
        with pytest.raises(Invalid):
            read_object(raw)
        return time.process_time() - started

    # Python's collector visits everything that other tests left behind; it is not what is measured.
    gc.collect()
    gc.disable()
    try:
        return min(once() for _ in range(4))
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "attack",
    [
        # An unterminated string of escaped quotes, behind enough brackets that the depth is counted.
        lambda n: b'{"a":[' + b"[]," * 20 + b'"' + b'\\"' * n,
        lambda n: b'{"a":[' + b"[]," * 20 + b'"' + b"\\" * (2 * n + 1),
        lambda n: b'{"a":[' + b"[]," * 20 + b'"' + b"x" * n,
        lambda n: b'{"a":[' + b"[]," * n,
        lambda n: b'{"a":[' + b'"",' * n + b"[" * 20,
    ],
    ids=["escaped quotes", "backslashes", "letters", "brackets", "empty strings"],
)
def test_its_cost_grows_no_faster_than_the_text(attack):
    small, large = _cost(attack(25_000)), _cost(attack(100_000))
    # Four times the text: about 4 when linear, 16 when quadratic.
    assert large < max(small, 0.001) * 9


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages":[' + piece * (6_000_000 // len(piece)) + b"1]}"
        for piece in (b"[],", b"{},", b'"",', b"1,")
    ],
    ids=["lists", "objects", "texts", "numbers"],
)
def test_a_body_that_would_cost_too_much_is_refused_for_the_price_of_a_look(raw):
    tracemalloc.start()
    try:
        started = time.process_time()
        with pytest.raises(Invalid, match="Validation"):
            read_object(raw, max_keys=250_000, max_values=500_000)
        took, (_, peak) = time.process_time() - started, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Reading them costs one to three seconds and up to 150 MB.
    assert took < 0.3
    assert peak < 2_000_000


def _plain(raw: bytes) -> tuple[int, int]:
    """Count the values and the levels of a text the slow way: by reading it."""
    values, levels = 0, 0
    waiting = [(json.loads(raw), 1)]
    while waiting:
        value, level = waiting.pop()
        inner = (
            list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
        )
        if inner is not None:
            values, levels = values + len(inner), max(levels, level)
            waiting += [(one, level + 1) for one in inner]
    return values, levels


@settings(max_examples=300, deadline=None)
@given(
    value=st.recursive(
        st.text('a"\\[]{},:', max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text('"\\,[', max_size=3), inner, max_size=3)
        ),
        max_leaves=12,
    )
)
def test_it_counts_values_and_levels_as_reading_would(value):
    raw = json.dumps([value]).encode()
    values, levels = _plain(raw)
    assert is_deeper(raw, levels - 1)
    assert not is_deeper(raw, levels)
    assert has_more_values(raw, values - 1)
    # It may count an empty list for one value more, never for less.
    assert not has_more_values(raw, values + raw.count(b"[") + raw.count(b"{"))


bounded_text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
bounded = st.dictionaries(
    bounded_text,
    st.recursive(
        st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | st.floats(-1e18, 1e18) | bounded_text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(bounded_text, inner, max_size=4),
        max_leaves=15,
    ),
    max_size=6,
)


@settings(max_examples=400, deadline=None)
@given(value=bounded, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_whatever_json_dumps_writes_reads_back_equal(value, ascii_only, indent):
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert read_object(raw) == value


@settings(max_examples=400, deadline=None)
@given(raw=st.binary(max_size=60) | st.text('{}[]",:\\u0019e-+.ntf ', max_size=40).map(str.encode))
def test_it_agrees_with_the_standard_reader_or_refuses(raw):
    """Never anything but an equal value or an ``Invalid``."""
    try:
        value = read_object(raw)
    except Invalid:
        return
    assert value == json.loads(raw)
