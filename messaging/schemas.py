"""The shapes of the messaging face, for OpenAPI."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

STATUSES = [
    "queued",
    "scheduled",
    "processing",
    "retrying",
    "sent",
    "delivered",
    "read",
    "failed",
    "canceled",
]


ACCEPTED_STATUSES = ["queued", "scheduled"]


class TemplateBody(serializers.Serializer[Any]):
    """An approved template."""

    name = serializers.RegexField(r"^[a-z0-9_]{1,512}$")
    language = serializers.RegexField(r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8}){0,2}$", help_text="As approved.")
    components = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="Values, in Meta's send format."
    )


class SendBody(serializers.Serializer[Any]):
    """One message: either ``message`` or ``template``."""

    to = serializers.RegexField(r"^[1-9][0-9]{6,14}$", help_text="E.164 without the plus.")
    message = serializers.CharField(
        required=False,
        min_length=1,
        max_length=4096,
        help_text="Free text; WhatsApp takes it within 24 hours after the person last wrote to you.",
    )
    template = TemplateBody(required=False)
    sendAt = serializers.DateTimeField(required=False, help_text="In the future, at most a year ahead.")
    metadata = serializers.DictField(required=False, help_text="Up to 16 kB; given back with the message.")
    dry_run = serializers.BooleanField(required=False, help_text="Simulate; WhatsApp is not called.")
    expiresIn = serializers.IntegerField(
        required=False,
        min_value=30,
        max_value=2_592_000,
        help_text="Seconds after which the message is no longer worth sending. Default: 10 minutes for "
        "authentication templates, 24 hours for text, 72 hours for the rest.",
    )
    priority = serializers.ChoiceField(
        ["high", "normal", "low"],
        required=False,
        help_text="Which of the number's queues. Default: high for text and authentication templates, "
        "low in bulk, else normal. Low always gets a share.",
    )


class Accepted(serializers.Serializer[Any]):
    """The message is stored and will be sent."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(ACCEPTED_STATUSES)
    scheduledFor = serializers.DateTimeField(allow_null=True)


class TimelineEntry(serializers.Serializer[Any]):
    """One step."""

    status = serializers.ChoiceField(STATUSES)
    at = serializers.DateTimeField()


class MessageObject(serializers.Serializer[Any]):
    """A message and what became of it."""

    id = serializers.UUIDField()
    to = serializers.CharField()
    body = serializers.CharField(allow_null=True)
    template = serializers.DictField(allow_null=True)
    status = serializers.ChoiceField(STATUSES)
    scheduledFor = serializers.DateTimeField(allow_null=True)
    sentAt = serializers.DateTimeField(allow_null=True)
    deliveredAt = serializers.DateTimeField(allow_null=True)
    readAt = serializers.DateTimeField(allow_null=True)
    failedAt = serializers.DateTimeField(allow_null=True)
    errorMessage = serializers.CharField(allow_null=True)
    errorCode = serializers.IntegerField(allow_null=True, help_text="Meta's error code.")
    failure = serializers.CharField(allow_null=True, help_text="A stable word for the failure.")
    wamid = serializers.CharField(allow_null=True, help_text="WhatsApp's id of the message.")
    metadata = serializers.DictField()
    dryRun = serializers.BooleanField()
    createdAt = serializers.DateTimeField()
    timeline = TimelineEntry(many=True)


class Canceled(serializers.Serializer[Any]):
    """The message will not be sent."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(["canceled"])
