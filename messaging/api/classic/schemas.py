"""OpenAPI shapes of messaging in the classic API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.api.classic.schemas import warnings
from core.http.fields import PHONE
from messaging.compose.drafts import TEXT_LONGEST

_PHONE = f"^{PHONE.pattern}$"
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

    to = serializers.RegexField(_PHONE, help_text="E.164 without the plus.")
    message = serializers.CharField(
        required=False,
        min_length=1,
        max_length=TEXT_LONGEST,
        help_text="Free text; WhatsApp takes it within 24 hours after the person last wrote to you.",
    )
    template = TemplateBody(required=False)
    image = serializers.DictField(required=False, help_text="`link` or `id`, and `caption`.")
    video = serializers.DictField(required=False, help_text="`link` or `id`, and `caption`.")
    audio = serializers.DictField(required=False, help_text="`link` or `id`, and `voice`.")
    document = serializers.DictField(required=False, help_text="`link` or `id`, `caption`, `filename`.")
    sticker = serializers.DictField(required=False, help_text="`link` or `id`.")
    location = serializers.DictField(required=False, help_text="`latitude`, `longitude`, `name`, `address`.")
    contacts = serializers.ListField(
        child=serializers.DictField(), required=False, help_text="In Meta's shape."
    )
    interactive = serializers.DictField(
        required=False, help_text="Buttons, lists, links and more, in Meta's shape."
    )
    reaction = serializers.DictField(required=False, help_text="`messageId` and `emoji`; empty removes it.")
    replyTo = serializers.CharField(required=False, help_text="The wamid that this message quotes.")
    previewUrl = serializers.BooleanField(required=False, help_text="With `message`: show a link's preview.")
    fallbackTemplate = TemplateBody(
        required=False,
        help_text="With `message`: sent instead when the 24-hour window is closed by then.",
    )
    sendAt = serializers.DateTimeField(
        required=False,
        help_text="In the future, at most a year ahead. Without an offset: a time in `timezone`, else UTC.",
    )
    timezone = serializers.CharField(
        required=False,
        help_text="An IANA time zone such as Europe/Berlin, for a `sendAt` without an offset. A time that "
        "the clocks there leap over or show twice is refused.",
    )
    metadata = serializers.DictField(required=False, help_text="Up to 16 kB; given back with the message.")
    dry_run = serializers.BooleanField(required=False, help_text="Simulate; WhatsApp is not called.")
    dryRun = serializers.BooleanField(required=False, help_text="Another name for `dry_run`.")
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
    warnings = warnings()


class TimelineEntry(serializers.Serializer[Any]):
    """One step."""

    status = serializers.ChoiceField(STATUSES)
    at = serializers.DateTimeField()


class MessageItem(serializers.Serializer[Any]):
    """A message as lists show it."""

    id = serializers.UUIDField()
    to = serializers.CharField()
    type = serializers.CharField()
    body = serializers.CharField(allow_null=True)
    template = serializers.DictField(allow_null=True)
    status = serializers.ChoiceField(STATUSES)
    batchId = serializers.UUIDField(allow_null=True)
    scheduledFor = serializers.DateTimeField(allow_null=True)
    sentAt = serializers.DateTimeField(allow_null=True)
    deliveredAt = serializers.DateTimeField(allow_null=True)
    readAt = serializers.DateTimeField(allow_null=True)
    failedAt = serializers.DateTimeField(allow_null=True)
    errorMessage = serializers.CharField(allow_null=True)
    errorCode = serializers.IntegerField(allow_null=True, help_text="Meta's error code.")
    errorDetails = serializers.CharField(
        allow_null=True, help_text="What Meta said beyond that, in its own words; names the value at fault."
    )
    failure = serializers.CharField(allow_null=True, help_text="A stable word for the failure.")
    wamid = serializers.CharField(allow_null=True, help_text="WhatsApp's id of the message.")
    metadata = serializers.DictField()
    dryRun = serializers.BooleanField()
    createdAt = serializers.DateTimeField()


class MessageObject(MessageItem):
    """A message and what became of it."""

    timeline = TimelineEntry(many=True)


class Canceled(serializers.Serializer[Any]):
    """The message will not be sent."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(["canceled"])


