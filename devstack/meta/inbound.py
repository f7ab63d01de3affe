"""Inbound messages: what customers send, of every type, in the shape in which Meta calls back."""

import hashlib
from typing import Any

from . import ids
from .callbacks import Courier, Item
from .models import Media, Number, ReceivedMessage
from .world import World

# The smallest PNG there is: one transparent pixel.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da6364f8ff"
    "ff3f0005fe02fea7d6059b0000000049454e44ae426082"
)
_MIME = {
    "image": "image/png",
    "video": "video/mp4",
    "audio": "audio/ogg; codecs=opus",
    "document": "application/pdf",
    "sticker": "image/webp",
}
_KEPT_FOR = 7 * 24 * 3600.0
# Notices and reactions do not count as the customer having written.
_OPENS_NO_WINDOW = {"system", "reaction", "revoke"}
_SAMPLES: dict[str, Any] = {
    "text": {"body": "Does it come in another color?"},
    "location": {
        "latitude": 37.44221496582,
        "longitude": -122.16165924072,
        "name": "Philz Coffee",
        "address": "101 Forest Ave, Palo Alto, CA 94301",
    },
    "contacts": [
        {
            "name": {"first_name": "Lucía", "last_name": "Gómez", "formatted_name": "Lucía Gómez"},
            "phones": [{"phone": "+1 (983) 555-2319", "wa_id": "19835552319", "type": "MOBILE"}],
        }
    ],
    "button": {"payload": "Unsubscribe", "text": "Unsubscribe"},
    "interactive": {"type": "button_reply", "button_reply": {"id": "cancel-button", "title": "Cancel"}},
    "reaction": {"message_id": "wamid.unknown", "emoji": "\N{THUMBS UP SIGN}"},
    "order": {
        "catalog_id": "194836987003835",
        "text": "Love these!",
        "product_items": [
            {"product_retailer_id": "di9ozbzfi4", "quantity": 2, "item_price": 30, "currency": "USD"}
        ],
    },
    "unsupported": {"type": "poll"},
    "edit": {
        "original_message_id": "wamid.unknown",
        "message": {"context": {"id": "M0"}, "type": "text", "text": {"body": "As I meant to say"}},
    },
    "revoke": {"original_message_id": "wamid.unknown"},
}
TYPES = ("image", "video", "audio", "document", "sticker", "system", *_SAMPLES)
_UNSUPPORTED = {
    "code": 131051,
    "title": "Message type unknown",
    "message": "Message type unknown",
    "error_data": {"details": "Message type is currently not supported."},
}


def store_media(
    world: World, waba_id: str, content: bytes, mime_type: str, lifetime: float, file_name: str = ""
) -> Media:
    """Keep a file under a new media id."""
    digest = hashlib.sha256(content).hexdigest()
    media = Media(
        ids.fresh_numeric(16), waba_id, mime_type, digest, content, world.clock.now(), lifetime, file_name
    )
    world.media[media.id] = media
    return media


def media_url(world: World, media: Media, base_url: str) -> str:
    """An address from which the file can be fetched for five minutes."""
    key = ids.trace_id()
    now = world.clock.now()
    media.keys = {old: until for old, until in media.keys.items() if until > now}
    media.keys[key] = now + 300
    return f"{base_url}/whatsapp_business/attachments/?mid={media.id}&hash={key}"


