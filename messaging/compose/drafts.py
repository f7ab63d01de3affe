"""Drafts: what somebody wants sent, before it is known whether it can be; plain values, no database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from messaging.compose.kinds import Native

#: characters (not bytes) of a text that WhatsApp takes (W5)
TEXT_LONGEST = 4_096
#: how far ahead a message may be scheduled (W8)
FURTHEST = timedelta(days=366)
#: a template's name as Meta writes it, and a language as anybody writes one
TEMPLATE_NAME = re.compile(r"[a-z0-9_]{1,512}")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}")


@dataclass(frozen=True, slots=True)
class Text:
    """Free-form text, for the 24 hours after the customer last wrote."""

    body: str
    preview_url: bool = False


@dataclass(frozen=True, slots=True)
class RawTemplate:
    """An approved template with its values already in Meta's ``components``.

    ``text`` is its body with the values in it, where that is known; people read it, Meta does not get it.
    """

    name: str
    language: str
    components: list[Any] | None = None
    text: str | None = None


#: what every new WhatsApp account has, for a first message
HELLO_WORLD = RawTemplate(name="hello_world", language="en_US")
#: the members of ``ButtonValue`` that hold a value
BUTTON_MEMBERS = ("url_suffix", "otp_code", "quick_reply_payload", "coupon_code", "action")


@dataclass(frozen=True, slots=True)
class ButtonValue:
    """What one button of a template is filled with, by its 0-based place in the approved template.

    Callers fill the member that fits the button: ``url_suffix`` (or its alias ``otp_code``) for a link
    with a variable end and for one-time passwords, ``quick_reply_payload``, ``coupon_code``, or
    ``action``, which Meta gets as it is (FLOW, MPM, SPM, CATALOG, ORDER_DETAILS).
    """

    index: int
    url_suffix: str | None = None
    otp_code: str | None = None
    quick_reply_payload: str | None = None
    coupon_code: str | None = None
    action: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class FilledTemplate:
    """An approved template with friendly values; ``messaging.compose.content`` makes Meta's components of it.

    ``parameters`` fill the body and ``header_parameters`` a text header: name or number of the
    placeholder → its text. Without ``header_media_url`` a media header shows the sample that was given
    for approval. ``buttons`` in the order of the request, which a refusal's ``param`` counts in.

    A LOCATION header takes ``latitude``, ``longitude``, ``name`` and ``address`` as header parameters, a
    PRODUCT header ``product_retailer_id`` and ``catalog_id``. ``limited_time_offer`` and ``carousel`` are
    Meta's own objects (``{"expiration_time_ms": …}``, ``{"cards": […]}``), passed on as they are.
    """

    name: str
    language: str
    parameters: dict[str, str] = field(default_factory=dict)
    header_parameters: dict[str, str] = field(default_factory=dict)
    header_media_url: str | None = None
    buttons: tuple[ButtonValue, ...] = ()
    limited_time_offer: dict[str, Any] | None = None
    carousel: dict[str, Any] | None = None


What = Text | RawTemplate | FilledTemplate | Native


class Priority(StrEnum):
    """High goes before normal, normal before low; low always gets a share."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Draft:
    """One message to queue.

    ``to`` is digits only; ``send_at`` None means now. ``expires_in`` is how long the message is worth
    sending, from its due time; ``priority`` which queue of its number it stands in. None: by its kind.
    ``reply_to`` is the wamid it quotes; ``fallback`` a template that takes the place of a text when the
    customer service window is closed at the time of sending.
    """

    to: str
    what: What
    send_at: datetime | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    dry_run: bool = False
    expires_in: timedelta | None = None
    priority: Priority | None = None
    #: Meta's error code that a simulated send ends with; None: it is delivered
    simulate: int | None = None
    reply_to: str | None = None
    fallback: RawTemplate | None = None
