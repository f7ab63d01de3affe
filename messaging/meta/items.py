"""The things a callback of Meta's can bring, one frozen class for each.

All of them say whose they are: ``waba_id`` is the WhatsApp account, ``phone_number_id`` the number
(``None`` for account-wide news). ``raw`` is Meta's own object, kept so that reading it never destroys
evidence. Times are aware and in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messaging.meta.codes import MetaCode, lookup


@dataclass(frozen=True, slots=True)
class MetaError:
    """An entry of ``errors`` in a callback, with Meta's own words."""

    code: int | None
    title: str | None
    details: str | None

    @property
    def meta(self) -> MetaCode:
        """Our reading of the code."""
        return lookup(self.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """News about a message we sent. ``status`` is Meta's word, also when it is a new one.

    ``ref`` is what we sent as ``biz_opaque_callback_data``. ``recipient_id`` is missing when the person
    hides the number; ``recipient_user_id`` is then there.
    """

    waba_id: str | None
    phone_number_id: str | None
    wamid: str
    status: str
    at: datetime
    ref: str | None
    recipient_id: str | None
    recipient_user_id: str | None
    errors: tuple[MetaError, ...]
    pricing: dict[str, Any] | None
    conversation: dict[str, Any] | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """A message from a person, of any type, also unknown ones.

    ``text`` is the best readable text in it, ``None`` if there is none (a photo without caption).
    ``context_wamid`` is the message it answers or reacts to. ``opens_window`` tells whether it starts
    the 24 hours in which the person may be sent any message.
    """

    waba_id: str | None
    phone_number_id: str | None
    wamid: str
    sender: str | None
    sender_user_id: str | None
    profile_name: str | None
    type: str
    at: datetime
    text: str | None
    context_wamid: str | None
    opens_window: bool
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageEcho:
    """A message the business sent from its phone app; the number is used there as well as here."""

    waba_id: str | None
    phone_number_id: str | None
    wamid: str
    recipient_id: str | None
    recipient_user_id: str | None
    type: str
    at: datetime
    text: str | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChange:
    """News about a template; ``field`` says which kind.

    ``language`` is in the form Graph uses (``en_US``), although callbacks may write ``en-US``.
    ``category`` is the one in force and ``correct_category`` the one Meta announces; ``quality`` is
    Meta's new score; ``title`` names a pause (``FIRST_PAUSE`` …). ``reason`` is ``None`` for "NONE".
    """

    waba_id: str | None
    phone_number_id: str | None
    field: str
    event: str | None
    template_id: str
    name: str | None
    language: str | None
    reason: str | None
    category: str | None
    previous_category: str | None
    correct_category: str | None
    quality: str | None
    title: str | None
    at: datetime | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    """News about the account or a number, or a kind of callback nobody has documented yet."""

    waba_id: str | None
    phone_number_id: str | None
    field: str
    event: str | None
    at: datetime | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPreference:
    """A person stopped or resumed a category of messages; ``value`` is ``stop``, ``resume`` or newer."""

    waba_id: str | None
    phone_number_id: str | None
    wa_id: str | None
    user_id: str | None
    value: str
    category: str | None
    at: datetime | None
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueErrors:
    """Errors that belong to the number as a whole, not to one message."""

    waba_id: str | None
    phone_number_id: str | None
    errors: tuple[MetaError, ...]
    raw: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A part of a callback that could not be read; the other parts are not affected."""

    waba_id: str | None
    phone_number_id: str | None
    reason: str
    raw: object


Item = (
    StatusUpdate
    | InboundMessage
    | MessageEcho
    | TemplateChange
    | AccountChange
    | UserPreference
    | ValueErrors
    | Broken
)
