"""The tables of messaging: Message (the ledger), MessageEvent, Contact, OrphanStatus, …

Those of templates are in ``template_models`` and can be had from here.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import Account, ApiKey, Number
from core.ids import uuid7
from messaging.template_models import HeaderSample as HeaderSample
from messaging.template_models import Template as Template
from messaging.template_models import TemplateEvent as TemplateEvent
from messaging.template_models import TemplateSync as TemplateSync


class Status(models.TextChoices):
    """Where a message stands. ``messaging.status.timeline`` owns the moves between them.

    ``submitting`` and ``unknown`` are the engine's: the call to Meta is being made, or its answer was
    lost. Customers see both as ``processing``.
    """

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RETRYING = "retrying"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    CANCELED = "canceled"
    RECEIVED = "received"  # the only status of an inbound message


class Contact(models.Model):
    """One customer as one of our numbers sees them: the conversation hangs on it.

    Since 2026 WhatsApp may hide the number behind a business-scoped user id (BSUID), and Meta's
    canonical ``wa_id`` may differ from the number that was dialled (Brazil, Mexico, Argentina), so
    each of the three is optional and unique by itself.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="contacts")
    connection = models.ForeignKey(Number, on_delete=models.CASCADE, related_name="contacts")
    #: digits as our side dials them
    phone = models.CharField(max_length=20, null=True, blank=True)
    #: digits as WhatsApp calls them
    wa_id = models.CharField(max_length=20, null=True, blank=True)
    bsuid = models.CharField(max_length=160, null=True, blank=True)
    profile_name = models.CharField(max_length=300, blank=True)
    #: the pair limit as one moment: each message to this person moves it six seconds further, and as
    #: long as it is less than a burst ahead of now, one more may go (messaging.send.pair_limit)
    pair_slot_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: the customer service window is open for 24 hours after this
    last_inbound_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "phone"], name="contact_phone_once"),
            models.UniqueConstraint(fields=["connection", "wa_id"], name="contact_wa_id_once"),
            models.UniqueConstraint(fields=["connection", "bsuid"], name="contact_bsuid_once"),
        ]
        indexes = [
            # The dashboard's list of who wrote last; people who never wrote are not in it.
            models.Index(
                fields=["account", "-last_inbound_at", "-id"],
                condition=Q(last_inbound_at__isnull=False),
                name="contact_by_inbound",
            ),
        ]

    def __str__(self) -> str:
        return self.profile_name or self.phone or self.wa_id or self.bsuid or str(self.id)


