"""Phone numbers as people and spreadsheets write them (pure). The APIs take digits and nothing else.

A number that is misread is another person's: their telephone rings, or the opt-out protects nobody. What is
not surely understood is therefore refused with a sentence that says why. What people paste without seeing it
is read: marks of direction, digits of other scripts, blanks that do not break.
"""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

from core.errors import Invalid, invalid
from core.http.fields import PHONE

#: no number is longer; what is, is two
LONGEST = 15
#: digits; anything shorter is not yet a whole number
SHORTEST = 7
#: characters of a number with everything that people put into it
TEXT_LONGEST = 100
_UNSEEN = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_PLUSSES = "+\uff0b\ufe62"
_MINUS = "\u2212"
_ALIKE = str.maketrans("\uff08\uff09\uff0e\uff0f\uff0c\uff1b", "()./,;")
_CUT = re.compile(r"\+?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+")
_PLAIN = re.compile(r"[0-9 ./()\[\]+-]+")
_LEADING_PLUS = re.compile(r"[(\[]? ?\+[^+]*")
#: a fraction: little behind the only dot or comma, anything behind a number's worth, cents behind thousands
_DECIMAL = re.compile(
    r"[^.,]*[0-9][.,][0-9]{0,2}|\+?[0-9]{7,}[.,][0-9]*|[0-9.]+,[0-9]{0,2}|[0-9]+(,[0-9]+)+\.[0-9]{0,2}"
)
_ZERO_APART = re.compile(r"[(\[] ?0+ ?[)\]]")
#: what stands in a list already, however it came there
_LOOKED_FOR = re.compile(r"\+?([0-9]{5,20})")
#: Mexico's mobiles as WhatsApp itself writes them, with a 1 that the country has given up
_MEXICAN = re.compile(r"521([0-9]{10})")

NO_NUMBER = "Write the number with its country code, for example +1 415 555 2671."
_CUT_SHORT = "The spreadsheet has cut this number short. Format the column as text and save it again."
_FRACTION = "This is a decimal number, as spreadsheets write it. Format the column as text and save it again."
_OTHER_SIGNS = "Only digits belong into a number: no letters, no commas, no extension, nothing beside it."
_SEVERAL = "This looks like two numbers. Write one."
_NO_COUNTRY = "The country code is missing. Write the number with it, for example +1 415 555 2671."


def read_number(text: str) -> str:
    """Return a number's digits, beginning with its country code.

    Raises ``Invalid`` (code ``number_cut`` for what a spreadsheet has spoilt, else ``invalid_phone_number``).
    """
    shown = _plain(text)
    if len(shown) > TEXT_LONGEST or not any("0" <= char <= "9" for char in shown):
        raise _no(NO_NUMBER)
    if _CUT.fullmatch(shown):
        raise _no(_CUT_SHORT, code="number_cut")
    if _DECIMAL.fullmatch(shown) and len(_digits(shown)) >= SHORTEST:
        raise _no(_FRACTION, code="number_cut")
    if not _PLAIN.fullmatch(shown):
        raise _no(_SEVERAL if _is_several(shown) else _OTHER_SIGNS)
    if _is_several(shown):
        raise _no(_SEVERAL)
    if _ZERO_APART.search(shown):
        raise _no(_about_zero(shown))
    if shown.startswith("-") or ("+" in shown and not _LEADING_PLUS.fullmatch(shown)):
        raise _no(NO_NUMBER)
    digits, is_international = _digits(shown), "+" in shown
    if digits.startswith("00") and not is_international:
        digits, is_international = digits[2:], True
    if digits.startswith("0"):
        raise _no(_NO_COUNTRY)
    if len(digits) > LONGEST:
        raise _no(_SEVERAL)
    if not PHONE.fullmatch(digits):
        raise _no(NO_NUMBER)
    _check_country(digits, is_international=is_international)
    return digits


def looked_for(text: str) -> str:
    """Return the digits of a number that somebody looks for; empty when it is none. Nothing is sent there."""
    try:
        return read_number(text)
    except Invalid:
        found = _LOOKED_FOR.fullmatch(_plain(text))
        return found[1] if found else ""


def _no(why: str, *, code: str = "invalid_phone_number") -> Invalid:
    return invalid("to", why, code=code)


def _plain(text: str) -> str:
    """Write a number with ASCII digits, blanks and dashes, without what cannot be seen."""
    bare = _UNSEEN.sub("", text).translate(_ALIKE).strip()
    shown = "".join(_as_ascii(char) for char in bare)
    return re.sub(" +", " ", shown.removeprefix("'")).strip(" ")


def _as_ascii(char: str) -> str:
    if char in _PLUSSES:
        return "+"
    kind = unicodedata.category(char)
    if kind == "Nd":
        return str(unicodedata.decimal(char))
    if kind == "Zs" or char == "\t":
        return " "
    return "-" if kind == "Pd" or char == _MINUS else char


def _digits(text: str) -> str:
    return "".join(char for char in text if "0" <= char <= "9")


def _is_several(shown: str) -> bool:
    """Tell whether a text holds more than one number, or one with two endings (``…100/1``)."""
    parts = [_digits(part) for part in re.split(r"[,;/|&\r\n\u2028]| or | and |(?<=[0-9]) ?\+", shown)]
    parts = [part for part in parts if part]
    if sum(len(part) >= SHORTEST for part in parts) > 1:
        return True
    ending = re.search(r"/ ?([0-9]+)$", shown)
    late = re.search(r"[(\[]", shown[1:])
    return bool(
        (ending and len(ending[1]) < 3) or (late and len(_digits(shown[: late.start() + 1])) >= SHORTEST)
    )


def _about_zero(shown: str) -> str:
    """Say what to do with a zero in brackets: in Italy it stays, elsewhere only the country dials it."""
    why = "A zero in brackets can be read in two ways. Write the number as it is dialled from abroad."
    for rest in (re.sub(r"[(\[)\]]", "", shown), _ZERO_APART.sub("", shown)):
        try:
            return f"{why} Did you mean +{read_number(rest)}?"
        except Invalid:
            continue
    return why


def _check_country(digits: str, *, is_international: bool) -> None:
    """Refuse a number that its country would not write like this.

    Whether it exists is WhatsApp's to say; only what hints at a misunderstanding is looked at. A number that
    was written with a plus has its country code for certain, and its country may have numbers by now that
    are longer than we know.
    """
    mexican = _MEXICAN.fullmatch(digits)
    if mexican:
        digits = f"52{mexican[1]}"
    try:
        number = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        raise _no(_NO_COUNTRY) from None
    code = str(number.country_code)
    written = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    if written != f"+{digits}":
        raise _no(
            f"What stands after the country code +{code} is only dialled within the country. "
            f"Did you mean {written}?"
        )
    if digits[len(code)] == "0" and not phonenumbers.is_valid_number(number):
        raise _no(f"No number begins with a zero after the country code +{code}. Leave the zero out.")
    # North America's plan is the one whose length is settled: what is longer there has an extension.
    if is_international and code != "1":
        return
    if phonenumbers.is_possible_number_with_reason(number) != ValidationResult.IS_POSSIBLE:
        raise _no(
            f"Numbers with the country code +{code} have another length. "
            "Write a plus and the country code in front, for example +1 415 555 2671."
        )
    if not is_international and len(digits) == 10 and not phonenumbers.is_valid_number(number):
        american = phonenumbers.parse(f"+1{digits}")
        if phonenumbers.is_valid_number(american):
            raise _no(_NO_COUNTRY)
