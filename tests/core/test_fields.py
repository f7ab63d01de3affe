"""Fields: phones, moments, texts; strict about types, and every fault is named at once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.errors import Invalid
from core.http.fields import Fields

ARABIC = "١٤١٥٥٥٥٢٦٧١"


def faults_of(fields: Fields) -> dict[str, str]:
    try:
        fields.done()
    except Invalid as refusal:
        return {fault.field: fault.message for fault in refusal.fields}
    return {}


@pytest.mark.parametrize(
    "number",
    ["14155552671", "447911123456", "919876543210", "61412345678", "1234567", "999999999999999"],
)
def test_it_takes_a_number_as_the_document_writes_it(number):
    fields = Fields({"to": number})
    assert fields.phone("to") == number
    assert faults_of(fields) == {}


BAD_PHONES = {
    "a plus": "+14155552671",
    "spaces": "1 415 555 2671",
    "dashes": "1-415-555-2671",
    "brackets": "1(415)5552671",
    "a leading zero": "04155552671",
    "two leading zeros": "0014155552671",
    "six digits": "141555",
    "sixteen digits": "1415555267112345",
    "a line break behind": "14155552671\n",
    "a carriage return behind": "14155552671\r",
    "a space behind": "14155552671 ",
    "a space before": " 14155552671",
    "Arabic-Indic digits": ARABIC,
    "one Arabic-Indic digit": "1415555267" + ARABIC[0],
    "full-width digits": "１４１５５５５２６７１",
    "a superscript": "1415555267¹",
    "a right-to-left mark": "1415555\u200f2671",
    "a right-to-left override": "\u202e14155552671",
    "a soft hyphen": "1415\u00ad5552671",
    "letters": "1415555CALL",
    "an exponent": "1e10",
    "hexadecimal": "0x14155552671",
    "an underscore": "1_415_555_2671",
    "two numbers": "14155552671,14155552672",
    "an address": "14155552671@c.us",
    "nothing": "",
    "only space": "   ",
    "100,000 digits": "1" * 100_000,
}


@pytest.mark.parametrize("number", BAD_PHONES.values(), ids=BAD_PHONES.keys())
def test_it_refuses_any_other_spelling_of_a_number(number):
    fields = Fields({"to": number})
    fields.phone("to")
    assert list(faults_of(fields)) == ["to"]


@pytest.mark.parametrize("value", [14155552671, 1.5, True, False, ["14155552671"], {"n": "1"}, 0])
def test_a_number_must_be_a_string(value):
    fields = Fields({"to": value})
    fields.phone("to")
    assert faults_of(fields) == {"to": "Must be a string."}


@pytest.mark.parametrize("data", [{}, {"to": None}])
def test_a_number_is_required(data):
    fields = Fields(data)
    fields.phone("to")
    assert faults_of(fields) == {"to": "This field is required."}


MOMENTS = [
    ("2026-05-01T09:00:00Z", datetime(2026, 5, 1, 9, tzinfo=UTC)),
    ("2026-04-15T08:00:00.000Z", datetime(2026, 4, 15, 8, tzinfo=UTC)),
    ("2026-05-01T09:00Z", datetime(2026, 5, 1, 9, tzinfo=UTC)),
    ("2026-05-01t09:00:00z", datetime(2026, 5, 1, 9, tzinfo=UTC)),
    ("2026-05-01 09:00:00Z", datetime(2026, 5, 1, 9, tzinfo=UTC)),
    ("2026-05-01T09:00:00", datetime(2026, 5, 1, 9, tzinfo=UTC)),
    ("2026-05-01T09:00:00.123456", datetime(2026, 5, 1, 9, 0, 0, 123456, UTC)),
    ("2026-05-01T09:00:00.5Z", datetime(2026, 5, 1, 9, 0, 0, 500000, UTC)),
    ("2026-05-01T09:00:00.123456789Z", datetime(2026, 5, 1, 9, 0, 0, 123456, UTC)),
    ("2026-05-01T09:00:00+02:00", datetime(2026, 5, 1, 7, tzinfo=UTC)),
    ("2026-05-01T09:00:00+02", datetime(2026, 5, 1, 7, tzinfo=UTC)),
    ("2026-05-01T09:00:00-0530", datetime(2026, 5, 1, 14, 30, tzinfo=UTC)),
    ("2026-05-01T09:00:00+14:00", datetime(2026, 4, 30, 19, tzinfo=UTC)),
    ("2026-05-01T09:00:00-12:00", datetime(2026, 5, 1, 21, tzinfo=UTC)),
    ("2028-02-29T00:00:00Z", datetime(2028, 2, 29, tzinfo=UTC)),
]


@pytest.mark.parametrize(("text", "moment"), MOMENTS, ids=[text for text, _ in MOMENTS])
def test_it_reads_a_moment_into_utc(text, moment):
    fields = Fields({"sendAt": text})
    assert fields.moment("sendAt") == moment
    assert fields.moment("sendAt").tzinfo is UTC
    assert faults_of(fields) == {}


BAD_MOMENTS = [
    "2026-05-01",
    "09:00:00Z",
    "2026-05-01T",
    "2026-05-01T09Z",
    "20260501T090000Z",
    "2026-W18-5T09:00:00Z",
    "2026-121T09:00:00Z",
    "2026-05-01T24:00:00Z",
    "2026-05-01T24:00Z",
    "2026-05-01T09:60:00Z",
    "2026-05-01T09:00:60Z",
    "2026-02-29T09:00:00Z",
    "2026-13-01T09:00:00Z",
    "2026-00-10T09:00:00Z",
    "0000-01-01T00:00:00Z",
    "2026-05-01T09:00:00+24:00",
    "2026-05-01T09:00:00+99:99",
    "2026-05-01T09:00:00+2",
    "2026-05-01T09:00:00.Z",
    "2026-05-01T09:00:00,5Z",
    "2026-05-01T09:00:00Z\n",
    " 2026-05-01T09:00:00Z",
    "2026-05-01T09:00:00 Z",
    "2026-05-01T09:00:00 Europe/Berlin",
    "٢٠٢٦-٠٥-٠١T٠٩:٠٠:٠٠Z",
    "２０２６-05-01T09:00:00Z",
    "2026-05-01T09:00:0٠Z",
    "2026-05-01\u200eT09:00:00Z",
    "2026−05−01T09:00:00Z",
    "1777626000",
    "tomorrow",
    "",
    "  ",
    "2026-05-01T09:00:00.0000000000Z",
    "9" * 10_000,
    # Before the first and after the last moment that UTC can say.
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
]


@pytest.mark.parametrize("text", BAD_MOMENTS, ids=[ascii(text)[:40] for text in BAD_MOMENTS])
def test_it_refuses_any_other_spelling_of_a_moment(text):
    fields = Fields({"sendAt": text})
    assert fields.moment("sendAt") is None
    assert list(faults_of(fields)) == ["sendAt"]


@pytest.mark.parametrize("value", [1777626000, 1.5, True, ["2026-05-01T09:00:00Z"], {}])
def test_a_moment_must_be_a_string(value):
    fields = Fields({"sendAt": value})
    assert fields.moment("sendAt") is None
    assert faults_of(fields) == {"sendAt": "Must be a string."}


@pytest.mark.parametrize("data", [{}, {"sendAt": None}])
def test_a_moment_may_be_left_out(data):
    fields = Fields(data)
    assert fields.moment("sendAt") is None
    assert faults_of(fields) == {}


@pytest.mark.parametrize("letter", ["a", "é", "字", "😀", "\u0301"])
def test_a_text_is_measured_in_characters_not_bytes(letter):
    fields = Fields({"fits": letter * 4096, "long": letter * 4097})
    assert fields.text("fits", longest=4096) == letter * 4096
    assert fields.text("long", longest=4096) is None
    assert list(faults_of(fields)) == ["long"]


@pytest.mark.parametrize("value", ["", " ", "\n\t", "\u00a0\u2003"])
def test_a_text_of_nothing_but_space_is_empty(value):
    fields = Fields({"message": value})
    assert fields.text("message") is None
    assert faults_of(fields) == {"message": "Must not be empty."}


def test_a_text_is_given_back_as_it_came():
    assert Fields({"message": " a\n e\u0301 "}).text("message") == " a\n e\u0301 "


@pytest.mark.parametrize("value", [1, "true", "false", "", 0, [], {}])
def test_a_flag_must_be_true_or_false(value):
    fields = Fields({"dry_run": value})
    assert fields.flag("dry_run") is False
    assert faults_of(fields) == {"dry_run": "Must be true or false."}


@pytest.mark.parametrize(("data", "flag"), [({}, False), ({"f": None}, False), ({"f": True}, True)])
def test_a_flag_left_out_is_false(data, flag):
    fields = Fields(data)
    assert fields.flag("f") is flag
    assert faults_of(fields) == {}


@pytest.mark.parametrize("value", ["{}", [], 1, True])
def test_a_mapping_must_be_an_object(value):
    fields = Fields({"metadata": value})
    assert fields.mapping("metadata") is None
    assert faults_of(fields) == {"metadata": "Must be an object."}


def test_it_names_every_fault_with_its_path():
    fields = Fields({"to": "+1", "message": 5, "unknown": 1}, prefix="messages[3].")
    fields.phone("to")
    fields.text("message")
    fields.text("name", required=True)
    assert list(faults_of(fields)) == ["messages[3].to", "messages[3].message", "messages[3].name"]
