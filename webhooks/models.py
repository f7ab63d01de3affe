"""The table of what came in: one row per callback, written before it is answered."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Account
from config.ids import uuid7


class InboundEvent(models.Model):
    """A callback whose signature was right, kept as the bytes that were signed.

    A ledger like ``Message``: ``due_at`` null means done; claiming moves it and raises the token.
    """

    class Source(models.TextChoices):
        """Who called."""

        META = "meta"
        STRIPE = "stripe"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.CharField(max_length=10, choices=Source.choices)
    #: whose app secret signed it; null: the service-wide one, which may speak for every number
    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    #: SHA-256 of the raw bytes (and the account): a redelivery is the same row
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    raw = models.BinaryField(editable=False)
    correlation_id = models.CharField(max_length=128, blank=True)
    received_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    applied_at = models.DateTimeField(null=True, blank=True)
    #: items that could not be applied, each with its reason; an operator may look
    parked = models.JSONField(default=list, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="inbound_due"),
            models.Index(fields=["received_at"], name="inbound_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.id}"
