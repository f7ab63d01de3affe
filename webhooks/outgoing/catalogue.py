"""Every type of event: when it is sent, the JSON Schema of its body, an example (/developers/events).

A body is ``{"event", "timestamp", "data", "id"}``; a type describes its ``data``. Members may be added to
``data`` later, so the schemas allow others; those named here stay what they are.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from core.http.fields import WA_ID

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def _text(about: str = "", **more: Any) -> Schema:
    return {"type": "string", **({"description": about} if about else {}), **more}


def _or_null(schema: Schema) -> Schema:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


def _moment(about: str = "") -> Schema:
    return _text(about, format="date-time", pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$")


def _id(about: str = "") -> Schema:
    return _text(about, format="uuid")


def _whole(about: str = "", **more: Any) -> Schema:
    return {"type": "integer", **({"description": about} if about else {}), **more}


def _yes_or_no(about: str) -> Schema:
    return {"type": "boolean", "description": about}


def _object(properties: dict[str, Schema], about: str = "", *, optional: tuple[str, ...] = ()) -> Schema:
    return {
        "type": "object",
        **({"description": about} if about else {}),
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


_PHONE = _text("Digits only, with the country code.", pattern=f"^{WA_ID.pattern}$")
#: an object that does not say what it may hold stops generators of clients
_ANYTHING: Schema = {"type": "object", "additionalProperties": {}}
_METADATA: Schema = {**_ANYTHING, "description": "What you gave with the message."}
_DRY_RUN = _yes_or_no("Simulated: WhatsApp was not called.")
_SEQUENCE = _whole(
    "Place in the message's own history; of two events of one message the higher one is later.", minimum=1
)
_NUMBER = {
    "phoneNumberId": _text("Meta's id of your number."),
    "phone": _or_null(_PHONE),
    "reason": _or_null(_text("What Meta said, for people to read.")),
}


@dataclass(frozen=True, slots=True)
class EventType:
    """One type: its name, when it is sent (a sentence), the schema of ``data`` and an example of it."""

    name: str
    when: str
    data: Schema
    example: dict[str, Any]

    def schema(self, public_url: str = "") -> Schema:
        """Return the JSON Schema of a whole body."""
        return {
            "$schema": DRAFT,
            "$id": f"{public_url}/developers/events/{self.name}.json",
            "title": self.name,
            "description": self.when,
            **_object(
                {
                    "event": {"const": self.name},
                    "timestamp": _moment("When it happened, UTC."),
                    "data": self.data,
                    "id": _text(
                        "The same on every attempt, and the header webhook-id.", pattern="^evt_[0-9a-f]{32}$"
                    ),
                }
            ),
        }

    def body(self) -> dict[str, Any]:
        """Return the example as a whole body, the caller's own: nobody changes what others are shown."""
        return {
            "event": self.name,
            "timestamp": "2026-03-28T10:00:04Z",
            "data": deepcopy(self.example),
            "id": "evt_019d0a3c5e8a7c31b2d4f60718293a4b",
        }


_MESSAGE_ID = "9dd15ee1-3c1a-7d2e-9b3f-5a6c7d8e9f01"
_SENT_TO = "14155552671"

