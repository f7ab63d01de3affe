"""Checks of a send call's body, as strict as Meta's: envelope, text, media, location, contacts, reaction."""

from collections.abc import Callable
from typing import Any, NamedTuple

from . import interactive, recipients, template_checks
from .errors import GraphError, invalid, missing
from .models import Number, Template
from .parts import MEDIA_TYPES, media_object, object_at, place, text_of
from .recipients import Recipient
from .world import World

TYPES = (
    "text", "template", "image", "video", "audio", "document", "sticker", "location", "contacts",
    "interactive", "reaction",
)  # fmt: skip
_ENVELOPE = frozenset(
    (
        "messaging_product", "recipient_type", "to", "recipient", "type", "context",
        "biz_opaque_callback_data", "recipient_identity_key_hash", "status", "message_id",
        "typing_indicator", "product_policy", "message_activity_sharing", "access_token",
        "appsecret_proof", *TYPES,
    )
)  # fmt: skip


class Send(NamedTuple):
    """A send call that stands: who gets what, and what Meta will find out only later (`late_error`)."""

    recipient: Recipient
    type: str
    ref: str
    template: Template | None
    late_error: int | None


def check(world: World, number: Number, body: dict[str, Any]) -> Send:
    """Check a send call; GraphError as Meta would answer it."""
    check_product(body)
    for key in body:
        if key not in _ENVELOPE:
            raise GraphError(100, f"Unexpected key '{key}' on the message.")
    if body.get("recipient_type", "individual") != "individual":
        raise GraphError(100, "Parameter 'recipient_type' must be 'individual': this sandbox has no groups.")
    kind = body.get("type", "text")
    if kind not in TYPES:
        allowed = ", ".join(TYPES)
        raise GraphError(100, f"Param type must be one of {{{allowed}}} - got '{kind}'.")
    recipient = recipients.read(world, number, body)
    if recipient.digits == number.digits:
        raise GraphError(131021)
    ref = _opaque(body)
    _context(body)
    part = body.get(kind)
    if part is None:
        raise missing(kind)
    template = late_error = None
    if kind == "template":
        template = template_checks.check(world, number, part, recipient.by_user_id)
    elif kind == "interactive":
        interactive.check(
            part, lambda kind, media: media_object(world, number, kind, media, "interactive.header")
        )
    elif kind in MEDIA_TYPES:
        late_error = media_object(world, number, kind, part, kind)
    else:
        _CHECKS[kind](world, part)
    return Send(recipient, kind, ref, template, late_error)


def check_product(body: dict[str, Any]) -> None:
    """Every call around messages has to say which product it means."""
    product = body.get("messaging_product")
    if product is None:
        raise GraphError(100, message="(#100) The parameter messaging_product is required.", plain=True)
    if product != "whatsapp":
        raise GraphError(100, f"Param messaging_product must be one of {{WHATSAPP}} - got '{product}'.")


def _opaque(body: dict[str, Any]) -> str:
    ref = body.get("biz_opaque_callback_data")
    if ref is None:
        return ""
    if not isinstance(ref, str) or len(ref) > 512:
        raise GraphError(
            100, "Parameter 'biz_opaque_callback_data' must be a string of at most 512 characters."
        )
    return ref


def _context(body: dict[str, Any]) -> None:
    context = body.get("context")
    if context is None:
        return
    if not isinstance(context, dict):
        raise GraphError(100, "Parameter 'context' must be an object.")
    if not _is_wamid(context.get("message_id")):
        raise invalid("Parameter 'context.message_id' is not a message id.")


def _is_wamid(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("wamid.")


def _text(_world: World, part: Any) -> None:
    part = object_at(part, "text")
    text_of(part, "body", "text['body']", 4096)
    if not isinstance(part.get("preview_url", False), bool):
        raise GraphError(100, "Param text['preview_url'] must be a boolean.")


def _location(_world: World, part: Any) -> None:
    place(part, "location")


def _contacts(_world: World, part: Any) -> None:
    if not isinstance(part, list) or not part:
        raise missing("contacts")
    if len(part) > 257:
        raise GraphError(100, "Param contacts must have at most 257 elements.")
    for index, card in enumerate(part):
        path = f"contacts[{index}]"
        name = object_at(object_at(card, path).get("name"), f"{path}['name']")
        text_of(name, "formatted_name", f"{path}['name']['formatted_name']", 1000)
        if not any(name.get(key) for key in ("first_name", "last_name", "middle_name", "suffix", "prefix")):
            raise missing(f"{path}['name']['first_name']")
        for key in ("addresses", "emails", "phones", "urls"):
            if not isinstance(card.get(key, []), list):
                raise GraphError(100, f"Param {path}['{key}'] must be an array.")


def _reaction(world: World, part: Any) -> None:
    part = object_at(part, "reaction")
    target = part.get("message_id")
    if target is None:
        raise missing("reaction['message_id']")
    if "emoji" not in part:
        raise missing("reaction['emoji']")
    if not isinstance(part["emoji"], str) or len(part["emoji"]) > 16:
        raise invalid("Param reaction['emoji'] is not an emoji.")
    known = world.received.get(target) or world.by_wamid.get(target) if isinstance(target, str) else None
    if known is None:
        raise invalid("Param reaction['message_id'] does not name a message of this chat.")


_CHECKS: dict[str, Callable[[World, Any], None]] = {
    "text": _text,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
}


def check_read(world: World, body: dict[str, Any]) -> str:
    """Check a mark-as-read call and return the id of the inbound message it names."""
    check_product(body)
    if body.get("status") != "read":
        raise GraphError(100, f"Param status must be one of {{read}} - got '{body.get('status')}'.")
    target = body.get("message_id")
    if target is None:
        raise missing("message_id")
    if not isinstance(target, str) or target not in world.received:
        raise invalid("Parameter 'message_id' does not name a message this number received.")
    indicator = body.get("typing_indicator")
    if indicator is not None and (not isinstance(indicator, dict) or indicator.get("type") != "text"):
        raise GraphError(100, "Param typing_indicator['type'] must be one of {text}.")
    return target
