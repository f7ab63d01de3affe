"""OpenAPI shapes of messaging in the v1 API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.http.fields import PHONE
from messaging.compose.drafts import LANGUAGE, TEXT_LONGEST

E164 = rf"^\+{PHONE.pattern}$"
STATUSES_V1 = ["queued", "sent", "delivered", "read", "failed"]

_VALUES = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "example": {"customer_name": "Sara"},
}


@extend_schema_field(_VALUES)
class Values(serializers.DictField):
    """Placeholder → its text."""


class TextV1(serializers.Serializer[Any]):
    """A text."""

    body = serializers.RegexField(r"\S", min_length=1, max_length=TEXT_LONGEST)
    preview_url = serializers.BooleanField(required=False, help_text="Show a preview of the first link.")


class SendTextBody(serializers.Serializer[Any]):
    """What ``POST /v1/whatsapp/messages`` takes."""

    agent_id = serializers.UUIDField(help_text="The agent to send from.")
    to = serializers.RegexField(E164, help_text="The recipient.")
    text = TextV1()
    dry_run = serializers.BooleanField(required=False, help_text="Simulate; WhatsApp is not called.")
    dryRun = serializers.BooleanField(required=False, help_text="Another name for `dry_run`.")

    def get_fields(self) -> dict[str, Any]:
        """Add ``from``, which Python keeps for itself."""
        return with_from(super().get_fields())


class ButtonV1(serializers.Serializer[Any]):
    """The value of one dynamic button."""

    index = serializers.IntegerField(min_value=0, help_text="Its place in the approved template, from 0.")
    url_suffix = serializers.CharField(required=False, help_text="What takes the place of {{1}} in its URL.")
    otp_code = serializers.CharField(required=False, help_text="The code; another name for url_suffix.")
    quick_reply_payload = serializers.CharField(
        required=False,
        help_text="Comes to your webhook when it is tapped: `buttonPayload` of `message.received`.",
    )
    coupon_code = serializers.CharField(required=False, help_text="At most 15 characters, says Meta.")
    action = serializers.DictField(
        required=False, help_text="FLOW, MPM, SPM, CATALOG, ORDER_DETAILS: Meta gets it as it is."
    )


class TemplateV1(serializers.Serializer[Any]):
    """A template with its values."""

    name = serializers.RegexField(r"\S", max_length=512)
    language = serializers.RegexField(f"^{LANGUAGE.pattern}$", max_length=20)
    parameters = Values(required=False, help_text="The body's placeholders, by name or by number.")
    header_parameters = Values(required=False, help_text="The text header's placeholder.")
    header_media_url = serializers.CharField(
        required=False, help_text="A public HTTPS address for a media header; else the approved sample."
    )
    buttons = ButtonV1(many=True, required=False)
    limited_time_offer = serializers.DictField(
        required=False, help_text='When the offer ends: {"expiration_time_ms": Unix time in milliseconds}.'
    )
    carousel = serializers.DictField(
        required=False, help_text='{"cards": […]} as Meta\'s reference has them; passed on as they are.'
    )


class SendTemplateBody(serializers.Serializer[Any]):
    """What ``POST /v1/whatsapp/templates`` takes."""

    agent_id = serializers.UUIDField(help_text="The agent to send from.")
    to = serializers.RegexField(E164, help_text="The recipient.")
    template = TemplateV1()
    dry_run = serializers.BooleanField(required=False, help_text="Simulate; WhatsApp is not called.")
    dryRun = serializers.BooleanField(required=False, help_text="Another name for `dry_run`.")

    def get_fields(self) -> dict[str, Any]:
        """Add ``from``, which Python keeps for itself."""
        return with_from(super().get_fields())


def with_from(fields: dict[str, Any]) -> dict[str, Any]:
    """Put ``from`` behind ``agent_id``."""
    number = serializers.RegexField(E164, help_text="One of the agent's active WhatsApp numbers.")
    return {"agent_id": fields.pop("agent_id"), "from": number, **fields}


class MessageV1(serializers.Serializer[Any]):
    """A message."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(STATUSES_V1)
    agent_id = serializers.UUIDField()
    to = serializers.CharField(help_text="The recipient, with the plus.")
    type = serializers.ChoiceField(["text", "template"])
    platform_message_id = serializers.CharField(allow_null=True, help_text="Meta's wamid, once it has one.")
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(
        allow_null=True, help_text="When Meta was given the message, also if it refused it; null until then."
    )
    failed_at = serializers.DateTimeField(allow_null=True)
    failure_reason = serializers.CharField(
        required=False, help_text="Only when failed: a stable word; see /developers/errors."
    )
    failure_details = serializers.CharField(
        required=False, help_text="Only when failed and Meta gave any: details in its own words."
    )
    dry_run = serializers.BooleanField(required=False, help_text="True for a rehearsal.")


class LookupBody(serializers.Serializer[Any]):
    """What ``POST /v1/whatsapp/messages/lookup`` takes."""

    ids = serializers.ListField(child=serializers.CharField(max_length=100), min_length=1, max_length=100)


class Found(serializers.Serializer[Any]):
    """Messages in the order asked for."""

    data = MessageV1(many=True)  # type: ignore[assignment]
    not_found = serializers.ListField(child=serializers.CharField())


class TemplateObjectV1(serializers.Serializer[Any]):
    """A template as Meta keeps it."""

    id = serializers.CharField(help_text="Meta's id.")
    name = serializers.CharField()
    language = serializers.CharField()
    status = serializers.CharField(help_text="APPROVED, PENDING, REJECTED, PAUSED, …")
    category = serializers.CharField(help_text="MARKETING, UTILITY or AUTHENTICATION.")
    quality = serializers.CharField(allow_null=True, help_text="GREEN, YELLOW, RED or UNKNOWN.")
    rejected_reason = serializers.CharField(allow_null=True)
    parameter_format = serializers.CharField(help_text="POSITIONAL ({{1}}) or NAMED ({{name}}).")
    components = serializers.ListField(child=serializers.DictField())
    business_account_id = serializers.CharField(help_text="The WhatsApp account that it belongs to.")
    synced_at = serializers.DateTimeField()


class TemplatesV1(serializers.Serializer[Any]):
    """A page of templates."""

    data = TemplateObjectV1(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True, help_text="Give it as `cursor`; null: no more.")
