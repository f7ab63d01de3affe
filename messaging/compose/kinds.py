"""Reader of what is neither text nor template: files, places, people, buttons and lists, reactions.

A request names one of ``KINDS`` in place of ``message`` or ``template``. What is read here comes out in
Meta's shape and within Meta's limits (section numbers are those of our notes on the Cloud API). Unknown
members are ignored and not sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

from core.http.fields import WA_ID, Fields
from messaging.compose.interactive import MEDIA_EXTRAS, inner, items, present, read_interactive, read_media

KINDS = (
    "image",
    "video",
    "audio",
    "document",
    "sticker",
    "location",
    "contacts",
    "interactive",
    "reaction",
)

# --- location and contacts (1.5) ---
LATITUDE_MOST = 90
LONGITUDE_MOST = 180
PLACE_LONGEST = 1_000  # ours: name and address
CONTACTS_MOST = 257  # more than a few are hard to use on a telephone; Meta advises far fewer
DETAIL_LONGEST = 1_000  # ours: any text on a contact's card
CONTACT_URL_LONGEST = 2_048  # ours
NAME_PARTS = ("first_name", "last_name", "middle_name", "suffix", "prefix")
_ADDRESS = ("street", "city", "state", "zip", "country", "country_code", "type")
_ORG = ("company", "department", "title")
# Meta takes a coordinate as a string too; only plain decimals, because float() also reads "1_0" or "inf".
_DECIMAL = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,30})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

# --- reaction and reply (1.1, 1.6, 1.11) ---
EMOJI_LONGEST = 10  # code points: the longest emoji, a couple with two skin tones, has ten
_WAMID = re.compile(r"wamid\.[A-Za-z0-9+/=_-]{10,240}")
_WAMID_LONGEST = 246


@dataclass(frozen=True, slots=True)
class Native:
    """What somebody wants sent, already in Meta's own shape.

    ``part`` is the object that Meta wants under the name ``type``, with only the members it knows;
    ``body`` the text a person would read in it, None where there is none.
    """

    type: str
    part: dict[str, Any] | list[Any]
    body: str | None


def read_kind(fields: Fields, kind: str) -> Native | None:
    """Read the member of a request named ``kind``, one of ``KINDS``.

    Returns None when anything about it is wrong; ``fields`` then has at least one fault more, with paths
    such as ``interactive.action.buttons[0].reply.title``. Raises nothing, whatever JSON it is.
    """
    before = len(fields.faults)
    native = READERS[kind](fields)
    return native if len(fields.faults) == before else None


def read_reply_to(fields: Fields) -> str | None:
    """Read ``replyTo``, the message to quote: Meta's ``context.message_id``. Not for a reaction."""
    if not fields.given("replyTo"):
        return None
    if fields.given("reaction"):
        fields.fault("replyTo", "A reaction names its message in reaction.messageId; leave replyTo out.")
        return None
    return _wamid(fields, "replyTo")


def _wamid(fields: Fields, name: str) -> str | None:
    value = fields.text(name, required=True, longest=_WAMID_LONGEST)
    if value is None:
        return None
    if not _WAMID.fullmatch(value):
        fields.fault(name, "Must be the WhatsApp id of a message, such as wamid.HBgLMTY1MDM4Nzk0MzkV.")
        return None
    return value


def _media(kind: str, fields: Fields) -> Native | None:
    part = inner(fields, kind)
    if part is None:
        return None
    found = read_media(part, MEDIA_EXTRAS[kind])
    return Native(kind, found, found.get("caption"))


def _interactive(fields: Fields) -> Native | None:
    part = inner(fields, "interactive")
    if part is None:
        return None
    found, body = read_interactive(part)
    return Native("interactive", found, body)


def _location(fields: Fields) -> Native | None:
    part = inner(fields, "location")
    if part is None:
        return None
    found = {
        "latitude": _degrees(part, "latitude", LATITUDE_MOST),
        "longitude": _degrees(part, "longitude", LONGITUDE_MOST),
        "name": part.text("name", longest=PLACE_LONGEST),
        "address": part.text("address", longest=PLACE_LONGEST),
    }
    return Native("location", present(found), found["name"])


