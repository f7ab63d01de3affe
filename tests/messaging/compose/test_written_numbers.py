"""Numbers as people and spreadsheets write them: read when surely understood, else refused in words."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from messaging.compose.written_numbers import looked_for, read_number

READ = {
    "14155550100": ["14155550100", "+14155550100", "0014155550100", "00 1 415 555 0100", "'14155550100"],
    # as people write it
    "1 415 5550100": [
        "+1 (415) 555-0100",
        "+1.415.555.0100",
        "+1.4155550100",
        "1-415-555-0100",
        "(+1) 415 5550100",
    ],
    "49 1711234567": ["+49 171/1234567", "+49 171 / 12 34 567", "+(49) 171 1234567"],
    "33 612345678": ["+33.6.12.34.56.78", "+33 6 12 34 56 78"],
    # as it is pasted: marks of direction, byte order mark, other blanks and dashes
    "1 4155550100": [
        *("\u202a+14155550100\u202c", "\u200e14155550100", "\u200f14155550100", "\u202d14155550100\u202e"),
        *("\u206614155550100\u2069", "\ufeff14155550100", "1415\u200b5550100", "14155550100\u00ad"),
        *("1\u00a0415\u202f555\u20090100", "1\u2011415\u2013555\u22120100", "\t14155550100 "),
    ],
    # digits of other scripts
    "966 500000000": ["٩٦٦٥٠٠٠٠٠٠٠٠", "+٩٦٦ ٥٠ ٠٠٠ ٠٠٠٠", "\u2067+٩٦٦٥٠٠٠٠٠٠٠٠\u2069"],
    "98 9123456789": ["۹۸۹۱۲۳۴۵۶۷۸۹", "+۹۸ ۹۱۲ ۳۴۵ ۶۷۸۹"],
    "1 415 555 0100": ["１４１５５５５０１００", "＋１（４１５）５５５－０１００"],
    # countries whose numbers keep their zero
    "39 0669821234": ["+39 06 6982 1234", "390669821234"],
    "225 0701020304": ["+225 07 01 02 03 04", "2250701020304"],
    "229 0190123456": ["2290190123456"],
    # what WhatsApp itself writes
    "52 15512360022": ["5215512360022", "+52 1 55 1236 0022"],
    "54 91123456789": ["+54 9 11 2345-6789"],
    "55 1187650022": ["551187650022"],
}


@pytest.mark.parametrize(
    ("written", "digits"),
    [(one, digits.replace(" ", "")) for digits, many in READ.items() for one in many],
)
def test_a_number_is_read_however_it_is_written(written, digits):
    assert read_number(written) == looked_for(written) == digits


REFUSED = {
    # what a spreadsheet makes of it
    "decimal number": [
        *(
            "14155550100.0",
            "14155550100,0",
            "14155550100.00",
            "14155550100.",
            "1415555010.5",
            "+14155550100.0",
        ),
        *("14.155.550.100,00", "14,155,550,100.00", "1 415 555 0100.00"),
    ],
    "cut this number short": ["1.41556E+10", "1,41556E+10", "1.41555501e10", "1E+10", "+1.4E10"],
    # a zero that only the country itself dials
    "Did you mean +447911123456?": [
        *("+44 (0)7911 123456", "+44(0)7911123456", "0044 (0) 7911 123456", "+44 [0] 7911 123456"),
        *("+4407911123456", "4407911123456", "+44 07911 123456", "+٤٤ (٠) ٧٩١١ ١٢٣٤٥٦"),
    ],
    "Did you mean +4915112345678?": ["+49 (0) 151 12345678", "49015112345678"],
    "Did you mean +390669821234?": ["+39 (0)6 6982 1234"],
    "Did you mean +79123456789?": ["+7 8 912 345 67 89"],
    "Leave the zero out": ["+104155550100"],
    # more than one
    "two numbers": [
        *("14155550100, 14155550101", "14155550100;14155550101", "14155550100 / 14155550101"),
        *("14155550100 or 14155550101", "14155550100 14155550101", "+14155550100+14155550101"),
        *("14155550100\n14155550101", "+49 89 123456/7", "14155550100 (14155550101)", "1" * 16),
    ],
    # not only a number
    "Only digits": [
        *(
            "+1 415 555 0100 ext. 5",
            "+1 415 555 0100 x5",
            "14155550100#5",
            "14155550100;ext=5",
            "1415555010O",
        ),
        *(
            "1-800-FLOWERS",
            "tel:+14155550100",
            "$14155550100",
            '="14155550100"',
            "14155550100²",
            "14,155,550,100",
        ),
    ],
    # without a country, or not even that
    "country code": [
        *("07911 123456", "(0)7911", "011 44 7911 123456", "+0014155550100", "4155552671", "(415) 555-2671"),
        *(
            "2125551234",
            "3125551234",
            "+99912345678",
            "+1 415 555 0100-5",
            "",
            " ",
            "+",
            "call me",
            "½",
            "123456",
        ),
        *("-14155550100", "14155550100+", "++14155550100", "\u202e\u202c", "1" * 5_000),
    ],
}


@pytest.mark.parametrize(
    ("written", "said"),
    [(one, said) for said, many in REFUSED.items() for one in many],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_not_surely_understood_is_refused_with_a_reason(written, said):
    with pytest.raises(Invalid) as refused:
        read_number(written)
    (one,) = refused.value.fields
    assert said in one.message or (written == "(0)7911" and "brackets" in one.message)


def test_what_stands_in_a_list_already_can_be_looked_for():
    assert looked_for("+4407911123456") == looked_for("4407911123456") == "4407911123456"
    assert (
        looked_for("14155550100.0") == looked_for("+44 (0)7911 123456") == looked_for("Sara 12345678") == ""
    )
