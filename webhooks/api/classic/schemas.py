"""OpenAPI shapes of endpoints in the classic API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from webhooks.models import EVERYTHING
from webhooks.outgoing.catalogue import CATALOGUE

_TYPES = [EVERYTHING, *CATALOGUE]
DELIVERY_STATUSES = ["pending", "delivered", "failed", "skipped"]


class _EndpointParts(serializers.Serializer[Any]):
    """What may be said of an endpoint besides its address."""

    events = serializers.ListField(
        child=serializers.ChoiceField(_TYPES), required=False, min_length=1, help_text="`*` is all of them."
    )
    description = serializers.CharField(required=False, max_length=200, allow_blank=True)
    headers = serializers.DictField(
        child=serializers.CharField(max_length=500),
        required=False,
        help_text="Up to 10 headers of your own, sent along with every request. Stored encrypted.",
    )
    enabled = serializers.BooleanField(required=False)


class EndpointBody(_EndpointParts):
    """A new endpoint."""

    url = serializers.URLField(max_length=2_000, help_text="A public https:// address.")


class EndpointChanges(_EndpointParts):
    """What to change of an endpoint."""

    url = serializers.URLField(max_length=2_000, required=False, help_text="A public https:// address.")


class WebhookBody(serializers.Serializer[Any]):
    """Your default endpoint."""

    url = serializers.URLField(max_length=2_000, help_text="A public https:// address.")
    events = serializers.ListField(
        child=serializers.ChoiceField(_TYPES),
        required=False,
        min_length=1,
        help_text="At first `message.status_updated` and `message.received`; `*` is everything.",
    )


class WebhookSaved(serializers.Serializer[Any]):
    """Your default endpoint as it is now."""

    webhookUrl = serializers.CharField()
    endpointId = serializers.UUIDField(help_text="Its id under /webhook-endpoints.")
    events = serializers.ListField(child=serializers.ChoiceField(_TYPES))
    secret = serializers.CharField(
        required=False, help_text="Only when the endpoint is new: shown once. It verifies signatures."
    )


class WebhookRemoved(serializers.Serializer[Any]):
    """Removed."""

    webhookUrl = serializers.CharField(allow_null=True)


class EndpointObject(serializers.Serializer[Any]):
    """An endpoint."""

    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    events = serializers.ListField(child=serializers.ChoiceField(_TYPES))
    headerNames = serializers.ListField(
        child=serializers.CharField(), help_text="Your own headers; their values are not shown."
    )
    isDefault = serializers.BooleanField(help_text="The one that PUT /auth/me/webhook sets.")
    enabled = serializers.BooleanField()
    disabledReason = serializers.ChoiceField(
        ["customer", "gone", "failing"],
        allow_null=True,
        help_text="`gone`: it answered 410. `failing`: nothing but failures for five days.",
    )
    failingSince = serializers.DateTimeField(allow_null=True)
    lastAttemptAt = serializers.DateTimeField(allow_null=True)
    lastSuccessAt = serializers.DateTimeField(allow_null=True)
    previousSecretUntil = serializers.DateTimeField(
        allow_null=True, help_text="Until then the secret before the last rotation signs as well."
    )
    createdAt = serializers.DateTimeField()


class NewEndpoint(EndpointObject):
    """An endpoint at the only moment when its secret is shown."""

    secret = serializers.RegexField(r"^whsec_[A-Za-z0-9+/]+=*$", help_text="Shown once.")


class EndpointRemoved(serializers.Serializer[Any]):
    """Removed."""

    id = serializers.UUIDField()
    removed = serializers.BooleanField()


class AttemptObject(serializers.Serializer[Any]):
    """One request and what came of it."""

    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    milliseconds = serializers.IntegerField()
    url = serializers.CharField()
    status = serializers.IntegerField(allow_null=True, help_text="HTTP status; null: no answer.")
    error = serializers.CharField(allow_null=True)
    requestHeaders = serializers.DictField(child=serializers.CharField())
    response = serializers.CharField(allow_blank=True, help_text="The first 1,000 characters of the answer.")


class DeliveryObject(serializers.Serializer[Any]):
    """One event for one endpoint, with every attempt."""

    id = serializers.UUIDField()
    eventId = serializers.RegexField("^evt_[0-9a-f]{32}$")
    event = serializers.ChoiceField(list(CATALOGUE))
    status = serializers.ChoiceField(
        DELIVERY_STATUSES, help_text="`skipped`: the endpoint was disabled before the event arrived."
    )
    createdAt = serializers.DateTimeField()
    deliveredAt = serializers.DateTimeField(allow_null=True)
    nextAttemptAt = serializers.DateTimeField(allow_null=True)
    attempts = AttemptObject(many=True)


class DeliveryDetail(DeliveryObject):
    """A delivery with what is sent."""

    body = serializers.DictField()


class DeliveriesPagination(serializers.Serializer[Any]):
    """How to go on."""

    limit = serializers.IntegerField()
    nextBefore = serializers.CharField(
        allow_null=True, help_text="Give it as `before` of the next call; null: that was the last page."
    )


class ReplayBody(serializers.Serializer[Any]):
    """Which events to deliver again."""

    since = serializers.DateTimeField(help_text="Events from then on; at most as far back as they are kept.")
    until = serializers.DateTimeField(required=False, help_text="Until now when left out.")
    timezone = serializers.CharField(
        required=False,
        help_text="An IANA time zone such as Europe/Berlin, for a `since` and an `until` without an offset.",
    )
    which = serializers.ChoiceField(
        ["missed", "all"], required=False, help_text="`missed` (default): only those that never arrived."
    )


class Replayed(serializers.Serializer[Any]):
    """How many events are on their way."""

    replayed = serializers.IntegerField()
