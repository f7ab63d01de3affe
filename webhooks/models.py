"""The tables of both directions: callbacks that came in; events, endpoints and deliveries going out.

An event is written in the transaction that it tells of, together with one delivery for every endpoint that
wants it. A delivery is a ledger row like a message: due or done. Attempts are its log.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts import vault
from accounts.models import Account
from core.ids import uuid7
from core.secret import Secret

#: what an endpoint's list of events says when it wants all of them, also those that do not exist yet
EVERYTHING = "*"


class InboundEvent(models.Model):
    """What Meta or Stripe called in with a right signature: the bytes that were signed, encrypted.

    A ledger like ``Message``: ``due_at`` null means done; claiming moves it and raises the token.
    """

    class Source(models.TextChoices):
        """Who called."""

        META = "meta"
        STRIPE = "stripe"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.CharField(max_length=10, choices=Source.choices)
    #: whose app secret signed it; null: the service-wide one, which may speak for every number, or Stripe
    account = models.ForeignKey(Account, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    #: SHA-256 of the raw bytes (and the account) or of Stripe's id of an event: a redelivery is the same row
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    #: the bytes, sealed for this row (webhooks.incoming.archive); empty once their time is over
    raw = models.BinaryField(editable=False)
    #: what it is about, of that which somebody may look for before it is applied: our references in it;
    #: of an event of Stripe's its id, its type and what it names
    names = models.TextField(blank=True, default="", db_default="", editable=False)
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
            # What the sweep wipes and what is applied again.
            models.Index(fields=["received_at", "id"], condition=~Q(raw=b""), name="inbound_kept"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.id}"


class Endpoint(models.Model):
    """An address of a customer's that wants to be told of events.

    A removed endpoint keeps its row (``removed_at``) without its secrets until its log has gone too.
    """

    class Off(models.TextChoices):
        """Why an endpoint is disabled; empty: it is not."""

        CUSTOMER = "customer"
        GONE = "gone"  # it answered 410
        FAILING = "failing"  # nothing but failures for five days

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="webhook_endpoints")
    #: the one that PUT /auth/me/webhook writes
    is_default = models.BooleanField(default=False)
    url = models.CharField(max_length=2_000)
    description = models.CharField(max_length=200, blank=True)
    #: types of events; ``*`` is all of them
    events = models.JSONField(default=list)
    #: headers of the customer's own that every request carries, as sealed JSON: they may hold a password
    headers_sealed = models.TextField(blank=True, editable=False)
    secret_sealed = models.TextField(editable=False)
    #: the secret before the last rotation signs along until then
    previous_secret_sealed = models.TextField(blank=True, editable=False)
    previous_secret_until = models.DateTimeField(null=True, blank=True)

    enabled = models.BooleanField(default=True)
    off = models.CharField(max_length=10, choices=Off.choices, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)

    #: when the failures began that no success has ended yet
    failing_since = models.DateTimeField(null=True, blank=True)
    #: failures in a row
    failures = models.PositiveIntegerField(default=0)
    #: how many mails about these failures were sent (after 1 h, after 24 h, when disabled)
    notices = models.PositiveSmallIntegerField(default=0)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    #: nothing is claimed for it before then: it asked for that, or its breaker waits for the next probe
    paused_until = models.DateTimeField(null=True, blank=True)
    #: the circuit breaker: nothing but failures since then; one probe at a time
    breaker_open_since = models.DateTimeField(null=True, blank=True)
    #: when the breaker closed; from then on deliveries speed up from a trickle
    ramp_from = models.DateTimeField(null=True, blank=True)

    removed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(is_default=True, removed_at=None),
                name="endpoint_one_default_per_account",
            )
        ]

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"<Endpoint {self.id}>"

    def context(self, column: str) -> str:
        """Name the place that a sealed value of this row is bound to."""
        return f"endpoint:{self.account_id}:{self.id}:{column}"

    def seal(self, column: str, value: Secret) -> None:
        """Put ``value`` into ``<column>_sealed``; the row is not saved."""
        setattr(self, f"{column}_sealed", vault.seal(value, context=self.context(column)))

    def unseal(self, column: str) -> Secret:
        """Open ``<column>_sealed``. Raises ``vault.CannotOpen``."""
        return vault.unseal(getattr(self, f"{column}_sealed"), context=self.context(column))


class Listener(models.Model):
    """An account that reads its events by asking (``GET /events``): they are kept for it as well."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, primary_key=True, related_name="+")
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.account_id)


class Event(models.Model):
    """Something that happened to an account, in the words that its endpoints are told.

    Written in the transaction that it tells of. ``id`` is known to customers as ``evt_`` and its 32 hex
    digits (``public_id``).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=40)
    #: what it is about (a message's id); empty: the account itself
    subject = models.CharField(max_length=64, blank=True)
    #: its place among the events of its subject, where they have an order
    sequence = models.PositiveIntegerField(null=True, blank=True)
    #: the JSON that is sent, as text: every attempt sends and signs the same bytes
    body = models.TextField()
    #: the transaction that wrote it. Read in the order of (txid, id) and only below
    #: ``pg_snapshot_xmin``, no event can appear later behind one that was read
    txid = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "txid", "id"], name="webhook_event_by_account")]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"

    @property
    def public_id(self) -> str:
        """The id as customers know it: ``webhook-id`` of every attempt."""
        return f"evt_{self.id.hex}"


class Delivery(models.Model):
    """One event for one endpoint: a ledger row. ``due_at`` null means that nothing is left to do."""

    class Status(models.TextChoices):
        """``skipped``: its endpoint was disabled or removed before it arrived."""

        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        SKIPPED = "skipped"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    due_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.BigIntegerField(default=0)
    #: attempts that were made, ever
    attempts = models.PositiveSmallIntegerField(default=0)
    #: how many of them lie before the last replay: the schedule counts from there
    attempts_before = models.PositiveSmallIntegerField(default=0)
    last_attempt_at = models.DateTimeField(null=True, blank=True)
    #: HTTP status of the last attempt; null: there was no answer
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = [models.UniqueConstraint(fields=["event", "endpoint"], name="delivery_once")]
        indexes = [
            # The claim. Finished rows are not in it.
            models.Index(
                fields=["endpoint", "due_at"], condition=Q(due_at__isnull=False), name="delivery_due"
            ),
            models.Index(fields=["endpoint", "-id"], name="delivery_by_endpoint"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Attempt(models.Model):
    """One request to a customer and what came of it: the log. Rows are added, never changed."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="log", db_index=False)
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    #: HTTP status; null: there was no answer, and ``error`` says why
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True)
    url = models.CharField(max_length=2_000)
    #: what we sent beside the body; values of the customer's own headers are masked
    request_headers = models.JSONField(default=dict)
    #: how the answer began
    response = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "number"], name="attempt_once")]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.number}: {self.status or self.error}"
