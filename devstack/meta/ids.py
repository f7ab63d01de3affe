"""Identifiers in the shapes Meta gives them: message ids, trace ids, numeric ids, tokens, user ids."""

import base64
import hashlib
import secrets
import string

_ALPHANUMERIC = string.ascii_letters + string.digits

# Calling codes of one and two digits; every other calling code has three.
_SHORT_CODES = frozenset(
    str(code)
    for code in (
        *(1, 7, 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, *range(51, 59)),
        *(*range(60, 67), 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98),
    )
)
_COUNTRIES = {
    "1": "US", "7": "RU", "27": "ZA", "31": "NL", "33": "FR", "34": "ES", "39": "IT", "41": "CH",
    "43": "AT", "44": "GB", "45": "DK", "46": "SE", "47": "NO", "48": "PL", "49": "DE", "52": "MX",
    "54": "AR", "55": "BR", "57": "CO", "61": "AU", "62": "ID", "65": "SG", "81": "JP", "90": "TR",
    "91": "IN", "234": "NG", "254": "KE",
}  # fmt: skip


def wamid(wa_id: str, inbound: bool = False) -> str:
    """A fresh message id: Meta packs the user's number, the direction and a random part into base64."""
    ident = secrets.token_hex(10 if inbound else 9).upper().encode()
    number = wa_id.encode()
    packed = b"".join(
        (
            b"\x1c\x18",
            bytes((len(number),)),
            number,
            b"\x15\x02\x00\x12\x18" if inbound else b"\x15\x02\x00\x11\x18",
            bytes((len(ident),)),
            ident,
            b"\x00",
        )
    )
    return "wamid." + base64.b64encode(packed).decode()


def trace_id() -> str:
    """What Meta puts into `fbtrace_id`: an A and 22 URL-safe characters."""
    return "A" + secrets.token_urlsafe(17)[:22]


def numeric(label: str, digits: int = 15) -> str:
    """A numeric id that is always the same for the same label and never starts with zero."""
    value = int.from_bytes(hashlib.sha256(label.encode()).digest(), "big")
    low = 10 ** (digits - 1)
    return str(low + value % (9 * low))


def fresh_numeric(digits: int = 16) -> str:
    """A random numeric id for things made while the sandbox runs."""
    low = 10 ** (digits - 1)
    return str(low + secrets.randbelow(9 * low))


def alphanumeric(label: str, length: int) -> str:
    """Letters and digits that are always the same for the same label."""
    letters: list[str] = []
    block = hashlib.sha512(label.encode()).digest()
    while len(letters) < length:
        letters.extend(_ALPHANUMERIC[byte % 62] for byte in block)
        block = hashlib.sha512(block).digest()
    return "".join(letters[:length])


def access_token(label: str) -> str:
    """An access token that is always the same for the same label and looks like a system user's."""
    return "EAA" + alphanumeric("token " + label, 180)


def calling_code(digits: str) -> str:
    """The country calling code with which an international number (digits only) begins."""
    for length in (1, 2):
        if digits[:length] in _SHORT_CODES:
            return digits[:length]
    return digits[:3]


def user_id(wa_id: str) -> str:
    """The business-scoped user id of a number: country, dot, digits; the same number has always the same."""
    return f"{_COUNTRIES.get(calling_code(wa_id), 'US')}.{numeric('user ' + wa_id, 20)}"