class BulkBody(serializers.Serializer[Any]):
    """Many messages."""

    messages = serializers.ListField(child=SendBody(), min_length=1, max_length=5_000)


class BulkFailure(serializers.Serializer[Any]):
    """An item that was valid and refused by policy; it is stored as `failed`."""

    index = serializers.IntegerField(help_text="Its place in the request, from 0.")
    id = serializers.UUIDField()
    to = serializers.CharField()
    failure = serializers.CharField()
    message = serializers.CharField()


class BulkAccepted(serializers.Serializer[Any]):
    """The messages are stored and will be sent."""

    batchId = serializers.UUIDField()
    totalMessages = serializers.IntegerField()
    queued = serializers.IntegerField()
    failedCount = serializers.IntegerField()
    failures = BulkFailure(many=True)
    warnings = warnings()


class Retried(serializers.Serializer[Any]):
    """The message will be sent again."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(["queued"])


class Pagination(serializers.Serializer[Any]):
    """Where a page stands; the numbers are there for pages by number only."""

    limit = serializers.IntegerField()
    nextCursor = serializers.UUIDField(allow_null=True)
    page = serializers.IntegerField(required=False)
    total = serializers.IntegerField(required=False, help_text="Counted up to 10,000; totalIsCapped says so.")
    totalPages = serializers.IntegerField(required=False)
    totalIsCapped = serializers.BooleanField(required=False)


class BatchObject(serializers.Serializer[Any]):
    """A bulk send."""

    batchId = serializers.UUIDField()
    totalMessages = serializers.IntegerField()
    queued = serializers.IntegerField()
    failedCount = serializers.IntegerField()
    byStatus = serializers.DictField(child=serializers.IntegerField())
    createdAt = serializers.DateTimeField()


class DayCounts(serializers.Serializer[Any]):
    """One day's messages."""

    day = serializers.DateField()
    byStatus = serializers.DictField(child=serializers.IntegerField())


class TemplateCounts(serializers.Serializer[Any]):
    """One template's messages."""

    template = serializers.CharField()
    byStatus = serializers.DictField(child=serializers.IntegerField())


class SummaryObject(serializers.Serializer[Any]):
    """Delivery statistics."""

    total = serializers.IntegerField()
    byStatus = serializers.DictField(child=serializers.IntegerField())
    deliveryRate = serializers.FloatField()
    failureRate = serializers.FloatField()
    byDay = DayCounts(many=True)
    byTemplate = TemplateCounts(many=True)
    byErrorCode = serializers.DictField(child=serializers.IntegerField())


class SuppressionBody(serializers.Serializer[Any]):
    """A number not to write to."""

    to = serializers.RegexField(_PHONE)
    marketingOnly = serializers.BooleanField(required=False)
    note = serializers.CharField(required=False, min_length=1, max_length=200)


class SuppressionObject(serializers.Serializer[Any]):
    """An entry of the suppression list."""

    to = serializers.CharField()
    reason = serializers.ChoiceField(["manual", "stop_word", "meta"])
    marketingOnly = serializers.BooleanField()
    note = serializers.CharField()
    createdAt = serializers.DateTimeField()


class SuppressionRemoved(serializers.Serializer[Any]):
    """The number may be written to again."""

    to = serializers.CharField()
    removed = serializers.BooleanField()


class PlainPages(serializers.Serializer[Any]):
    """Pages by number."""

    page = serializers.IntegerField()
    limit = serializers.IntegerField()
    total = serializers.IntegerField()
    totalPages = serializers.IntegerField()


class TestMessageBody(serializers.Serializer[Any]):
    """Your own phone."""

    to = serializers.RegexField(_PHONE)
    dry_run = serializers.BooleanField(required=False, help_text="Simulate; WhatsApp is not called.")
    dryRun = serializers.BooleanField(required=False, help_text="Another name for `dry_run`.")


class MediaBody(serializers.Serializer[Any]):
    """A file."""

    file = serializers.FileField()


class MediaObject(serializers.Serializer[Any]):
    """A file as WhatsApp holds it."""

    id = serializers.CharField()
    mimeType = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