def receive(world: World, courier: Courier, number: Number, given: dict[str, Any]) -> ReceivedMessage:
    """A customer's message reaches the number: remember it, open the window, call back.

    `given` has `from` and, if wanted, `name`, `type`, the type's own object, `context`, `referral`,
    `timestamp` and `hide_phone`.
    """
    wa_id = str(given.get("from", "")).lstrip("+")
    if not wa_id.isdigit() or not 7 <= len(wa_id) <= 15:
        raise ValueError("'from' must be a phone number.")
    kind = given.get("type", "text")
    person = world.contact(wa_id, str(given.get("name", "")))
    message: dict[str, Any] = {
        "from": wa_id,
        "id": given.get("id") or ids.wamid(wa_id, inbound=True),
        "timestamp": str(given.get("timestamp") or int(world.clock.now())),
        "type": kind,
    }
    if world.options.with_user_ids:
        message["from_user_id"] = person.user_id
    for key in ("context", "referral", "errors", "identity", "group_id"):
        if key in given:
            message[key] = given[key]
    if given.get("hide_phone"):
        del message["from"]
        message["from_user_id"] = person.user_id
    message |= _part(world, number, kind, given, wa_id, person.name)
    entry = ReceivedMessage(message["id"], number.id, wa_id, message, world.clock.now())
    world.record_received(entry, kind not in _OPENS_NO_WINDOW)
    # Inbound messages use up the number's throughput as well.
    rate = number.messages_per_second()
    if rate:
        world.number_limits.take(number.id, world.clock.now(), 1 / rate, max(1.0, rate))
    contact: dict[str, Any] = {"profile": {"name": person.name}, "wa_id": wa_id}
    if world.options.with_user_ids or given.get("hide_phone"):
        contact |= {"user_id": person.user_id}
    if given.get("hide_phone"):
        del contact["wa_id"]
    # A notice about a user comes without the user's card.
    card = None if kind == "system" else contact
    courier.publish(Item(number.waba_id, "messages", message, "messages", number, card))
    world.stats["inbound"] += 1
    return entry


def _part(
    world: World, number: Number, kind: str, given: dict[str, Any], wa_id: str, name: str
) -> dict[str, Any]:
    """The object that belongs to the type; what is not given is filled with a sample."""
    own = given.get(kind)
    if kind in _MIME:
        return {kind: _media(world, number, kind, own if isinstance(own, dict) else {})}
    if kind == "text" and isinstance(own, str):
        return {"text": {"body": own}}
    if kind == "system" and own is None:
        other = wa_id[:-1] + str((int(wa_id[-1]) + 1) % 10)
        body = f"User {name} changed from {wa_id} to {other}"
        return {"system": {"body": body, "wa_id": other, "type": "user_changed_number"}}
    if kind == "unsupported":
        return {"errors": given.get("errors") or [_UNSUPPORTED], "unsupported": own or _SAMPLES[kind]}
    if own is not None:
        return {kind: own}
    if kind in _SAMPLES:
        return {kind: _SAMPLES[kind]}
    # A type nobody has heard of yet comes without an object; gateways must live with it.
    return {}


def _media(world: World, number: Number, kind: str, own: dict[str, Any]) -> dict[str, Any]:
    mime_type = own.get("mime_type") or _MIME[kind]
    stored = store_media(world, number.waba_id, _PIXEL, mime_type, _KEPT_FOR, own.get("filename", ""))
    made: dict[str, Any] = {
        "mime_type": mime_type,
        "sha256": stored.sha256,
        "id": stored.id,
        "url": media_url(world, stored, world.base_url),
    }
    if kind == "audio":
        made["voice"] = True
    elif kind == "sticker":
        made["animated"] = False
    elif kind == "document":
        made["filename"] = "receipt.pdf"
    return made | own


def change(world: World, courier: Courier, waba_id: str, field: str, value: dict[str, Any]) -> None:
    """Any update of any field, exactly as given."""
    courier.publish(Item(waba_id, field, value))
    world.stats["changes"] += 1


def dashboard_test(courier: Courier, waba_id: str) -> None:
    """What the dashboard's Test button sends: a sample with ids that belong to nobody, rightly signed."""
    nobody = Number("123456123", "+16505551111", waba_id, "Test", "")
    message = {
        "from": "16315551181",
        "id": "ABGGFlA5Fpa",
        "timestamp": "1504902988",
        "type": "text",
        "text": {"body": "this is a text message"},
    }
    contact = {"profile": {"name": "test user name"}, "wa_id": "16315551181"}
    courier.publish(Item(waba_id, "messages", message, "messages", nobody, contact, entry_id="0"))
