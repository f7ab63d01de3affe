"""Recipients: Meta's reading of `to` and `recipient`, with its trap for a missing plus."""

import re
from typing import Any, NamedTuple

from . import ids, magic
from .errors import GraphError, invalid
from .models import Number
from .world import World

_WRITTEN = re.compile(r"\+?[\d\s().\-]+\Z")
_USER_ID = re.compile(r"[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}\Z")


class Recipient(NamedTuple):
    """`given` is what the caller wrote, `digits` what Meta made of it, `wa_id` what WhatsApp calls the user.

    `key` names the user in windows and chats; `by_user_id` says that no number was given.
    """

    given: str
    digits: str
    wa_id: str
    user_id: str
    key: str
    by_user_id: bool
    both: bool


def international(written: str, business_digits: str) -> str:
    """The digits Meta reads. Without a plus it takes the number for a national one of the business's country.

    Only a number that already begins with that country's calling code and is long enough stays as it is.
    """
    digits = re.sub(r"\D", "", written)
    if written.lstrip().startswith("+"):
        return digits
    code = ids.calling_code(business_digits)
    national = len(digits) - len(code)
    complete = national == 10 if code == "1" else national >= 8
    if digits.startswith(code) and complete:
        return digits
    return code + digits


def read(world: World, number: Number, body: dict[str, Any]) -> Recipient:
    """The recipient of a send call; a refusal if there is none or it cannot be one."""
    to, user_id = body.get("to"), body.get("recipient")
    if user_id is not None and (not isinstance(user_id, str) or not _USER_ID.match(user_id)):
        raise invalid("Parameter 'recipient' is not a business-scoped user id.")
    if to is None or to == "":
        if not user_id:
            raise GraphError(100, message="(#100) The parameter to is required.", plain=True)
        wa_id = world.wa_id_of.get(user_id, "")
        return Recipient(user_id, "", wa_id, user_id, wa_id or user_id, True, False)
    if isinstance(to, int) and not isinstance(to, bool):
        to = str(to)
    if not isinstance(to, str) or not _WRITTEN.match(to.strip()):
        raise invalid("Recipient phone number is not valid.")
    digits = international(to, number.digits)
    if not 7 <= len(digits) <= 15:
        raise invalid("Recipient phone number is not valid: wrong length.")
    wa_id = magic.other_wa_id(digits) if magic.fate_of(digits).other_wa_id else digits
    return Recipient(to, digits, wa_id, ids.user_id(wa_id), wa_id, False, bool(user_id))
