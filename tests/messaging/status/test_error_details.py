"""Meta's own words about a failure stand wherever the failure is shown, and only there."""

from __future__ import annotations

import csv
import io

import pytest

from messaging.models import Message, Status
from tests.factories import api, make_account, make_message
from tests.support.v1 import LOOKUP, MESSAGES

DETAILS = "(#131008) Button at index 0 of type Url requires a parameter, \u200fنعم"
SAID = {"title": "Required parameter is missing", "details": DETAILS, "fbtrace_id": "Ax", "http_status": 400}
FAILED = {"status": Status.FAILED, "failure": "parameter_missing", "error_code": 131008, "error_detail": SAID}


def lines(answer) -> list[dict[str, str]]:
    """Read a streamed CSV file."""
    return list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))


@pytest.mark.django_db
def test_one_message_the_list_and_the_export_have_them():
    account = make_account("pro")
    message = make_message(account, **FAILED)
    who = api(account)
    assert who.get(f"/messages/{message.pk}").json()["data"]["errorDetails"] == DETAILS
    assert [one["errorDetails"] for one in who.get("/messages").json()["data"]] == [DETAILS]
    assert [one["errorDetails"] for one in lines(who.get("/messages/export"))] == [DETAILS]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        FAILED | {"error_detail": None},
        FAILED | {"error_detail": {**SAID, "details": None}},
        {"status": Status.UNKNOWN, "error_detail": SAID},  # an answer that proved nothing
        {"status": Status.SENT},
    ],
)
def test_without_them_or_without_a_failure_they_are_null(fields):
    account = make_account("pro")
    message = make_message(account, **fields)
    assert api(account).get(f"/messages/{message.pk}").json()["data"]["errorDetails"] is None


def test_v1_has_them_only_when_there_are_any(org):
    fields = {"source": Message.Source.V1, "agent_id": org.agent.pk, "connection": org.number}
    told = make_message(org.account, **FAILED, **fields)
    silent = make_message(org.account, **FAILED | {"error_detail": None}, **fields)
    who = org.api()
    assert who.get(f"{MESSAGES}/{told.pk}").json()["failure_details"] == DETAILS
    assert "failure_details" not in who.get(f"{MESSAGES}/{silent.pk}").json()
    found = who.post_json(LOOKUP, {"ids": [str(told.pk)]}).json()["data"]
    assert [one["failure_details"] for one in found] == [DETAILS]
