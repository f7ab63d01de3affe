"""An accept stays short: the functions, files and statements that it passes (``python -m bench.trip``)."""

from __future__ import annotations

import pytest

from bench import trip
from core.http.fields import Fields
from tests.factories import api, connect, make_account, make_key

TEXT = {"to": "14155552671", "message": "Hello"}


@pytest.mark.django_db
@pytest.mark.parametrize(("keyed", "functions", "statements"), [(False, 73, 5), (True, 75, 7)])
def test_an_accepted_message_passes_no_more_of_our_code_than_it_did(keyed, functions, statements):
    account = make_account("enterprise")
    connect(account)
    who = api(make_key(account)[1])

    def send(n: int) -> None:
        headers = {"HTTP_IDEMPOTENCY_KEY": str(n)} if keyed else {}
        assert who.post_json("/send-message", TEXT, **headers).status_code == 202

    found = trip.measured(send)
    files = {file for file, _ in found.inner}
    assert len(found.inner) <= functions, found.inner
    assert len(files) <= 25, files
    assert len(found.statements) == statements, found.statements


def test_a_trip_names_each_function_of_ours_once_and_no_others():
    def twice() -> None:
        phone, text = Fields({"to": "14155552671"}), Fields({"message": "Hello"})
        phone.phone("to")
        text.text("message")
        text.text("message")

    names = ["Fields.__init__", "Fields.phone", "Fields.text"]
    assert trip.follow(twice).stations == [("core/http/fields.py", name) for name in names]
