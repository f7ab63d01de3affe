"""A Secret shows itself to nobody who does not ask by name."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from dataclasses import asdict, dataclass

import orjson
import pytest

from core.secret import Secret

VALUE = "EAAcanary0123456789canary"


@dataclass
class Holder:
    token: Secret


def test_it_gives_the_value_to_who_asks():
    assert Secret(VALUE).reveal() == VALUE


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        ascii,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>40}",
        lambda secret: f"{secret:.3}",
        lambda secret: "{:>40}".format(secret),  # noqa: UP032
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
        lambda secret: repr([secret, {"token": secret}]),
        lambda secret: repr(Holder(secret)),
        lambda secret: json.dumps({"token": secret}, default=str),
        lambda secret: orjson.dumps({"token": secret}, default=str).decode(),
        lambda secret: repr(asdict(Holder(secret))),
        lambda secret: repr(pickle.loads(pickle.dumps(secret))),
        lambda secret: pickle.dumps({"token": secret}).decode("latin-1"),
        lambda secret: repr(copy.deepcopy([secret])),
        lambda secret: repr(ValueError("bad", secret)),
    ],
)
def test_it_says_secret_however_it_is_shown(show):
    text = show(Secret(VALUE))
    assert "[secret]" in text
    assert "canary" not in text


@pytest.mark.parametrize("write", [json.dumps, orjson.dumps])
def test_it_is_not_written_as_json_by_accident(write):
    with pytest.raises(TypeError) as caught:
        write({"token": Secret(VALUE)})
    assert "canary" not in str(caught.value)


def test_it_has_no_dict_to_print():
    assert not hasattr(Secret(VALUE), "__dict__")


def test_it_stays_hidden_in_a_traceback_with_variables():
    try:
        secret = Secret(VALUE)
        raise RuntimeError(f"refused: {secret}")
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "[secret]" in shown
    # The test's own constant stands in the module, not in the frame.
    assert VALUE not in shown


def test_it_equals_only_a_secret_of_the_same_value():
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2


def test_an_empty_one_is_false():
    assert not Secret("")
    assert Secret("0")