class Batch(models.Model):
    """The messages of one bulk request."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="batches")
    total = models.PositiveIntegerField()
    #: items that were valid and refused by policy (a suppressed recipient)
    refused = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.id)


class Message(models.Model):
    """One message, out or in; for outbound ones also the ledger of what is left to do.

    ``due_at`` is the whole queue: null means that nothing is left to do, a moment means that the row is
    work from then on. Claiming moves it to the end of the lease and raises ``lease_token``, so a
    scheduled send, a retry, a crashed worker and a lost wake-up are the same case: a row that is due.
    """

    class Direction(models.TextChoices):
        """Seen from the business."""

        OUT = "out"
        IN = "in"

    class Source(models.TextChoices):
        """Who made the row."""

        CLASSIC = "whatsapi"
        V1 = "mojeeb"
        DASHBOARD = "dashboard"
        META = "meta"

    class Lane(models.IntegerChoices):
        """Which queue of its number a message stands in; lower goes first."""

        REPLY = 0  # answers to people who wrote, and one-time passwords
        SINGLE = 1
        BULK = 2

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="messages", db_index=False)
    connection = models.ForeignKey(
        Number, on_delete=models.CASCADE, null=True, blank=True, related_name="messages", db_index=False
    )
    api_key = models.ForeignKey(
        ApiKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )
    contact = models.ForeignKey(
        Contact, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages", db_index=False
    )
    batch = models.ForeignKey(
        Batch, on_delete=models.SET_NULL, null=True, blank=True, related_name="messages", db_index=False
    )
    #: whose number it went out from; the number may be given to another agent later
    agent_id = models.UUIDField(null=True, blank=True, editable=False)
    direction = models.CharField(max_length=3, choices=Direction.choices, default=Direction.OUT)
    source = models.CharField(max_length=10, choices=Source.choices)
    #: the other side's number, digits only; empty when WhatsApp hides it
    recipient = models.CharField(max_length=20, blank=True)
    type = models.CharField(max_length=40)
    body = models.TextField(null=True, blank=True)
    #: the Meta-shaped part that was asked for (``{"type": "text", "text": {…}}``), or what came in
    content = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict, blank=True)
    dry_run = models.BooleanField(default=False)
    correlation_id = models.CharField(max_length=128, blank=True)

    status = models.CharField(max_length=10, choices=Status.choices)
    #: number of entries in the timeline; the last one's ``sequence``
    sequence = models.PositiveSmallIntegerField(default=0)
    lane = models.SmallIntegerField(choices=Lane.choices, default=Lane.SINGLE)
    due_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.BigIntegerField(default=0)
    #: 0, and one more for each manual retry; part of the reference that Meta gives back to us
    round = models.PositiveSmallIntegerField(default=0, db_default=0)
    #: calls to Meta that were started
    attempts = models.PositiveSmallIntegerField(default=0)
    #: claims that ended without an outcome
    crashes = models.PositiveSmallIntegerField(default=0)
    #: when the call to Meta was last about to be made; null after an outcome that allows another
    submitted_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    scheduled_for = models.DateTimeField(null=True, blank=True)

    wamid = models.CharField(max_length=255, null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)
    error_code = models.IntegerField(null=True, blank=True)
    #: a stable word for the failure (``recipient_unreachable``)
    failure = models.CharField(max_length=60, blank=True)
    #: the sentence that the customer reads
    error_message = models.TextField(null=True, blank=True)
    #: what Meta said: title, details, fbtrace_id, http_status
    error_detail = models.JSONField(null=True, blank=True)
    pricing = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "wamid"],
                condition=Q(direction="in"),
                name="message_inbound_once",
            ),
        ]
        indexes = [
            # The claim. Finished rows are not in it, so it stays small however large the table grows.
            models.Index(
                fields=["connection", "lane", "due_at"],
                condition=Q(due_at__isnull=False),
                name="message_due",
            ),
            # The few whose claims ended with their worker (claims_sql.SUSPECT_CRASHES), beside any backlog.
            models.Index(
                fields=["connection", "due_at"],
                condition=Q(due_at__isnull=False, crashes__gte=3),
                name="message_suspect",
            ),
            models.Index(fields=["wamid"], condition=Q(wamid__isnull=False), name="message_by_wamid"),
            # With the direction, so that a page's total is counted without reading the rows.
            models.Index(fields=["account", "-id"], include=["direction"], name="message_of_account"),
            models.Index(fields=["account", "status", "-id"], name="message_by_status"),
            models.Index(fields=["contact", "-id"], name="message_by_contact"),
            models.Index(fields=["batch", "-id"], condition=Q(batch__isnull=False), name="message_by_batch"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class MessageEvent(models.Model):
    """One entry of a message's timeline. Rows are added, never changed."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="events", db_index=False)
    sequence = models.PositiveSmallIntegerField()
    status = models.CharField(max_length=10, choices=Status.choices)
    #: when it happened (Meta's clock for its callbacks)
    at = models.DateTimeField()
    #: when we learnt it
    recorded_at = models.DateTimeField()
    detail = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["message", "sequence"], name="event_once")]

    def __str__(self) -> str:
        return f"{self.message_id} {self.sequence} {self.status}"


class Suppression(models.Model):
    """A recipient that an account must not write to."""

    class Reason(models.TextChoices):
        """Who asked for it."""

        MANUAL = "manual"
        STOP_WORD = "stop_word"
        META = "meta"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="suppressions")
    phone = models.CharField(max_length=20)
    reason = models.CharField(max_length=10, choices=Reason.choices)
    #: only marketing templates are refused; False: everything is
    marketing_only = models.BooleanField(default=False)
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "phone"], name="suppression_once")]

    def __str__(self) -> str:
        return self.phone


class IdempotencyKey(models.Model):
    """The answer that was given to a key; written in the transaction that it speaks of."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    #: SHA-256 of method, path and canonical body
    fingerprint = models.BinaryField(max_length=32)
    correlation_id = models.CharField(max_length=128)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.BinaryField(null=True)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="idempotency_once")]

    def __str__(self) -> str:
        return self.key


class Tally(models.Model):
    """Counts of messages by how they ended, as differences that add up.

    Each recording inserts its few differences, so nobody waits for a counter's lock; a task adds the
    rows together from time to time. Dry runs are not counted.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()  # UTC day on which the message was accepted
    status = models.CharField(max_length=10)
    template = models.CharField(max_length=512, blank=True)
    error_code = models.IntegerField(default=0)
    count = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["account", "day"], name="tally_by_account")]

    def __str__(self) -> str:
        return f"{self.day} {self.status} {self.count:+}"


class Heartbeat(models.Model):
    """When a part of the service was last seen well, and since when without a gap."""

    name = models.CharField(max_length=40, primary_key=True)
    ok_since = models.DateTimeField()
    last_ok_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} well since {self.ok_since}"


class Home(models.Model):
    """The cluster of databases that messages were last sent from; one row (messaging.send.restore_guard)."""

    cluster = models.BigIntegerField()
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"cluster {self.cluster}"


class OrphanStatus(models.Model):
    """A status whose message is not known (yet): kept and tried again for seven days."""

    connection = models.ForeignKey(Number, on_delete=models.CASCADE, related_name="+")
    wamid = models.CharField(max_length=255, db_index=True)
    #: the item as Meta sent it
    item = models.JSONField()
    received_at = models.DateTimeField(db_index=True)
    #: the same status again is the same row
    digest = models.BinaryField(max_length=32, unique=True)

    class Meta:
        verbose_name_plural = "orphan statuses"

    def __str__(self) -> str:
        return self.wamid
