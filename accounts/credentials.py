"""Meta's four values as people paste them: trimmed, and refused with what is wrong with them.

What passes here can be sent to Meta: ``messaging.meta`` refuses no id and no token that was saved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.errors import FieldError, Invalid
from core.secret import Secret

#: what an id and a secret look like, for a document; ``faults`` says more
META_ID = re.compile(r"[0-9]{5,20}")
TOKEN = re.compile(r"[!-~]{20,2000}")
APP_SECRET = re.compile(r"[!-~]{8,200}")

_NO_PHONE_ID = "Must be the Phone number ID from Meta (5 to 20 digits), not the phone number."
_NO_ID = "Must be 5 to 20 digits."
_ODD = re.compile(r"[^!-~]")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Meta needs to let us send from a number; ``None`` keeps what was saved for an optional part.

    Making one trims the values. Raises ``Invalid`` with every faulty one, by the names below.
    """

    access_token: Secret
    phone_number_id: str
    waba_id: str | None = None
    app_secret: Secret | None = None

    def __post_init__(self) -> None:
        secret = self.app_secret
        found = faults({
            "access_token": self.access_token.reveal(),
            "phone_number_id": self.phone_number_id,
            "waba_id": self.waba_id,
            "app_secret": secret.reveal() if secret is not None else None,
        })  # fmt: skip
        if found:
            raise Invalid(found)
        object.__setattr__(self, "access_token", Secret(self.access_token.reveal().strip()))
        object.__setattr__(self, "phone_number_id", self.phone_number_id.strip())
        if self.waba_id is not None:
            object.__setattr__(self, "waba_id", self.waba_id.strip())
        if secret is not None:
            object.__setattr__(self, "app_secret", Secret(secret.reveal().strip()))


def faults(values: Mapping[str, str | None]) -> list[FieldError]:
    """Say what is wrong with each of the values that is there; no sentence quotes one."""
    return [FieldError(name, said) for name, said in _faults(values)]


def _faults(values: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
    for name, least, most in (("access_token", 20, 2_000), ("app_secret", 8, 200)):
        value = values.get(name)
        if value is not None and (said := _of_secret(value.strip(), least, most)):
            yield name, said
    for name, otherwise in (("phone_number_id", _NO_PHONE_ID), ("waba_id", _NO_ID)):
        value = values.get(name)
        if value is not None and not META_ID.fullmatch(value.strip()):
            yield name, _of_blanks(value.strip()) or otherwise


def _of_secret(text: str, least: int, most: int) -> str:
    if text.lower().startswith(("bearer ", "oauth ")):
        return "Paste the token alone, without the word before it."
    if said := _of_blanks(text):
        return said
    if odd := _ODD.search(text):
        return f"Contains a character that cannot be part of it: U+{ord(odd[0]):04X}."
    if len(text) < least:
        return f"Is too short: it has {len(text)} characters, and Meta’s have at least {least}."
    if len(text) > most:
        return f"Is too long: it has {len(text)} characters, and Meta’s have at most {most}."
    return ""


def _of_blanks(text: str) -> str:
    if len(text.splitlines()) > 1:
        return "Contains a line break: paste it as one line."
    if any(one.isspace() for one in text):
        return "Contains a blank."
    return ""
