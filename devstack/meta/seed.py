"""The world a sandbox starts with: one app and ten numbers, the same on every machine."""

import hashlib
from dataclasses import dataclass

from . import ids


def _hex(label: str) -> str:
    return hashlib.sha256(f"hermod sandbox {label}".encode()).hexdigest()[:32]


APP_ID = "634974688087057"
APP_NAME = "Hermod Sandbox"
APP_SECRET = _hex("app secret")
VERIFY_TOKEN = _hex("verify token")
BUSINESS_ID = "506914307656634"
COUNT = 10

_NAMES = (
    "Hermod Demo", "Bifrost Books", "Idun Apples", "Sleipnir Courier", "Heimdall Locks", "Freya Florist",
    "Mimir Tutors", "Bragi Records", "Njord Fish Market", "Eir Dental Care",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SeedNumber:
    """What somebody needs in order to connect a number, as Meta's dashboard would show it."""

    phone: str
    phone_number_id: str
    waba_id: str
    access_token: str
    verified_name: str


def number(index: int) -> SeedNumber:
    """The seeded number with that index: 0 is the demo's own, 1 to 9 are spare."""
    if not 0 <= index < COUNT:
        raise IndexError(f"There are {COUNT} seeded numbers, 0 to {COUNT - 1}.")
    if index == 0:
        phone, phone_number_id, waba_id = "+15557654321", "106540352242922", "102290129340398"
    else:
        phone = f"+1555765{4400 + index}"
        phone_number_id = ids.numeric(f"phone {index}")
        waba_id = ids.numeric(f"waba {index}")
    return SeedNumber(phone, phone_number_id, waba_id, ids.access_token(f"number {index}"), _NAMES[index])
