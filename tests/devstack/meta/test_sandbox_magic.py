"""Each recipient of the magic table meets its fate, and nobody else does."""

import re
import time
from pathlib import Path

import pytest
import requests

from devstack.meta import magic
from messaging.queue.accept import MAGIC_RECIPIENTS
from tests.support.waiting import eventually

_AREA = "+1415555"
_GUIDES = Path(__file__).resolve().parents[3] / "templates/developers/guides"


def _settled(meta):
    """Nothing is planned, nothing waits: whatever has not come by now never will."""
    state = meta.control("GET", "state")
    return not state["planned"] and not state["callbacks_waiting"]


@pytest.mark.parametrize(
    ("digits", "code"),
    [
        ("0001", 131026),
        ("0002", 131047),
        ("0003", 131049),
        ("0004", 131050),
        ("0005", 131053),
        ("0006", 130472),
        ("0007", 131042),
    ],
)
def test_it_fails_by_callback(meta, digits, code):
    wamid = meta.wamid(meta.template(_AREA + digits, biz_opaque_callback_data="m-1"))
    eventually(lambda: meta.receiver.names(wamid) == ["failed"])
    status = meta.receiver.statuses(wamid)[0]
    error = status["errors"][0]
    assert error["code"] == code and error["title"] == error["message"] and error["error_data"]["details"]
    assert status["biz_opaque_callback_data"] == "m-1" and "pricing" not in status
    assert meta.accepted(ref="m-1")[0]["error"] == code
    eventually(lambda: _settled(meta))
    assert meta.receiver.names(wamid) == ["failed"]


@pytest.mark.parametrize(
    ("digits", "code", "status"),
    [("0010", 131056, 400), ("0017", 190, 401), ("0018", 131030, 400), ("0019", 368, 403)],
)
def test_it_refuses_at_once(meta, refused, digits, code, status):
    for _ in range(2):
        refused(meta.template(_AREA + digits), code, status)
    assert meta.accepted() == []


@pytest.mark.parametrize(
    ("digits", "status", "code"), [("0011", 429, 130429), ("0012", 500, 2), ("0013", 503, None)]
)
def test_it_refuses_the_first_try_only(meta, refused, digits, status, code):
    for ref in ("a", "b"):
        answer = meta.template(_AREA + digits, biz_opaque_callback_data=ref)
        assert answer.status_code == status
        if code:
            error = refused(answer, code, status)
            assert error.get("is_transient", False) == (code == 2)
        else:
            assert answer.headers["Content-Type"].startswith("text/html") and "<html" in answer.text
        assert meta.wamid(meta.template(_AREA + digits, biz_opaque_callback_data=ref))
        assert len(meta.accepted(ref=ref)) == 1


def test_it_accepts_and_never_answers(meta):
    with pytest.raises(requests.exceptions.ReadTimeout):
        meta.template(_AREA + "0014", biz_opaque_callback_data="m-14", timeout=1.0)

    def told() -> list[str]:
        # The test before this one did not wait for its own callbacks; they may come now.
        mine = [one for one in meta.receiver.statuses() if one["biz_opaque_callback_data"] == "m-14"]
        return sorted(one["status"] for one in mine)

    eventually(lambda: told() == ["delivered", "read", "sent"])
    assert len(meta.accepted(ref="m-14")) == 1


def test_it_closes_a_silent_connection_in_the_end(meta):
    meta.options(hang_seconds=0.05)
    with pytest.raises(requests.exceptions.ConnectionError):
        meta.template(_AREA + "0014", timeout=5)


def test_it_answers_slowly(meta):
    began = time.monotonic()
    assert meta.wamid(meta.template(_AREA + "0015"))
    assert time.monotonic() - began >= 0.4


@pytest.mark.parametrize(("digits", "accepted"), [("0016", 1), ("0029", 0)])
def test_it_resets_the_connection(meta, digits, accepted):
    with pytest.raises(requests.exceptions.ConnectionError) as trouble:
        meta.template(_AREA + digits)
    assert "reset" in str(trouble.value).lower()
    assert len(meta.accepted()) == accepted
    if accepted:
        eventually(lambda: len(meta.receiver.statuses()) == 3)