TYPES = (
    EventType(
        "message.status_updated",
        "A message became sent, delivered, read or failed.",
        _object(
            {
                "messageId": _id(),
                "status": _text(enum=["sent", "delivered", "read", "failed"]),
                "to": _PHONE,
                "body": _or_null(
                    _text("The text that people read; a template's with its values, where it is known.")
                ),
                "sentAt": _or_null(_moment()),
                "deliveredAt": _or_null(_moment()),
                "readAt": _or_null(_moment()),
                "failedAt": _or_null(_moment()),
                "errorMessage": _or_null(_text("Why it failed, for people to read.")),
                "errorCode": _or_null(_whole("Meta's error code.")),
                "errorDetails": _or_null(_text("What Meta said beyond that, in its own words.")),
                "failure": _or_null(_text("A stable word for the failure; see /developers/errors.")),
                "wamid": _or_null(_text("WhatsApp's id of the message.")),
                "batchId": _or_null(_id("The bulk send it was part of.")),
                "metadata": _METADATA,
                "dryRun": _DRY_RUN,
                "sequence": _SEQUENCE,
            }
        ),
        {
            "messageId": _MESSAGE_ID,
            "status": "delivered",
            "to": _SENT_TO,
            "body": "Your order 1234 has shipped.",
            "sentAt": "2026-03-28T10:00:02Z",
            "deliveredAt": "2026-03-28T10:00:04Z",
            "readAt": None,
            "failedAt": None,
            "errorMessage": None,
            "errorCode": None,
            "errorDetails": None,
            "failure": None,
            "wamid": "wamid.HBgLMTQxNTU1NTI2NzEVAgARGBI5QTNDQTVCM0Q0Q0Q2RTY3RTcA",
            "batchId": None,
            "metadata": {"orderId": "1234"},
            "dryRun": False,
            "sequence": 3,
        },
    ),
    EventType(
        "message.received",
        "Somebody wrote to one of your numbers: text, media, a tap on a button, a place, anything.",
        _object(
            {
                "messageId": _id("Ours; stable."),
                "wamid": _text("WhatsApp's id; give it as replyTo to quote the message."),
                "from": _or_null({**_PHONE, "description": "Null when WhatsApp hides the number."}),
                "fromUserId": _or_null(_text("WhatsApp's id of the person, if it gives one.")),
                "profileName": _or_null(_text("As the person chose it; show it as text only.")),
                "phoneNumberId": _text("Meta's id of the number that was written to."),
                "to": _or_null(_PHONE),
                "type": _text("text, image, audio, button, interactive, location, … or a type to come."),
                "text": _or_null(_text("The readable text in it: a body, a caption, the words of a button.")),
                "content": {
                    "description": "The part that type names, as Meta wrote it.",
                    "anyOf": [_or_null(_ANYTHING), {"type": "array", "items": _ANYTHING}],
                },
                "media": {
                    **_or_null(
                        _object(
                            {
                                "id": _text("Meta's id of the file."),
                                "mimeType": _or_null(_text()),
                                "sha256": _or_null(_text()),
                                "filename": _or_null(_text()),
                            }
                        )
                    ),
                    "description": "For image, video, audio, document and sticker.",
                },
                "buttonPayload": _or_null(_text("What you gave the button that was tapped.")),
                "replyTo": _or_null(_text("The wamid of the message it answers.")),
                "receivedAt": _moment("When WhatsApp got it."),
                "sequence": _SEQUENCE,
            }
        ),
        {
            "messageId": "0190a3c5-e8a7-7c31-b2d4-f60718293a4b",
            "wamid": "wamid.HBgLMTQxNTU1NTI2NzEVAgASGBQzQTdCNDQ2QTg5RjI4RTlGQzYA",
            "from": _SENT_TO,
            "fromUserId": None,
            "profileName": "Kerry Fisher",
            "phoneNumberId": "106540352242922",
            "to": "15557654321",
            "type": "text",
            "text": "Does it come in another colour?",
            "content": {"body": "Does it come in another colour?"},
            "media": None,
            "buttonPayload": None,
            "replyTo": None,
            "receivedAt": "2026-03-28T10:00:04Z",
            "sequence": 1,
        },
    ),
    EventType(
        "message.scheduled",
        "A message was accepted that will be sent later.",
        _object(
            {
                "messageId": _id(),
                "status": {"const": "scheduled"},
                "to": _PHONE,
                "scheduledFor": _moment(),
                "batchId": _or_null(_id("The bulk send it is part of.")),
                "metadata": _METADATA,
                "dryRun": _DRY_RUN,
                "sequence": _SEQUENCE,
            }
        ),
        {
            "messageId": _MESSAGE_ID,
            "status": "scheduled",
            "to": _SENT_TO,
            "scheduledFor": "2026-03-29T08:00:00Z",
            "batchId": None,
            "metadata": {"orderId": "1234"},
            "dryRun": False,
            "sequence": 1,
        },
    ),
    EventType(
        "message.canceled",
        "A message was canceled before it was handed to WhatsApp.",
        _object(
            {
                "messageId": _id(),
                "status": {"const": "canceled"},
                "to": _PHONE,
                "batchId": _or_null(_id("The bulk send it was part of.")),
                "metadata": _METADATA,
                "dryRun": _DRY_RUN,
                "sequence": _SEQUENCE,
            }
        ),
        {
            "messageId": _MESSAGE_ID,
            "status": "canceled",
            "to": _SENT_TO,
            "batchId": None,
            "metadata": {"orderId": "1234"},
            "dryRun": False,
            "sequence": 2,
        },
    ),
    EventType(
        "template.status_updated",
        "Meta approved, rejected, paused or disabled a template, or moved it to another category.",
        _object(
            {
                "templateId": _text("Meta's id of the template."),
                "name": _or_null(_text()),
                "language": _or_null(_text()),
                "status": _or_null(_text("APPROVED, REJECTED, PAUSED, DISABLED, … in Meta's words.")),
                "category": _or_null(_text("MARKETING, UTILITY or AUTHENTICATION.")),
                "previousCategory": _or_null(_text()),
                "reason": _or_null(_text("Meta's reason.")),
            }
        ),
        {
            "templateId": "1627019861106475",
            "name": "order_shipped",
            "language": "en_US",
            "status": "PAUSED",
            "category": "MARKETING",
            "previousCategory": None,
            "reason": "FIRST_PAUSE",
        },
    ),
    EventType(
        "number.held",
        "Meta refused your number's credentials: its queue waits for new ones.",
        _object(_NUMBER),
        {
            "phoneNumberId": "106540352242922",
            "phone": "15557654321",
            "reason": "The access token has expired.",
        },
    ),
    EventType(
        "number.resumed",
        "New credentials were saved for a held number: its queue goes out.",
        _object(_NUMBER),
        {"phoneNumberId": "106540352242922", "phone": "15557654321", "reason": None},
    ),
    EventType(
        "account.quota_warning",
        "Your account has used most of its messages of this period.",
        _object(
            {
                "plan": _text(),
                "used": _whole("Messages accepted in this period.", minimum=0),
                "limit": _whole("Messages that the plan includes.", minimum=0),
                "percent": _whole("How much is used.", minimum=0),
                "periodEnd": _or_null(_moment("When the count begins anew.")),
            }
        ),
        {"plan": "basic", "used": 8000, "limit": 10000, "percent": 80, "periodEnd": "2026-04-01T00:00:00Z"},
    ),
    EventType(
        "webhook.test",
        "You asked for a test event.",
        _object({"message": _text()}),
        {"message": "This is a test event. Your endpoint works."},
    ),
)

CATALOGUE: dict[str, EventType] = {one.name: one for one in TYPES}
