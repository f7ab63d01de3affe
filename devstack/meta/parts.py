"""Checks of the pieces that messages and templates have in common: texts, media objects, places."""

from typing import Any
from urllib.parse import urlsplit

from .errors import GraphError, invalid, missing
from .models import Number
from .world import World

MEDIA_TYPES = {
    "image": ("image/jpeg", "image/png"),
    "video": ("video/mp4", "video/3gpp"),
    "audio": ("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"),
    "document": (
        "text/plain",
        "application/pdf",
        "application/msword",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
    "sticker": ("image/webp",),
}
MEDIA_SIZES = {
    "image": 5 << 20,
    "video": 16 << 20,
    "audio": 16 << 20,
    "document": 100 << 20,
    "sticker": 500 << 10,
}
_MEDIA_KEYS = {
    "image": {"id", "link", "caption"},
    "video": {"id", "link", "caption"},
    "audio": {"id", "link", "voice"},
    "document": {"id", "link", "caption", "filename"},
    "sticker": {"id", "link"},
}
# A link whose ending tells another kind of file: Meta fetches it, finds out and fails the message.
_WRONG_ENDINGS = {
    "image": (".webp", ".gif", ".svg", ".pdf", ".mp4"),
    "video": (".webm", ".avi", ".mov", ".jpg", ".png"),
    "audio": (".wav", ".flac", ".jpg"),
    "sticker": (".jpg", ".png", ".gif"),
}


def text_of(holder: dict[str, Any], key: str, path: str, longest: int, required: bool = True) -> str:
    """A string of limited length, found at `path`."""
    value = holder.get(key)
    if value is None or value == "":
        if required:
            raise missing(path)
        return ""
    if not isinstance(value, str):
        raise GraphError(100, f"Param {path} must be a string.")
    if len(value) > longest:
        raise GraphError(100, f"Param {path} must be at most {longest} characters long.")
    return value


def object_at(value: Any, path: str) -> dict[str, Any]:
    """An object, or the refusal that there is none."""
    if value is None:
        raise missing(path)
    if not isinstance(value, dict):
        raise GraphError(100, f"Param {path} must be a JSON object.")
    return value


def media_object(world: World, number: Number, kind: str, part: Any, path: str) -> int | None:
    """Check one media object; the code of the failure Meta will report later, if it will."""
    part = object_at(part, path)
    for key in part:
        if key not in _MEDIA_KEYS[kind]:
            raise GraphError(100, f"Unexpected key '{key}' on param '{path}'.")
    media_id, link = part.get("id"), part.get("link")
    if (media_id is None) == (link is None):
        raise GraphError(131009, f"Param {path} needs exactly one of 'id' and 'link'.")
    text_of(part, "caption", f"{path}['caption']", 1024, required=False)
    text_of(part, "filename", f"{path}['filename']", 240, required=False)
    if not isinstance(part.get("voice", False), bool):
        raise GraphError(100, f"Param {path}['voice'] must be a boolean.")
    if link is not None:
        if not isinstance(link, str) or not _is_web_address(link):
            raise invalid(f"Param {path}['link'] is not a valid URL.")
        ending = urlsplit(link).path.lower()
        return 131053 if ending.endswith(_WRONG_ENDINGS.get(kind, ())) else None
    stored = world.media.get(str(media_id))
    if stored is None or stored.waba_id != number.waba_id:
        raise GraphError(
            100, f"Param {path}['id'] is not a valid whatsapp business account media attachment ID"
        )
    if stored.mime_type.split(";")[0] not in MEDIA_TYPES[kind]:
        return 131053
    return None


def _is_web_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in link


def place(part: Any, path: str, all_required: bool = False) -> None:
    """Check a location; a template's header wants all four of its values."""
    part = object_at(part, path)
    for key, limit in (("latitude", 90.0), ("longitude", 180.0)):
        value = part.get(key)
        if value is None:
            raise missing(f"{path}['{key}']")
        try:
            degrees = float(value)
        except (TypeError, ValueError):
            degrees = float("nan")
        if not -limit <= degrees <= limit:
            raise invalid(f"Param {path}['{key}'] is not a valid coordinate.")
    for key in ("name", "address"):
        text_of(part, key, f"{path}['{key}']", 1000, required=all_required)