def test_it_accepts_and_then_answers_500(meta, refused):
    refused(meta.template(_AREA + "0028", biz_opaque_callback_data="m-28"), 131000, 500)
    assert len(meta.accepted(ref="m-28")) == 1
    eventually(lambda: len(meta.receiver.statuses()) == 3)


@pytest.mark.parametrize(
    ("digits", "names"),
    [
        ("0020", ["sent", "read"]),
        ("0021", ["sent"]),
        ("0024", ["sent", "delivered", "failed"]),
        ("0025", ["read", "delivered", "sent"]),
        ("2671", ["sent", "delivered", "read"]),
        ("0008", ["sent", "delivered", "read"]),
        ("1001", ["sent", "delivered", "read"]),
    ],
)
def test_it_calls_back_in_this_order(meta, digits, names):
    wamid = meta.wamid(meta.template(_AREA + digits))
    eventually(lambda: len(meta.receiver.statuses(wamid)) == len(names) and _settled(meta))
    assert meta.receiver.names(wamid) == names
    priced = [one["status"] for one in meta.receiver.statuses(wamid) if "pricing" in one]
    assert "sent" in priced and len(priced) <= 2


@pytest.mark.parametrize(
    ("to", "wa_id"),
    [
        ("+5511912340022", "551112340022"),
        ("+525512340022", "5215512340022"),
        ("+5411234560022", "54911234560022"),
    ],
)
def test_it_gives_another_wa_id(meta, to, wa_id):
    answer = meta.template(to)
    assert answer.json()["contacts"] == [{"input": to, "wa_id": wa_id}]
    eventually(lambda: len(meta.receiver.statuses()) == 3)
    assert {one["recipient_id"] for one in meta.receiver.statuses()} == {wa_id}


def test_it_hides_the_phone_number(meta):
    wamid = meta.wamid(meta.template(_AREA + "0023"))
    eventually(lambda: len(meta.receiver.statuses(wamid)) == 3)
    for status in meta.receiver.statuses(wamid):
        assert "recipient_id" not in status and status["recipient_user_id"].startswith("US.")
    assert "wa_id" not in str([value["contacts"] for value in meta.receiver.values()])


def test_it_calls_back_before_it_answers(meta):
    wamid = meta.wamid(meta.template(_AREA + "0026"))
    assert meta.receiver.names(wamid)[0] == "sent"


def test_it_calls_back_three_times(meta):
    wamid = meta.wamid(meta.template(_AREA + "0027"))
    eventually(lambda: len(meta.receiver.statuses(wamid)) == 9 and _settled(meta))
    assert sorted(meta.receiver.names(wamid)) == sorted(["sent", "delivered", "read"] * 3)


def test_it_documents_every_fate(meta):
    rows = meta.control("GET", "magic")["recipients"]
    assert [row["digits"] for row in rows] == [fate.digits for fate in magic.TABLE]
    assert len({fate.digits for fate in magic.TABLE}) == len(magic.TABLE) == 27
    assert all(fate.says for fate in magic.TABLE)
    for digits in ("4915112340001", "14155550001", "10001"):
        assert magic.fate_of(digits).failure == 131026
    assert magic.fate_of("14155500010").digits == "0010" and magic.fate_of("14155501000") is magic.NORMAL


def test_the_guide_lists_every_fate():
    guide = (_GUIDES / "testing.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `…(\d{4})` \| (.+) \|$", guide, re.MULTILINE)
    assert listed == [(fate.digits, fate.says) for fate in magic.TABLE]


def test_a_test_keys_recipients_fail_as_the_sandboxs_do():
    failing = {fate.digits: fate.failure for fate in magic.TABLE if fate.steps == ("failed",)}
    assert failing == MAGIC_RECIPIENTS
