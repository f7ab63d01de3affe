"""Replies are read by the same rules, and no JSON whatever makes a reader of messages raise."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.http.fields import Fields
from messaging.compose.kinds import KINDS, read_kind, read_reply_to
from messaging.meta.payloads import build
from tests.support.kinds import (
    GOOD,
    LINK,
    TO,
    WAMID,
    cta,
)

# --- replyTo ---


@pytest.mark.parametrize("value", [WAMID, "wamid." + "A" * 10, "wamid." + "+/=_-" * 48, "wamid.HBgL12+/=="])
def test_it_reads_the_message_to_reply_to(value):
    fields = Fields({"replyTo": value})
    assert read_reply_to(fields) == value
    assert fields.faults == []


@pytest.mark.parametrize("data", [{}, {"replyTo": None}])
def test_no_reply_is_no_fault(data):
    fields = Fields(data | {"reaction": {}})
    assert read_reply_to(fields) is None
    assert fields.faults == []


@pytest.mark.parametrize(
    "value",
    [
        "",
        "17",
        "wamid.",
        "wamid." + "A" * 9,
        "wamid." + "A" * 241,
        f"{WAMID}\n",
        f" {WAMID}",
        "WAMID.AAAAAAAAAA",
        "wamid.AAAA AAAAAA",
        "wamid.ÄÄÄÄÄÄÄÄÄÄ",
        17,
        [WAMID],
        {},
        True,
    ],
)
def test_it_refuses_what_is_no_message_id(value):
    fields = Fields({"replyTo": value}, "messages[0].")
    assert read_reply_to(fields) is None
    assert [fault.field for fault in fields.faults] == ["messages[0].replyTo"]


def test_a_reaction_is_no_reply():
    fields = Fields({"replyTo": WAMID, "reaction": {"messageId": WAMID, "emoji": "👍"}})
    assert read_reply_to(fields) is None
    assert [fault.field for fault in fields.faults] == ["replyTo"]


# --- anything at all ---

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from([LINK, "https://[", "12345", "button", "list", "text", "image", "reply", WAMID, "👍"])
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        found += _places(one, (*path, key))
    return found


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = _with(value[path[0]], path[1:], new)
    return changed


def _spoilable() -> list[tuple[str, Any, tuple[Any, ...]]]:
    good = [(kind, value) for kind, value, _ in GOOD.values()]
    good.append(("reaction", {"messageId": WAMID, "emoji": "👍"}))
    return [(kind, value, path) for kind, value in good for path in _places(value)]


def _reads_or_faults(data: dict[str, Any], kind: str) -> None:
    fields = Fields(data)
    native = read_kind(fields, kind)
    assert (native is None) == bool(fields.faults)
    for fault in fields.faults:
        assert fault.field == kind or fault.field.startswith((f"{kind}.", f"{kind}["))
        assert fault.message.endswith(".")
    if native is not None:
        assert native.type == kind
        assert build(to=TO, content={"type": kind, kind: native.part}, ref="r")[kind] == native.part


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(value=ANYTHING)
def test_no_json_makes_it_raise(kind, value):
    _reads_or_faults({kind: value}, kind)
    _reads_or_faults({"x": value}, kind)
    read_reply_to(Fields({"replyTo": value}))


@settings(max_examples=600)
@given(place=st.sampled_from(_spoilable()), value=ANYTHING)
def test_no_spoilt_message_makes_it_raise(place, value):
    kind, good, path = place
    _reads_or_faults({kind: _with(good, path, value)}, kind)


@settings(max_examples=300)
@given(
    link=st.text(max_size=60)
    | st.text(alphabet="ahtps:/.@[]%\\0159x-_é?#", max_size=40).map("https://".__add__)
)
def test_no_link_makes_it_raise(link):
    _reads_or_faults({"image": {"link": link}}, "image")
    _reads_or_faults({"interactive": cta(url=link)}, "interactive")