def _degrees(part: Fields, name: str, most: int) -> Any:
    """Read a coordinate; it goes on as it came, a number or a string."""
    value = part.data.get(name)
    if value is None:
        part.fault(name, "This field is required.")
        return None
    degrees: int | float | None = None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        degrees = value
    elif isinstance(value, str) and _DECIMAL.fullmatch(value):
        degrees = float(value)
    if degrees is None or not -most <= degrees <= most:
        part.fault(name, f"Must be a number from -{most} to {most}, in decimal degrees.")
        return None
    return value


def _reaction(fields: Fields) -> Native | None:
    part = inner(fields, "reaction")
    if part is None:
        return None
    found = {"message_id": _wamid(part, "messageId"), "emoji": _emoji(part)}
    return Native("reaction", found, None)


def _emoji(part: Fields) -> str | None:
    if not part.given("emoji"):
        part.fault("emoji", "This field is required; an empty string removes the reaction.")
        return None
    emoji = part.text("emoji", longest=EMOJI_LONGEST, blank=True)
    if emoji and not emoji.strip():
        part.fault("emoji", "Must be an emoji, or an empty string to remove the reaction.")
    return emoji


def _contacts(fields: Fields) -> Native | None:
    return Native("contacts", [_card(card) for card in items(fields, "contacts", most=CONTACTS_MOST)], None)


def _card(card: Fields) -> dict[str, Any]:
    org = inner(card, "org", required=False)
    found = {
        "name": _name(card),
        "birthday": _birthday(card),
        "org": None if org is None else _details(org, _ORG),
        "phones": [_phone(phone) for phone in items(card, "phones", required=False)],
        "emails": [_email(email) for email in items(card, "emails", required=False)],
        "urls": [_url(url) for url in items(card, "urls", required=False)],
        "addresses": [
            address
            for address in (_details(one, _ADDRESS) for one in items(card, "addresses", required=False))
            if address
        ],
    }
    return {name: value for name, value in found.items() if value}


def _detail(part: Fields, name: str) -> str | None:
    """Read an optional text. Address books export what they do not know as "": that is absent."""
    value = part.text(name, longest=DETAIL_LONGEST, blank=True)
    return value if value and value.strip() else None


def _details(part: Fields, names: tuple[str, ...]) -> dict[str, Any]:
    return present({name: _detail(part, name) for name in names})


def _name(card: Fields) -> dict[str, Any] | None:
    name = inner(card, "name")
    if name is None:
        return None
    before = len(name.faults)
    parts = _details(name, NAME_PARTS)
    if not parts and len(name.faults) == before:
        # Said of the object: whichever part is added cures it.
        card.fault("name", f"Needs at least one of {', '.join(NAME_PARTS)} beside formatted_name.")
    return {"formatted_name": name.text("formatted_name", required=True, longest=DETAIL_LONGEST)} | parts


def _birthday(card: Fields) -> str | None:
    value = _detail(card, "birthday")
    if value is None:
        return None
    try:
        if not _DATE.fullmatch(value):
            raise ValueError
        date.fromisoformat(value)
    except ValueError:
        card.fault("birthday", "Must be a date as YYYY-MM-DD, for example 1990-12-31.")
    return value


def _phone(phone: Fields) -> dict[str, Any]:
    wa_id = _detail(phone, "wa_id")
    if wa_id is not None and not WA_ID.fullmatch(wa_id):
        phone.fault("wa_id", "Must be a WhatsApp number: a string of 5 to 20 digits.")
    number = phone.text("phone", required=True, longest=DETAIL_LONGEST)
    return present({"phone": number, "type": _detail(phone, "type"), "wa_id": wa_id})


def _email(email: Fields) -> dict[str, Any]:
    address = email.text("email", required=True, longest=DETAIL_LONGEST)
    # Loosely: it is shown on a card, nobody writes to it from here.
    if address is not None and "@" not in address[1:-1]:
        email.fault("email", "Must be an e-mail address.")
    return present({"email": address, "type": _detail(email, "type")})


def _url(url: Fields) -> dict[str, Any]:
    address = url.text("url", required=True, longest=CONTACT_URL_LONGEST)
    return present({"url": address, "type": _detail(url, "type")})


READERS: dict[str, Callable[[Fields], Native | None]] = {
    **{kind: partial(_media, kind) for kind in MEDIA_EXTRAS},
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "reaction": _reaction,
}
