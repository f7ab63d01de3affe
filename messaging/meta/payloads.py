"""The JSON bodies of Meta's send call, built from stored content (pure)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

REF_LIMIT = 512
"""Characters Meta takes in ``biz_opaque_callback_data``."""

_REF_PREFIX = "hm:"
_PHONE = re.compile(r"[1-9][0-9]{4,19}")
_USER_ID = re.compile(r"[A-Z]{2}(?:\.ENT)?\.[A-Za-z0-9]{1,128}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ROUND = re.compile(r"[0-9]{1,5}")
_TYPE = re.compile(r"[a-z_]{1,40}")
_ENVELOPE_KEYS = frozenset({"messaging_product", "recipient_type", "to", "recipient", "type", "context"})


def build(*, to: str, content: Mapping[str, Any], ref: str) -> dict[str, Any]:
    """Return the body of ``POST /{phone_number_id}/messages``; ``content`` is not changed.

    ``to`` is a phone number in digits, or a WhatsApp user ID such as ``US.1349…``. A number is sent
    with ``+``, because without it Meta may put the sender's country code in front. ``content`` has
    ``type``, the object of that name and optionally ``context.message_id`` and
    ``recipient_identity_key_hash``; a template's ``language`` may be a plain string, and its empty
    ``components`` are left out. ``ref`` comes back in every callback about this message.
    Raises ValueError for a recipient, a type, an object or a ref that Meta could not take.
    """
    kind = content.get("type")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind) or kind in _ENVELOPE_KEYS:
        raise ValueError("content needs the type of the message")
    part = content.get(kind)
    if not isinstance(part, (Mapping, list)):
        raise ValueError(f"content of type {kind} needs an object named {kind}")
    if not ref or len(ref) > REF_LIMIT:
        raise ValueError(f"ref must have 1 to {REF_LIMIT} characters")
    body: dict[str, Any] = {"messaging_product": "whatsapp", "recipient_type": "individual"}
    body.update(_recipient(to))
    body["type"] = kind
    body[kind] = _template(part) if kind == "template" and isinstance(part, Mapping) else part
    context = content.get("context")
    if isinstance(context, Mapping) and context.get("message_id"):
        body["context"] = {"message_id": context["message_id"]}
    if content.get("recipient_identity_key_hash"):
        body["recipient_identity_key_hash"] = content["recipient_identity_key_hash"]
    body["biz_opaque_callback_data"] = ref
    return body


def ref_for(message_id: uuid.UUID, sending_round: int = 0) -> str:
    """Return the callback data by which Meta's callbacks are matched to our message.

    ``sending_round`` counts manual retries: a late report of an earlier round must not end a new one.
    """
    return f"{_REF_PREFIX}{message_id}" + (f".{sending_round}" if sending_round else "")


def read_ref(ref: str | None) -> tuple[uuid.UUID, int] | None:
    """Return the message and round a callback is about; ``None`` for refs of other programs."""
    if not isinstance(ref, str) or not ref.startswith(_REF_PREFIX):
        return None
    # UUID() itself also takes braces, "urn:uuid:" and upper case, which ref_for never writes.
    text, _, number = ref.removeprefix(_REF_PREFIX).partition(".")
    if not _UUID.fullmatch(text) or not _ROUND.fullmatch(number or "0"):
        return None
    return uuid.UUID(text), int(number or "0")


def encode(body: Mapping[str, Any]) -> bytes:
    """Return the body as UTF-8 JSON. Raises orjson.JSONEncodeError for what JSON cannot say."""
    return orjson.dumps(body)


def _recipient(to: str) -> dict[str, str]:
    if _PHONE.fullmatch(to):
        return {"to": f"+{to}"}
    if _USER_ID.fullmatch(to):
        return {"recipient": to}
    raise ValueError("recipient must be a phone number in digits or a WhatsApp user ID")


def _template(part: Mapping[str, Any]) -> dict[str, Any]:
    template = dict(part)
    language = template.get("language")
    if isinstance(language, str):
        template["language"] = {"code": language}
    components = [item for item in template.pop("components", None) or [] if not _is_empty(item)]
    if components:
        template["components"] = components
    return template


def _is_empty(component: object) -> bool:
    """Tell whether a component fills nothing; Meta counts an empty one as a part with no values."""
    return isinstance(component, Mapping) and not component.get("parameters") and not component.get("cards")
